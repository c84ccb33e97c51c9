"""Makes the archive of a tenant: one zip of JSON files, put together here out of what each app gives."""

from __future__ import annotations

import dataclasses
import json
import logging
import tempfile
import uuid
import zipfile
from collections.abc import Iterable, Iterator
from typing import IO, Any

from django.core.serializers.json import DjangoJSONEncoder

from imagefactory.adapters.blobs.base import BlobTooLarge
from imagefactory.adapters.blobs.files import FileBlobs
from imagefactory.domain.audit.leaving import entries_to_export
from imagefactory.domain.builds.services.removal import builds_to_export
from imagefactory.domain.identity import selectors as identity
from imagefactory.domain.identity import services
from imagefactory.domain.images.selectors import images_to_export
from imagefactory.domain.projects.selectors import projects_to_export
from imagefactory.kernel import env

log = logging.getLogger(__name__)
_PIECE = 1024 * 1024
_MIB = 1024 * 1024
README = """This archive holds what the team {slug} has in Image Factory: tenant.json (profile and capabilities), members.json,
projects.json (settings; of credentials the names only), builds.json, images.json (digests and the commands that pull them)
and audit.json. Values of secrets, logs and the layers of images are not in it: pull the images with the commands given.
"""


def blobs() -> FileBlobs:
    return FileBlobs(env.get().data_dir / "blobs")


def make_export(export_id: uuid.UUID) -> None:
    """Make the archive of a waiting export; one that is made already is left alone, so this may run twice.

    What cannot be made is recorded as failed, with the reason, and can be asked for again.
    """
    tenant_id = identity.tenant_of_waiting_export(export_id)
    if tenant_id is None:
        return
    try:
        with tempfile.TemporaryFile(dir=env.get().data_dir) as file:
            write_archive(file, tenant_id)
            file.seek(0)
            blob = blobs().put(iter(lambda: file.read(_PIECE), b""), max_bytes=env.get().max_export_mib * _MIB)
    except BlobTooLarge:
        services.fail_export(export_id, f"The archive is larger than {env.get().max_export_mib} MiB, the limit here.")
        return
    except OSError as error:
        log.exception("export %s could not be written", export_id)
        services.fail_export(export_id, f"The archive could not be written: {error.strerror}.")
        return
    if not services.finish_export(export_id, digest=blob.digest, size=blob.size):
        blobs().delete(blob.digest)


def write_archive(file: IO[bytes], tenant_id: uuid.UUID) -> None:
    """Write the zip of a tenant to `file`, in memory that does not grow with the tenant."""
    profile = identity.tenant_profile(tenant_id)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README.txt", README.format(slug=profile.slug))
        _write(archive, "tenant.json", [dataclasses.asdict(profile)])
        _write(archive, "members.json", identity.members_to_export(tenant_id))
        _write(archive, "projects.json", projects_to_export(tenant_id))
        _write(archive, "builds.json", builds_to_export(tenant_id))
        _write(archive, "images.json", images_to_export(tenant_id))
        _write(archive, "audit.json", entries_to_export(tenant_id))


def _write(archive: zipfile.ZipFile, name: str, rows: Iterable[dict[str, Any]]) -> None:
    with archive.open(name, "w", force_zip64=True) as out:
        for piece in _array(rows):
            out.write(piece.encode())


def _array(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield a JSON array, a row a line."""
    between = "[\n"
    for row in rows:
        yield between + json.dumps(row, cls=DjangoJSONEncoder, ensure_ascii=False)
        between = ",\n"
    yield "[]\n" if between == "[\n" else "\n]\n"


def make_waiting() -> None:
    """Make exports whose job was lost or killed."""
    for export_id in identity.exports_left_waiting():
        make_export(export_id)


def forget_expired() -> None:
    """Delete archives whose time is over."""
    for digest in services.expire_exports():
        blobs().delete(digest)
