"""Record what was published to the registry."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction

from imagefactory.domain.images import events
from imagefactory.domain.images.models import ImageVersion, Repository, Tag
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
        repository, _ = Repository.objects.update_or_create(
            path=published.path,
            defaults={"pushed_at": moment},
            create_defaults={"tenant_id": tenant_id, "project_id": project_id, "pushed_at": moment},
        )
        version, _ = ImageVersion.objects.update_or_create(
            repository=repository,
            digest=published.digest,
            defaults={"pushed_at": moment, "origin": dict(origin), "pushed_by_name": actor.name[:200]},
            create_defaults={
                "media_type": published.media_type,
                "size_bytes": published.size_bytes,
                "platforms": list(published.platforms),
                "config": dict(published.config),
                "layers": [dict(layer) for layer in published.layers],
                "origin": dict(origin),
                "pushed_by_name": actor.name[:200],
                "pushed_at": moment,
            },
        )
        for tag in tags:
            Tag.objects.update_or_create(
                repository=repository, name=tag, defaults={"version": version, "moved_at": moment}
            )
        emit(
            actor,
            events.ImagePublished(
                tenant_id,
                project_id,
                published.path,
                published.digest,
                list(tags),
                published.size_bytes,
                dict(origin),
            ),
        )
    return version.id
