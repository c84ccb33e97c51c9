"""Reads what a registry really holds under a name: manifest, sizes, platforms, configuration; checked by digest."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from imagefactory.adapters.registries.events import DOCKER_INDEX, INDEX, MANIFESTS
from imagefactory.adapters.registries.layout import CONFIG, MAX_BLOBS

_MAX_DOCUMENT = 4 * 1024 * 1024  # distribution's own limit for a manifest
_MAX_KEPT = 256 * 1024  # of a configuration; a larger one is somebody's joke and is left out of the record
_MAX_SIZE = 2**50
_MAX_PLATFORMS = 64
_CONFIGS = frozenset({CONFIG, "application/vnd.docker.container.image.v1+json"})


class RegistryAway(Exception):
    """The registry does not answer, or not now. The message is a sentence."""


class NotAnImage(Exception):
    """What is there is no image that people pull: an attestation, a signature, or not what its digest says."""


@dataclasses.dataclass(frozen=True)
class Stored:
    """One manifest as the registry serves it. `size_bytes` adds up what the manifest names."""

    digest: str
    media_type: str
    size_bytes: int
    platforms: Sequence[str]
    config: Mapping[str, Any]
    layers: Sequence[Mapping[str, Any]]


class RegistryReader:
    """Reads from one registry, over its socket where it has one. Every call may be repeated and made at once."""

    def __init__(self, url: str, token: Callable[[str], str], socket: Path | None = None, seconds: float = 10) -> None:
        """`token` makes a bearer token that may pull from the repository it is given."""
        transport = httpx.HTTPTransport(uds=str(socket)) if socket is not None else None
        self._http = httpx.Client(base_url=url, transport=transport, timeout=seconds, trust_env=False)
        self._token = token

    def close(self) -> None:
        self._http.close()

    def read(self, repository: str, reference: str) -> Stored | None:
        """Return what stands behind a tag or digest now, or None when there is nothing.

        Raises RegistryAway, NotAnImage.
        """
        found = self._manifest(repository, reference)
        if found is None:
            return None
        data, kind = found
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        if reference.startswith("sha256:") and reference != digest:
            raise NotAnImage(f"The registry serves {digest} as {reference}.")
        try:
            document = json.loads(data)
            if kind in {INDEX, DOCKER_INDEX}:
                return self._index(repository, document, digest, kind, len(data))
            return self._image(repository, document, digest, kind, len(data))
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
            raise NotAnImage(f"The manifest {digest} is not a valid one.") from None

    def _image(self, repository: str, document: Any, digest: str, kind: str, size: int) -> Stored:
        described, blobs = document["config"], document["layers"]
        if described["mediaType"] not in _CONFIGS or document.get("artifactType") or len(blobs) > MAX_BLOBS:
            raise NotAnImage(f"The manifest {digest} is no image.")
        layers: list[dict[str, Any]] = [{"digest": str(b["digest"])[:71], "size": _size(b), "media_type": str(b["mediaType"])[:120]}
                  for b in blobs]  # fmt: skip
        size += _size(described) + sum(layer["size"] for layer in layers)
        config = self._config(repository, str(described["digest"]))
        platform = f"{config.get('os', 'linux')}/{config.get('architecture', 'amd64')}"[:60]
        kept = config.get("config") or {}
        text = json.dumps(kept)
        small = isinstance(kept, dict) and len(text) <= _MAX_KEPT and "\\u0000" not in text
        return Stored(digest, kind, size, [platform], kept if small else {}, layers)

    def _index(self, repository: str, document: Any, digest: str, kind: str, size: int) -> Stored:
        platforms = []
        entries = document["manifests"]
        if len(entries) > _MAX_PLATFORMS:
            raise NotAnImage(f"The index {digest} has more than {_MAX_PLATFORMS} entries.")
        for entry in entries:
            place = entry.get("platform") or {}
            if place.get("os") in {None, "unknown"}:
                continue  # an attestation about one of the others
            child = self._manifest(repository, str(entry["digest"]))
            if child is None:
                continue
            parts = json.loads(child[0])
            size += len(child[0]) + _size(parts["config"]) + sum(_size(b) for b in parts["layers"][:MAX_BLOBS])
            names = (place.get("os"), place.get("architecture"), place.get("variant"))
            platforms.append("/".join(str(n) for n in names if n)[:60])
        if not platforms:
            raise NotAnImage(f"The index {digest} names no image.")
        return Stored(digest, kind, size, sorted(set(platforms)), {}, [])

    def _config(self, repository: str, digest: str) -> Mapping[str, Any]:
        data = self._get(repository, f"blobs/{digest}", "*/*")
        if data is None or f"sha256:{hashlib.sha256(data[0]).hexdigest()}" != digest:
            raise NotAnImage(f"The configuration {digest[:19]} is not what its digest says.")
        document = json.loads(data[0])
        if not isinstance(document, dict):
            raise NotAnImage(f"The configuration {digest[:19]} is not a valid one.")
        return document

    def _manifest(self, repository: str, reference: str) -> tuple[bytes, str] | None:
        found = self._get(repository, f"manifests/{reference}", ", ".join(sorted(MANIFESTS)))
        if found is not None and found[1] not in MANIFESTS:
            raise NotAnImage(f"{repository}:{reference[:140]} is of a kind that is not kept as an image.")
        return found

    def _get(self, repository: str, rest: str, accept: str) -> tuple[bytes, str] | None:
        headers = {"Authorization": f"Bearer {self._token(repository)}", "Accept": accept}
        try:
            with self._http.stream("GET", f"/v2/{repository}/{rest}", headers=headers) as reply:
                if reply.status_code == 404:
                    return None
                if reply.status_code != 200:
                    raise RegistryAway(f"The registry answered {reply.status_code} for {repository}.")
                data = bytearray()
                for piece in reply.iter_bytes():
                    data += piece
                    if len(data) > _MAX_DOCUMENT:
                        raise NotAnImage(f"A document in {repository} is larger than 4 MiB.")
                return bytes(data), reply.headers.get("Content-Type", "").partition(";")[0]
        except httpx.HTTPError as error:
            raise RegistryAway(f"The registry does not answer: {error}") from None


def _size(described: Mapping[str, Any]) -> int:
    """Return a size that a manifest claims, as a whole number that can be stored."""
    size = described["size"]
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= _MAX_SIZE:
        raise ValueError("size")
    return size
