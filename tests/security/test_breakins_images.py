"""Break-ins through images: what a deleted project left behind under its short name."""

from __future__ import annotations

from imagefactory.domain.images.selectors import get_image, list_images, list_versions
from imagefactory.domain.images.services import Published, record_image, record_push
from imagefactory.domain.projects.services import create_project, delete_project
from imagefactory.kernel.actor import Actor
from tests.conftest import World

OLD, NEW = "sha256:" + "1" * 64, "sha256:" + "2" * 64


def _published(world: World, digest: str) -> Published:
    path = f"{world.tenant_slug}/{world.project.slug}"
    return Published(path, digest, "application/json", 1, ["linux/amd64"], {}, [])


def test_a_new_project_shows_its_own_images_and_none_of_the_deleted_one_of_its_name(
    world: World, dispatcher: Actor
) -> None:
    owner, slug = world.actor("owner"), world.project.slug
    ids = {"tenant_id": world.tenant_id, "project_id": world.project.id}
    record_image(dispatcher, **ids, published=_published(world, OLD), tags=["latest", "old"], origin={})
    assert [v.digest for v in list_versions(owner, get_image(owner, slug))] == [OLD]
    delete_project(owner, world.project.id, confirm=slug)
    ids["project_id"] = create_project(owner, name="Again", slug=slug).id
    assert list_images(owner)[0] == []
    record_image(dispatcher, **ids, published=_published(world, NEW), tags=["latest"], origin={})
    [image], _ = list_images(owner, project_id=ids["project_id"])
    assert [(v.digest, v.tags) for v in list_versions(owner, image)] == [(NEW, ["latest"])]
    assert record_push(dispatcher, **ids, published=_published(world, OLD), tag="mine", origin={})
    assert {v.digest: v.tags for v in list_versions(owner, image)} == {NEW: ["latest"], OLD: ["mine"]}
