"""Read images, within what the actor may see."""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.db.models import Q

from imagefactory.domain.identity.selectors import require_tenant
from imagefactory.domain.images.errors import ImageNotFound
from imagefactory.domain.images.models import ImageVersion, Repository, Tag
from imagefactory.domain.images.policies import registry_actions, write_refusal
from imagefactory.domain.projects.errors import ProjectNotFound
from imagefactory.domain.projects.selectors import get_project
from imagefactory.kernel import env
from imagefactory.kernel.actor import Actor, ActorKind
from imagefactory.kernel.authorize import Verdict
from imagefactory.kernel.reference import LIBRARY


@dataclasses.dataclass(frozen=True)
class VersionView:
    """One digest of an image."""

    id: uuid.UUID
    digest: str
    media_type: str
    size_bytes: int
    platforms: Sequence[str]
    tags: Sequence[str]
    config: Mapping[str, Any]
    layers: Sequence[Mapping[str, Any]]
    origin: Mapping[str, str]
    pushed_by_name: str
    pushed_at: dt.datetime


@dataclasses.dataclass(frozen=True)
class ImageView:
    """A repository with its newest version."""

    id: uuid.UUID
    project_id: uuid.UUID
    path: str
    name: str
    reference: str
    pushed_at: dt.datetime
    latest: VersionView | None


def _versions(
    repository_ids: Sequence[uuid.UUID], *, newest_only: bool, limit: int
) -> dict[uuid.UUID, list[VersionView]]:
    rows = ImageVersion.objects.filter(repository_id__in=repository_ids, removed_at=None)
    if newest_only:
        rows = rows.order_by("repository_id", "-pushed_at", "-id").distinct("repository_id")
    else:
        rows = rows.order_by("-pushed_at", "-id")[:limit]
    return _views(list(rows))


def _views(found: Sequence[ImageVersion]) -> dict[uuid.UUID, list[VersionView]]:
    """Return versions as they are shown, by repository and in the order given, with their tags in one query."""
    tags: dict[uuid.UUID, list[str]] = {}
    for version_id, name in (
        Tag.objects.filter(version_id__in=[v.id for v in found]).order_by("name").values_list("version_id", "name")
    ):
        tags.setdefault(version_id, []).append(name)
    result: dict[uuid.UUID, list[VersionView]] = {}
    for v in found:
        result.setdefault(v.repository_id, []).append(
            VersionView(
                v.id,
                v.digest,
                v.media_type,
                v.size_bytes,
                v.platforms,
                tags.get(v.id, []),
                v.config,
                v.layers,
                v.origin,
                v.pushed_by_name,
                v.pushed_at,
            )
        )
    return result


def _view(repository: Repository, latest: VersionView | None) -> ImageView:
    name = repository.path.partition("/")[2]
    reference = f"{env.get().host}/{repository.path}"
    return ImageView(
        repository.id, repository.project_id, repository.path, name, reference, repository.pushed_at, latest
    )


def list_images(
    actor: Actor, *, project_id: uuid.UUID | None = None, search: str = "", after: str = "", limit: int = 50
) -> tuple[list[ImageView], str]:
    """Return images, last pushed first, and the cursor of the next page or an empty string."""
    require_tenant(actor)
    rows = Repository.objects.visible_to(actor)
    if project_id:
        rows = rows.filter(project_id=project_id)
    if search:
        rows = rows.filter(path__icontains=search[:100])
    if after:
        moment, _, last = after.rpartition("|")
        try:
            at, key = dt.datetime.fromisoformat(moment).astimezone(dt.UTC), uuid.UUID(last)
        except (ValueError, OverflowError):
            return [], ""
        rows = rows.filter(Q(pushed_at__lt=at) | Q(pushed_at=at, id__lt=key))
    page = list(rows.order_by("-pushed_at", "-id")[: limit + 1])
    cursor = f"{page[limit - 1].pushed_at.isoformat()}|{page[limit - 1].id}" if len(page) > limit else ""
    page = page[:limit]
    newest = _versions([r.id for r in page], newest_only=True, limit=limit)
    return [_view(r, next(iter(newest.get(r.id, [])), None)) for r in page], cursor


