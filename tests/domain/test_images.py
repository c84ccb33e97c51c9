"""Images: recorded once a digest, tags move, and only those who see the project see them."""

from __future__ import annotations

import pytest

from imagefactory.domain.images import selectors
from imagefactory.domain.images.errors import ImageNotFound
from imagefactory.domain.images.models import ImageVersion, Repository
from imagefactory.domain.images.services import Published, record_image
from imagefactory.domain.projects.services import create_project, delete_project
from imagefactory.kernel.actor import system
from imagefactory.kernel.clock import now
from tests.conftest import World


def publish(world: World, digest: str = "0", tags: tuple[str, ...] = ("latest",)) -> str:
    path = f"{world.tenant_slug}/{world.project.slug}"
    made = Published(path, "sha256:" + digest * 64, "application/json", 7, ["linux/amd64"], {}, [])
    record_image(
        system("dispatcher"),
        tenant_id=world.tenant_id,
        project_id=world.project.id,
        published=made,
        tags=tags,
        origin={"kind": "build"},
    )
    return path


def test_a_digest_is_recorded_once_and_a_tag_moves_to_the_newest(world: World) -> None:
    for digest in ("0", "0", "1"):
        publish(world, digest)
    assert ImageVersion.objects.count() == 2
    viewer = world.actor("viewer")
    versions = selectors.list_versions(viewer, selectors.get_image(viewer, world.project.slug))
    assert [(v.digest[-1], list(v.tags)) for v in versions] == [("1", ["latest"]), ("0", [])]


def test_a_version_is_found_however_many_are_newer(world: World) -> None:
    publish(world, "0")
    oldest = ImageVersion.objects.get()
    ImageVersion.objects.bulk_create(
        ImageVersion(
            repository=oldest.repository, digest=f"sha256:{n:064x}", media_type="m", size_bytes=1, pushed_at=now()
        )
        for n in range(1, 102)
    )  # fmt: skip
    viewer = world.actor("viewer")
    image = selectors.get_image(viewer, world.project.slug)
    assert oldest.digest not in {v.digest for v in selectors.list_versions(viewer, image)}
    found = selectors.get_version(viewer, image, oldest.digest)
    assert (found.digest, list(found.tags)) == (oldest.digest, ["latest"])
    for actor, digest in ((viewer, "sha256:" + "f" * 64), (world.actor("stranger"), oldest.digest)):
        with pytest.raises(ImageNotFound):
            selectors.get_version(actor, image, digest)


def test_images_are_seen_by_those_who_see_their_project_and_by_nobody_else(world: World) -> None:
    path = publish(world)
    for role in ("owner", "admin", "member", "viewer"):
        assert [i.path for i in selectors.list_images(world.actor(role))[0]] == [path]
    stranger = world.actor("stranger")
    assert selectors.list_images(stranger)[0] == []
    for name in (path, world.project.slug):
        with pytest.raises(ImageNotFound):
            selectors.get_image(stranger, name)


def test_a_member_of_one_project_does_not_see_the_images_of_another(world: World) -> None:
    publish(world)
    other = create_project(world.actor("owner"), name="Other")
    Repository.objects.update(project_id=other.id)
    assert selectors.list_images(world.actor("member"))[0] == []
    assert len(selectors.list_images(world.actor("owner"))[0]) == 1


def test_images_of_a_deleted_project_are_gone_for_everyone(world: World) -> None:
    path = publish(world)
    owner = world.actor("owner")
    assert selectors.registry_access(owner, path) == {"pull", "push"}
    delete_project(owner, world.project.id, confirm=world.project.slug)
    assert selectors.list_images(owner)[0] == []
    assert selectors.registry_access(owner, path) == frozenset()


@pytest.mark.parametrize(
    ("role", "own", "library"),
    [
        ("owner", {"pull", "push"}, {"pull"}),
        ("member", {"pull", "push"}, {"pull"}),
        ("viewer", {"pull"}, {"pull"}),
        ("stranger", set(), {"pull"}),
    ],
)
def test_the_registry_gives_a_role_what_it_may(world: World, role: str, own: set[str], library: set[str]) -> None:
    actor, path = world.actor(role), f"{world.tenant_slug}/{world.project.slug}"
    assert selectors.registry_access(actor, path) == own
    assert selectors.registry_access(actor, f"{path}/worker") == own
    assert selectors.registry_access(actor, "library/debian") == library
    for nothing in (world.tenant_slug, f"{world.tenant_slug}/", f"{world.tenant_slug}/never-was", ""):
        assert selectors.registry_access(actor, nothing) == frozenset()
