"""The fetch stage: source, secrets and base images come into the workspace; none of it runs yet."""

from __future__ import annotations

import dataclasses
import shutil
import uuid
from pathlib import Path
from typing import Literal

from imagefactory.adapters.blobs.base import BlobNotFound
from imagefactory.adapters.blobs.files import FileBlobs
from imagefactory.adapters.registries.skopeo import CopyFailed, pull
from imagefactory.adapters.sources.addresses import AddressPolicy
from imagefactory.adapters.sources.archive import unpack
from imagefactory.adapters.sources.base import (
    Credential,
    Fetched,
    Problem,
    SourceLimits,
    SourceUnavailable,
    Tell,
)
from imagefactory.adapters.sources.git import GitRepositories
from imagefactory.adapters.sources.inline import write_inline
from imagefactory.domain.builds.services.execution import Failure, Work
from imagefactory.domain.identity.selectors import actor_for_starter, actor_for_user
from imagefactory.domain.images.selectors import registry_access
from imagefactory.domain.projects.selectors import open_credential
from imagefactory.entry.dispatcher.failing import NotDispatched, StageFailed, room
from imagefactory.entry.http.registry import issuer
from imagefactory.kernel import actor as actors
from imagefactory.kernel import pg
from imagefactory.kernel.env import Settings
from imagefactory.kernel.errors import FactoryError
from imagefactory.kernel.reference import LIBRARY, Reference, parse
from imagefactory.methods.base import Base
from imagefactory.methods.dockerfile import Image
from imagefactory.methods.manifest import Manifest

_STAGE = "fetch"
# Address and credential stand in the project's settings, which not everyone who builds may change.
_WHO = {
    Problem.NOT_ALLOWED: "admin", Problem.UNREACHABLE: "admin", Problem.AUTH_REFUSED: "admin",
    Problem.REPOSITORY_NOT_FOUND: "admin", Problem.FAILED: "operator",
}  # fmt: skip


def repositories(settings: Settings) -> GitRepositories:
    """Return the Git repositories that this installation allows."""
    policy = AddressPolicy(
        allowed_hosts=[h.strip() for h in settings.allowed_git_hosts.split(",") if h.strip()],
        file_root=settings.source_root if settings.allow_file_sources else None,
        allow_private=False,
    )
    settings.run_dir.mkdir(parents=True, exist_ok=True)
    return GitRepositories(policy, _limits(settings), settings.run_dir)


def _limits(settings: Settings) -> SourceLimits:
    return SourceLimits(max_bytes=settings.max_context_mib * 1024 * 1024)


def project_credential(project_id: uuid.UUID, credential_id: str) -> Credential | None:
    """Return the project's Git credential, if it has one."""
    if not credential_id:
        return None
    opened = pg.outlast(open_credential)(project_id, uuid.UUID(credential_id))
    kind: Literal["ssh_key", "password"] = "ssh_key" if opened.kind == "git_ssh_key" else "password"
    return Credential(kind, opened.secret, opened.username or "git")


def fetch_source(
    work: Work, manifest: Manifest, project_id: uuid.UUID, workspace: Path, settings: Settings, tell: Tell
) -> Fetched:
    """Put the source into `context/`.

    Raises StageFailed.
    """
    target = workspace / "context"
    target.mkdir()
    try:
        with room(workspace, _STAGE, "The source"):
            return _fetch(work, manifest, project_id, target, settings, tell)
    except SourceUnavailable as error:
        who = _WHO.get(error.problem, "you")
        raise StageFailed(Failure(f"source_{error.problem}", _STAGE, str(error), who)) from None
    except BlobNotFound:
        message = "The uploaded archive is no longer kept. Upload it again and rerun."
        raise StageFailed(Failure("source_invalid_archive", _STAGE, message)) from None
    except FactoryError as error:
        raise StageFailed(Failure(error.code, _STAGE, error.message, "admin")) from None


