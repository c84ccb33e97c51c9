"""Break-ins through images: what a deleted project left behind under its short name."""

from __future__ import annotations

import pytest

from imagefactory.domain.images.selectors import get_image, list_versions, registry_access
from imagefactory.domain.images.services import Published, record_image, record_push
from imagefactory.domain.projects.services import create_project, delete_project
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.errors import ValidationFailed
from tests.conftest import World

OLD, NEW = "sha256:" + "1" * 64, "sha256:" + "2" * 64


def _published(world: World, digest: str) -> Published:
    path = f"{world.tenant_slug}/{world.project.slug}"
    return Published(path, digest, "application/json", 1, ["linux/amd64"], {}, [])


def test_the_short_name_of_a_deleted_project_with_images_is_not_given_out_again(
    world: World, dispatcher: Actor
) -> None:
    owner, slug = world.actor("owner"), world.project.slug
    ids = {"tenant_id": world.tenant_id, "project_id": world.project.id}
    record_image(dispatcher, **ids, published=_published(world, OLD), tags=["latest", "old"], origin={})
    assert [v.digest for v in list_versions(owner, get_image(owner, slug))] == [OLD]
    assert "pull" in registry_access(owner, f"{world.tenant_slug}/{slug}")
    delete_project(owner, world.project.id, confirm=slug)
    assert registry_access(owner, f"{world.tenant_slug}/{slug}") == frozenset()
    with pytest.raises(ValidationFailed) as refused:
        create_project(owner, name="Again", slug=slug)
    assert "belonged to a project that was deleted" in refused.value.fields["slug"][0]
    assert registry_access(owner, f"{world.tenant_slug}/{slug}") == frozenset()


def test_a_deleted_project_that_never_had_an_image_gives_its_short_name_back(world: World) -> None:
    owner, slug = world.actor("owner"), world.project.slug
    delete_project(owner, world.project.id, confirm=slug)
    assert create_project(owner, name="Again", slug=slug).slug == slug


def test_a_push_holds_the_short_name_as_a_build_does(world: World, dispatcher: Actor) -> None:
    owner, slug = world.actor("owner"), world.project.slug
    ids = {"tenant_id": world.tenant_id, "project_id": world.project.id}
    assert record_push(dispatcher, **ids, published=_published(world, NEW), tag="mine", origin={})
    delete_project(owner, world.project.id, confirm=slug)
    with pytest.raises(ValidationFailed):
        create_project(owner, name="Again", slug=slug)
