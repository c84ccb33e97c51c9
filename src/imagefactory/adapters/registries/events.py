"""What a registry tells of itself (distribution 2.8, "Work with notifications"), read with the distrust that it needs."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from typing import Any

from imagefactory.adapters.registries.layout import MANIFEST
from imagefactory.kernel.reference import is_repository, is_tag

PATH = "/internal/registry-events"
MAX_EVENTS = 500  # in one message; distribution sends one
INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
MANIFESTS = frozenset({MANIFEST, INDEX, DOCKER_MANIFEST, DOCKER_INDEX})

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_REFERRERS = re.compile(r"sha256-[0-9a-f]{64}(\..*)?")  # tags that hold attestations, not images
_MAX_TEXT = 320


@dataclasses.dataclass(frozen=True)
class RegistryEvent:
    """One push or deletion of a manifest. `tag` or `digest` may be empty, never both; sizes are not believed."""

    action: str
    repository: str
    tag: str
    digest: str
    subject: str
    client: str


def shared_secret(upload_secret: str) -> str:
    """Return what the registry shows when it tells of events; both sides derive it, and neither keeps another key."""
    return hmac.new(upload_secret.encode(), b"registry events", hashlib.sha256).hexdigest()


def read_events(document: Any) -> Iterator[RegistryEvent]:
    """Yield the pushes and deletions of manifests in a message; whatever else is in it is passed over."""
    events = document.get("events") if isinstance(document, Mapping) else None
    for event in events[:MAX_EVENTS] if isinstance(events, list) else ():
        found = _read(event) if isinstance(event, Mapping) else None
        if found is not None:
            yield found


def _read(event: Mapping[str, Any]) -> RegistryEvent | None:
    action, target = event.get("action"), _table(event, "target")
    repository, tag, digest = (_text(target, name) for name in ("repository", "tag", "digest"))
    if action not in {"push", "delete"} or not is_repository(repository):
        return None
    if action == "push" and target.get("mediaType") not in MANIFESTS:
        return None
    if (tag and (not is_tag(tag) or _REFERRERS.fullmatch(tag))) or (digest and not _DIGEST.fullmatch(digest)):
        return None
    if not tag and not digest:
        return None
    subject, client = _text(_table(event, "actor"), "name"), _text(_table(event, "request"), "useragent")
    return RegistryEvent(str(action), repository, tag, digest, subject, client)


def _table(of: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = of.get(name)
    return found if isinstance(found, Mapping) else {}


def _text(of: Mapping[str, Any], name: str) -> str:
    found = of.get(name)
    return found.replace("\0", "")[:_MAX_TEXT] if isinstance(found, str) else ""