def get_image(actor: Actor, name: str) -> ImageView:
    """Return the image with this name (without the tenant) or path.

    Raises ImageNotFound, also for one that the actor may not see.
    """
    path = name if name.startswith(f"{actor.tenant_slug}/") else f"{actor.tenant_slug}/{name}"
    found = Repository.objects.visible_to(actor).filter(path=path).first()
    if found is None:
        raise ImageNotFound
    newest = _versions([found.id], newest_only=True, limit=1)
    return _view(found, next(iter(newest.get(found.id, [])), None))


def list_versions(actor: Actor, image: ImageView, limit: int = 100) -> list[VersionView]:
    """Return the newest versions of an image.

    Raises ImageNotFound for one that the actor may not see.
    """
    if not Repository.objects.visible_to(actor).filter(id=image.id).exists():
        raise ImageNotFound
    return _versions([image.id], newest_only=False, limit=limit).get(image.id, [])


def get_version(actor: Actor, image: ImageView, digest: str) -> VersionView:
    """Return the version of an image with this digest, however many are newer.

    Raises ImageNotFound.
    """
    visible = Repository.objects.visible_to(actor).filter(id=image.id)
    found = ImageVersion.objects.filter(repository__in=visible, digest=digest, removed_at=None)
    row = found.first()
    if row is None:
        raise ImageNotFound
    return _views([row])[row.repository_id][0]


def count_all_images(actor: Actor) -> int:
    """Return how many images the actor may see."""
    return Repository.objects.visible_to(actor).count()


def count_images(actor: Actor, project_id: uuid.UUID) -> int:
    """Return how many images a project has."""
    return Repository.objects.visible_to(actor).filter(project_id=project_id).count()


def registry_access(actor: Actor, path: str) -> frozenset[str]:
    """Return the actions that this actor gets on the registry repository `path`."""
    tenant, _, rest = path.partition("/")
    if tenant == LIBRARY or actor.kind is ActorKind.SYSTEM:
        return registry_actions(actor, tenant, None)
    if not rest or tenant != actor.tenant_slug:
        return frozenset()
    slug = rest.split("/", 1)[0]
    try:
        project = get_project(actor, slug)
    except ProjectNotFound:
        return frozenset()
    if project.slug != slug:  # found by its id, which is another project's address if one is called like that
        return frozenset()
    return registry_actions(actor, tenant, project.id)


def may_read(actor: Actor, repository: str) -> bool:
    """Whether the actor may pull from this path of the registry now: the one decision about every read of it."""
    return "pull" in registry_access(actor, repository)


def may_write(actor: Actor, repository: str, actions: Sequence[str]) -> Verdict:
    """Whether the actor, who may read there, may do all of `actions` too (`push`, `delete`), or why not."""
    if set(actions) <= registry_access(actor, repository):
        return True
    return write_refusal(actor, repository)


def images_to_export(tenant_id: uuid.UUID) -> Iterator[dict[str, Any]]:
    """Yield what a tenant takes along of its images: each digest with its tags and the command that pulls it."""
    rows = ImageVersion.objects.filter(
        repository__tenant_id=tenant_id, removed_at=None, repository__project__deleted_at=None
    )
    tags: dict[uuid.UUID, list[str]] = {}
    for version_id, name in Tag.objects.filter(repository__tenant_id=tenant_id).values_list("version_id", "name"):
        tags.setdefault(version_id, []).append(name)
    for v in rows.select_related("repository").order_by("repository__path", "pushed_at").iterator(chunk_size=500):
        reference = f"{env.get().host}/{v.repository.path}@{v.digest}"
        yield {
            "repository": v.repository.path, "digest": v.digest, "tags": sorted(tags.get(v.id, [])),
            "size_bytes": v.size_bytes, "platforms": v.platforms, "origin": v.origin, "pushed_at": v.pushed_at,
            "pushed_by": v.pushed_by_name, "pull": f"docker pull {reference}",
        }  # fmt: skip
