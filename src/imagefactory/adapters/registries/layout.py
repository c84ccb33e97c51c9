"""OCI image layouts on disk: written from a root file system, read and checked after a hostile build."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_MAX_DOCUMENT = 4 * 1024 * 1024
MAX_BLOBS = 500
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


class LayoutInvalid(Exception):
    """The layout breaks the OCI image specification, or is not what its digests say. The message is a sentence."""


@dataclasses.dataclass(frozen=True)
class Image:
    """The one image of a layout: its manifest's digest, its configuration, its blobs with sizes in bytes."""

    digest: str
    media_type: str
    config: Mapping[str, Any]
    layers: Sequence[Mapping[str, Any]]
    config_digest: str
    size_bytes: int

    @property
    def platform(self) -> str:
        return f"{self.config.get('os', 'linux')}/{self.config.get('architecture', 'amd64')}"


def open_blob(layout: Path, digest: str) -> BinaryIO:
    """Open a blob without following links: the layout came out of a build that may be hostile.

    Raises LayoutInvalid.
    """
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise LayoutInvalid(f"{str(digest)[:80]!r} is not a digest.")
    return _open(layout / "blobs" / "sha256" / digest.removeprefix("sha256:"))


def _open(path: Path) -> BinaryIO:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        raise LayoutInvalid(f"The image's file {path.name[:20]} is missing or is a link.") from None
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise LayoutInvalid(f"The image's file {path.name[:20]} is not a regular file.")
    return os.fdopen(fd, "rb")


def _document(stream: BinaryIO) -> Any:
    with stream:
        data = stream.read(_MAX_DOCUMENT + 1)
    if len(data) > _MAX_DOCUMENT:
        raise LayoutInvalid("A document of the image is larger than 4 MiB.")
    try:
        return json.loads(data)
    except ValueError:
        raise LayoutInvalid("A document of the image is not JSON.") from None


def read_image(layout: Path) -> Image:
    """Return the single image of a layout, with every blob's size and digest checked.

    Raises LayoutInvalid.
    """
    try:
        index = _document(_open(layout / "index.json"))
        entries = index["manifests"]
        if len(entries) != 1:
            raise LayoutInvalid(f"The build wrote {len(entries)} images where one was expected.")
        digest = entries[0]["digest"]
        manifest = _document(open_blob(layout, digest))
        blobs = [manifest["config"], *manifest["layers"]]
        if len(blobs) > MAX_BLOBS:
            raise LayoutInvalid(f"The image has more than {MAX_BLOBS} layers.")
        size = _verify(layout, digest, None)
        size += sum(_verify(layout, b["digest"], int(b["size"])) for b in blobs)
        config = _document(open_blob(layout, manifest["config"]["digest"]))
        layers = [{"digest": b["digest"], "size": b["size"], "media_type": b["mediaType"]} for b in manifest["layers"]]
        return Image(digest, manifest.get("mediaType", MANIFEST), config, layers, manifest["config"]["digest"], size)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise LayoutInvalid("The image that the build wrote is not a valid OCI image.") from None


def _verify(layout: Path, digest: str, size: int | None) -> int:
    found, total = hashlib.sha256(), 0
    with open_blob(layout, digest) as blob:
        while piece := blob.read(1024 * 1024):
            found.update(piece)
            total += len(piece)
    if f"sha256:{found.hexdigest()}" != digest or (size is not None and size != total):
        raise LayoutInvalid(f"The image's blob {digest[7:19]} is not what its digest says.")
    return total


def chunks_of_layer(layout: Path, layer: Mapping[str, Any], limit: int) -> Iterator[bytes]:
    """Yield the unpacked bytes of a layer, at most `limit`.

    Raises LayoutInvalid past the limit or when it cannot be unpacked.
    """
    with open_blob(layout, str(layer["digest"])) as raw:
        stream: Any = gzip.GzipFile(fileobj=raw) if "gzip" in str(layer["media_type"]) else raw
        total = 0
        try:
            while piece := stream.read(1024 * 1024):
                total += len(piece)
                if total > limit:
                    raise LayoutInvalid("A layer of the image unpacks to more than is allowed.")
                yield piece
        except (OSError, EOFError):
            raise LayoutInvalid("A layer of the image cannot be unpacked.") from None


def write_from_tar(root: Path, layout: Path, *, config: Mapping[str, Any], created: str) -> str:
    """Write an OCI layout whose one layer is the tar file `root`; returns the manifest's digest.

    The same input gives the same digest: the gzip header holds no time.
    """
    blobs = layout / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    diff, draft = hashlib.sha256(), layout / "layer"
    with root.open("rb") as source, draft.open("wb") as out:
        with gzip.GzipFile(filename="", fileobj=out, mode="wb", compresslevel=5, mtime=0) as packed:
            while piece := source.read(1024 * 1024):
                diff.update(piece)
                packed.write(piece)
    with draft.open("rb") as packed_layer:
        layer_digest = hashlib.file_digest(packed_layer, "sha256").hexdigest()
    size = draft.stat().st_size
    shutil.move(draft, blobs / layer_digest)

    def blob(document: Mapping[str, Any]) -> dict[str, Any]:
        data = json.dumps(document, sort_keys=True).encode()
        name = hashlib.sha256(data).hexdigest()
        (blobs / name).write_bytes(data)
        return {"digest": f"sha256:{name}", "size": len(data)}

    described = blob(
        {
            "created": created,
            "architecture": "arm64" if os.uname().machine == "aarch64" else "amd64",
            "os": "linux",
            "config": dict(config),
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{diff.hexdigest()}"]},
            "history": [{"created": created, "created_by": "image factory: base from packages"}],
        }
    )
    manifest = blob(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, **described},
            "layers": [{"mediaType": LAYER, "digest": f"sha256:{layer_digest}", "size": size}],
        }
    )
    entry = {
        "mediaType": MANIFEST,
        "annotations": {"org.opencontainers.image.ref.name": "latest"},
        **manifest,
    }
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return str(manifest["digest"])