def _fetch(
    work: Work, manifest: Manifest, project_id: uuid.UUID, target: Path, settings: Settings, tell: Tell
) -> Fetched:
    if manifest.source.kind == "inline":
        return write_inline(manifest.source.files, target)
    if manifest.source.kind == "archive":
        path = FileBlobs(settings.data_dir / "blobs").path(manifest.source.blob)
        return unpack(path, target, _limits(settings), tell)
    credential = project_credential(project_id, str(work.source.get("credential_id", "")))
    return repositories(settings).fetch(str(work.source["url"]), work.ref, target, credential=credential, tell=tell)


def fetch_bases(wanted: list[Image], work: Work, tenant: str, workspace: Path, settings: Settings) -> list[Base]:
    """Copy each base image into the workspace, as the person who started the build may pull it, and return them.

    Raises StageFailed, NotDispatched when the factory's own registry is away.
    """
    bases = []
    for position, image in enumerate(wanted):
        layout = workspace / "bases" / str(position)
        layout.parent.mkdir(exist_ok=True)
        candidates = parse(image.reference).candidates(settings.host)
        for reference in candidates:
            last = reference is candidates[-1]
            # A digest says it all, and skopeo takes a tag beside it for a mistake.
            exact = dataclasses.replace(reference, tag=None) if reference.pinned else reference
            digest = _fetch_base(image, exact, work, tenant, layout, settings, last=last)
            if digest is not None:
                bases.append(Base(image.reference, str(exact), digest))
                break
    return bases


def _fetch_base(
    image: Image, reference: Reference, work: Work, tenant: str, layout: Path, settings: Settings, *, last: bool
) -> str | None:
    """Copy one image and return its digest; None when it is not there and another place is left to look.

    Raises StageFailed, NotDispatched.
    """
    ours, password = reference.host == settings.host, None
    if ours:
        if "pull" not in _rights(work, tenant, reference.repository):
            if last:
                raise StageFailed(_unknown(image))
            return None
        password = issuer().issue_grant("dispatcher", reference.repository, ["pull"])
    tls = not ours or settings.public_url.startswith("https://")
    try:
        with room(layout.parent, _STAGE, f"Base image {image.reference}"):
            return pull(str(reference), reference.host, layout, password=password, tls=tls, seconds=900)
    except CopyFailed as error:
        if error.code == "unknown_image" or (ours and error.code == "denied"):
            if last:
                raise StageFailed(_unknown(image)) from None
            shutil.rmtree(layout, ignore_errors=True)
            return None
        if ours and error.code == "unreachable":
            raise NotDispatched(
                f"The factory's own registry does not answer, which holds the base {image.reference}."
            ) from None
        known = {"unreachable": "base_unreachable", "denied": "base_denied", "untrusted": "base_untrusted"}
        code = known.get(error.code, "base_failed")
        who = "operator" if ours or code in {"base_failed", "base_untrusted"} else "you"
        message = f"Line {image.line} of the Dockerfile: base image {image.reference}: {error}"
        if last and not ours and len(parse(image.reference).candidates(settings.host)) > 1:
            message += " This factory's own library does not have it either."
        raise StageFailed(Failure(code, _STAGE, message, who, dockerfile_line=image.line)) from None


def _unknown(image: Image) -> Failure:
    message = (
        f"Line {image.line} of the Dockerfile: there is no base image {image.reference}, or you may not pull it. "
        "Check its name and tag; build or push it first if it is your own."
    )
    return Failure("unknown_base_image", _STAGE, message, dockerfile_line=image.line)


@pg.outlast
def _rights(work: Work, tenant: str, repository: str) -> frozenset[str]:
    """Return what the person or key that started this attempt may do there now; a schedule's build has the tenant's own rights."""
    if work.started_by_id is None:
        own = repository.startswith((f"{tenant}/", f"{LIBRARY}/"))
        return registry_access(actors.system("dispatcher"), repository) if own else frozenset()
    try:
        starter = uuid.UUID(str(work.started_by_id))
        return registry_access(actor_for_starter(starter, tenant) or actor_for_user(starter, tenant), repository)
    except FactoryError:
        return frozenset()
