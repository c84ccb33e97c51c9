"""Record what was published to the registry."""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction

from imagefactory.domain.images import events
from imagefactory.domain.images.models import ImageVersion, Repository, Tag
from imagefactory.domain.projects.services import mark_published
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.clock import now
from imagefactory.kernel.outbox.emit import emit


@dataclasses.dataclass(frozen=True)
class Published:
    """One manifest as the registry has it."""

    path: str
    digest: str
    media_type: str
    size_bytes: int
    platforms: Sequence[str]
    config: Mapping[str, Any]
    layers: Sequence[Mapping[str, Any]]


def record_image(
    actor: Actor,
    *,
    tenant_id: uuid.UUID,
    project_id: uuid.UUID,
    published: Published,
    tags: Sequence[str],
    origin: Mapping[str, str],
) -> uuid.UUID:
    """Record that a digest is in the registry under these tags, and return the version's id. Safe to repeat."""
    moment = now()
    with transaction.atomic():
        repository = _repository(tenant_id, project_id, published.path, moment)
        fresh = {"pushed_at": moment, "origin": dict(origin), "pushed_by_name": actor.name[:200], "removed_at": None}
        version, _ = ImageVersion.objects.update_or_create(
            repository=repository,
            digest=published.digest,
            defaults=fresh,
            create_defaults=fresh | _described(published),
        )
        for tag in tags:
            _move(repository, tag, version, moment)
        _tell(actor, repository, version, list(tags))
    return version.id


def record_push(
    actor: Actor, *, tenant_id: uuid.UUID, project_id: uuid.UUID, published: Published, tag: str,
    origin: Mapping[str, str],
) -> bool:  # fmt: skip
    """Record a push that the registry told of; return whether it was news. A known digest keeps where it came from.

    Safe to repeat, and with several at once.
    """
    moment = now()
    with transaction.atomic():
        repository = _repository(tenant_id, project_id, published.path, None)
        fields = _described(published) | {
            "origin": dict(origin), "pushed_by_name": actor.name[:200], "pushed_at": moment,
        }  # fmt: skip
        version, news = ImageVersion.objects.get_or_create(
            repository=repository, digest=published.digest, defaults=fields
        )
        if version.removed_at is not None:
            ImageVersion.objects.filter(id=version.id).update(**fields, removed_at=None)
            news = True
        if tag and not Tag.objects.filter(repository=repository, name=tag, version=version).exists():
            _move(repository, tag, version, moment)
            news = True
        if news:
            Repository.objects.filter(id=repository.id).update(pushed_at=moment)
            _tell(actor, repository, version, [tag] if tag else [])
    return news


def record_removal(actor: Actor, *, path: str, tag: str = "", digest: str = "") -> bool:
    """Record that the registry has a tag, or a digest with all its tags, no more; return whether it was news.

    Safe to repeat.
    """
    with transaction.atomic():
        repository = Repository.objects.filter(path=path).first()
        if repository is None:
            return False
        tags = Tag.objects.filter(repository=repository)
        tags = tags.filter(name=tag) if tag else tags.filter(version__digest=digest)
        gone = list(tags.order_by("name").values_list("name", flat=True))
        tags.delete()
        marked = 0
        if digest:
            versions = ImageVersion.objects.filter(repository=repository, digest=digest, removed_at=None)
            marked = versions.update(removed_at=now())
        if gone or marked:
            emit(actor, events.ImageRemoved(repository.tenant_id, repository.project_id, path, digest, gone))
    return bool(gone or marked)


def _repository(tenant_id: uuid.UUID, project_id: uuid.UUID, path: str, moment: dt.datetime | None) -> Repository:
    made = {"tenant_id": tenant_id, "project_id": project_id, "pushed_at": moment or now()}
    touched = {"pushed_at": moment} if moment else {}
    mark_published(project_id)
    found, _ = Repository.objects.update_or_create(path=path, defaults=touched, create_defaults=made)
    if found.project_id != project_id:
        # Its project was deleted and another has the short name now; what the old one pushed is none of the new one's.
        Tag.objects.filter(repository=found).delete()
        ImageVersion.objects.filter(repository=found, removed_at=None).update(removed_at=now())
        Repository.objects.filter(id=found.id).update(project_id=project_id)
        found.refresh_from_db(fields=["project_id"])
    return found


def _described(published: Published) -> dict[str, Any]:
    return {
        "media_type": published.media_type, "size_bytes": published.size_bytes,
        "platforms": list(published.platforms), "config": dict(published.config),
        "layers": [dict(layer) for layer in published.layers],
    }  # fmt: skip


def _move(repository: Repository, tag: str, version: ImageVersion, moment: dt.datetime) -> None:
    Tag.objects.update_or_create(repository=repository, name=tag, defaults={"version": version, "moved_at": moment})


def _tell(actor: Actor, repository: Repository, version: ImageVersion, tags: list[str]) -> None:
    emit(
        actor,
        events.ImagePublished(
            repository.tenant_id, repository.project_id, repository.path, version.digest, tags, version.size_bytes,
            dict(version.origin),
        ),
    )  # fmt: skip


def remove_images(tenant_id: uuid.UUID, limit: int) -> int:
    """Remove the records of up to `limit` image versions of a tenant that is removed, and return how many rows went."""
    versions = list(ImageVersion.objects.filter(repository__tenant_id=tenant_id).values_list("id", flat=True)[:limit])
    if versions:
        return int(ImageVersion.objects.filter(id__in=versions).delete()[0])
    empty = list(Repository.objects.filter(tenant_id=tenant_id).values_list("id", flat=True)[:limit])
    return int(Repository.objects.filter(id__in=empty).delete()[0]) if empty else 0
