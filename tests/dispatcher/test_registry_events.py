"""A push by hand becomes an image of the factory: real registry, real tokens, real events, skopeo."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.db import connections
from django.test import Client

from imagefactory.adapters.registries.events import PATH, shared_secret
from imagefactory.adapters.registries.tokens import Access
from imagefactory.domain.builds.services.submit import submit_build
from imagefactory.domain.images import selectors
from imagefactory.domain.images.models import ImageVersion
from imagefactory.domain.images.selectors import ImageView
from imagefactory.domain.images.services import Published, record_push
from imagefactory.entry.http.registry import issuer
from imagefactory.entry.http.registry_events import upload_secret
from imagefactory.executors.fake import FakeExecutor, write_layout
from imagefactory.kernel import env
from imagefactory.kernel.actor import system
from imagefactory.kernel.outbox.models import OutboxEvent
from tests.conftest import World, make_world
from tests.dispatcher.parts import ended
from tests.dispatcher.waiting import wait_for

pytestmark = [pytest.mark.real, pytest.mark.committed, pytest.mark.django_db(transaction=True)]


def path_of(world: World) -> str:
    return f"{world.tenant_slug}/{world.project.slug}"


def push(world: World, role: str, layout: Path, path: str, tag: str) -> subprocess.CompletedProcess[str]:
    """Push a layout as a person does: skopeo, any user name, an API key."""
    return subprocess.run(
        ["skopeo", "--insecure-policy", "copy", "--dest-tls-verify=false", f"--dest-creds=x:{world.token(role)}",
         f"oci:{layout}:latest", f"docker://{env.get().host}/{path}:{tag}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def layout(place: Path, unique: str) -> tuple[Path, str]:
    """Return an image that no other has the digest of, and its digest."""
    write_layout(place / unique, unique)
    return place / unique, str(json.loads((place / unique / "index.json").read_text())["manifests"][0]["digest"])


def image(world: World, name: str = "") -> ImageView | None:
    found, _ = selectors.list_images(world.actor("viewer"))
    return next((i for i in found if i.path == path_of(world) + name), None)


def latest(world: World, digest: str, *tags: str) -> Any:
    """Wait until the newest version is this one with these tags."""

    def look() -> selectors.VersionView | None:
        found = image(world)
        version = found.latest if found else None
        return version if version and version.digest == digest and set(version.tags) == set(tags) else None

    return wait_for(look, 30)


def tell(*events: Any, secret: str | None = None, raw: bytes | None = None) -> Any:
    shown = shared_secret(upload_secret()) if secret is None else secret
    body = json.dumps({"events": events}).encode() if raw is None else raw
    headers = {"Authorization": f"Bearer {shown}"} if shown else {}
    return Client(raise_request_exception=False).post(PATH, body, content_type="application/json", headers=headers)


def event(path: str, digest: str, tag: str = "latest", action: str = "push", **more: Any) -> dict[str, Any]:
    kind = "application/vnd.oci.image.manifest.v1+json"
    target = {"repository": path, "digest": digest, "tag": tag, "mediaType": kind, "size": 10**15}
    return {"action": action, "target": target, "actor": {"name": "x/nobody@example.com"}, **more}


def test_what_a_member_pushes_is_an_image_with_their_name_and_a_moved_tag_moves(registry: str, tmp_path: Path) -> None:
    world = make_world()
    first, one = layout(tmp_path, "one")
    assert push(world, "member", first, path_of(world), "v1").returncode == 0
    version = latest(world, one, "v1")
    assert (version.pushed_by_name, version.origin["kind"], version.platforms) == ("Member", "push", ["linux/amd64"])
    assert version.origin["by"] == world.actor("member").email
    assert version.config["Labels"] == {"execution": "one"}
    assert version.size_bytes < 10_000
    assert push(world, "admin", first, path_of(world), "stable").returncode == 0
    assert latest(world, one, "v1", "stable").pushed_by_name == "Member"
    second, two = layout(tmp_path, "two")
    assert push(world, "admin", second, path_of(world), "v1").returncode == 0
    assert latest(world, two, "v1").pushed_by_name == "Admin"
    found = image(world)
    assert found is not None
    versions = selectors.list_versions(world.actor("viewer"), found)
    assert [(v.digest, list(v.tags)) for v in versions] == [(two, ["v1"]), (one, ["stable"])]
    assert push(world, "member", first, path_of(world) + "/worker", "v1").returncode == 0
    wait_for(lambda: image(world, "/worker"), 30)
    told = OutboxEvent.objects.filter(type="image.published", tenant_id=world.tenant_id).order_by("id")
    assert [e.actor_name for e in told] == ["Member", "Admin", "Admin", "Member"]
    assert selectors.list_images(world.actor("stranger"))[0] == []


def test_a_viewers_push_is_refused_and_leaves_nothing(registry: str, tmp_path: Path) -> None:
    world = make_world()
    place, digest = layout(tmp_path, "one")
    refused = push(world, "viewer", place, path_of(world), "v1")
    assert refused.returncode != 0
    assert "denied" in refused.stderr
    assert push(world, "stranger", place, path_of(world), "v1").returncode != 0
    # A later push that is allowed passes through the same queue of events: nothing came before it.
    assert push(world, "owner", place, path_of(world), "v2").returncode == 0
    latest(world, digest, "v2")


@pytest.mark.parametrize("secret", ["", "wrong", "é"])
def test_who_does_not_know_the_secret_finds_nothing_there(world: World, secret: str) -> None:
    answer = tell(event(path_of(world), "sha256:" + "0" * 64), secret=secret)
    nowhere = Client(raise_request_exception=False).post("/internal/nowhere-at-all", b"{}", "application/json")
    assert (answer.status_code, nowhere.status_code) == (404, 404)
    assert Client().get(PATH, headers={"Authorization": f"Bearer {shared_secret(upload_secret())}"}).status_code == 404
    assert ImageVersion.objects.count() == 0


def test_an_event_is_only_a_hint_and_the_registry_is_the_truth(registry: str, tmp_path: Path) -> None:
    world = make_world()
    place, digest = layout(tmp_path, "one")
    lie = "sha256:" + "1" * 64
    assert tell(event(path_of(world), lie)).status_code == 202
    assert image(world) is None
    assert push(world, "member", place, path_of(world), "v1").returncode == 0
    latest(world, digest, "v1")
    # The digest is there, the tag is not, the size is nonsense: nothing changes, however often it is told.
    for told in (
        event(path_of(world), digest, "v9"),
        event(path_of(world), lie, "v1"),
        event(path_of(world), digest, "v1"),
    ):
        assert [tell(told).status_code for _ in range(2)] == [202, 202]
    assert latest(world, digest, "v1").size_bytes < 10_000
    assert tell(event(path_of(world), digest, "v1", "delete")).status_code == 202
    latest(world, digest, "v1")
    assert OutboxEvent.objects.filter(type__startswith="image.", tenant_id=world.tenant_id).count() == 1


@pytest.mark.parametrize("raw", [b"", b"nonsense", b"[]", b"[" * 100_000, b'{"events": [1, {"action": "push"}, null]}'])
def test_a_message_that_nobody_can_use_does_not_hold_up_the_next(world: World, raw: bytes) -> None:
    assert tell(raw=raw).status_code == 202


def test_a_registry_that_is_away_is_asked_again_later(world: World) -> None:
    answer = tell(event(path_of(world), "sha256:" + "0" * 64))
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "unavailable"


def test_what_a_build_pushed_stays_the_builds_and_is_one_version(
    registry: str, hosts: Callable[..., Any], fake: FakeExecutor, tmp_path: Path
) -> None:
    world = make_world()
    hosts(fake)
    asked = {"source": {"kind": "inline", "files": {"hello": "hi"}},
             "dockerfile": {"inline": "FROM scratch\nCOPY hello /x\n"}}  # fmt: skip
    done = ended(world, submit_build(world.actor("member"), world.project.id, asked).id)
    digest = done.image["digest"]
    copied = tmp_path / "copied"
    key = world.token("member")
    subprocess.run(
        ["skopeo", "--insecure-policy", "copy", "--src-tls-verify=false", f"--src-creds=x:{key}",
         f"docker://{done.image['reference']}@{digest}", f"oci:{copied}:latest"],
        check=True, capture_output=True,
    )  # fmt: skip
    assert push(world, "admin", copied, path_of(world), "by-hand").returncode == 0
    version = latest(world, digest, "latest", "by-hand")
    assert (version.origin["kind"], version.pushed_by_name) == ("build", "Member")
    assert ImageVersion.objects.filter(repository__path=path_of(world)).count() == 1


def test_a_deleted_image_loses_its_tags_and_a_new_push_brings_it_back(registry: str, tmp_path: Path) -> None:
    world = make_world()
    place, digest = layout(tmp_path, "one")
    assert push(world, "member", place, path_of(world), "v1").returncode == 0
    latest(world, digest, "v1")
    token = issuer().issue("test", [Access("repository", path_of(world), ("delete", "pull"))])["token"]
    gone = httpx.delete(
        f"{registry}/v2/{path_of(world)}/manifests/{digest}", headers={"Authorization": f"Bearer {token}"}
    )
    assert gone.status_code == 202
    wait_for(lambda: (found := image(world)) is not None and found.latest is None, 30)
    assert push(world, "member", place, path_of(world), "v2").returncode == 0
    latest(world, digest, "v2")


def test_the_same_push_told_by_several_at_once_is_one_version(world: World) -> None:
    made = Published(path_of(world), "sha256:" + "7" * 64, "application/json", 7, ["linux/amd64"], {}, [])
    ready = threading.Barrier(6)

    def record(_: int) -> bool:
        ready.wait()
        try:
            return record_push(
                system("test"), tenant_id=world.tenant_id, project_id=world.project.id, published=made, tag="v1",
                origin={"kind": "push"},
            )  # fmt: skip
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        news = list(pool.map(record, range(6)))
    assert any(news)
    assert ImageVersion.objects.filter(repository__path=path_of(world)).count() == 1
    found = image(world)
    assert found is not None
    assert found.latest is not None
    assert found.latest.tags == ["v1"]
