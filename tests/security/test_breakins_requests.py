"""Break-ins through the form of a request: answers that caches keep, and values that make a page fall over."""

from __future__ import annotations

import pytest
from django.test import Client

from imagefactory.domain.builds.services.dry_run import dry_run
from imagefactory.domain.identity.models import User
from imagefactory.entry.stream.live import LiveHub
from tests.conftest import INLINE, World, make_world
from tests.security.scene import make_scene


def signed_in(world: World) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.get(id=world.users["owner"]))
    return client


def test_no_cache_keeps_what_was_answered_to_one_person(db: None) -> None:
    scene = make_scene()
    client, build = signed_in(scene.world), scene.names["build_id"]
    base = f"/t/{scene.world.tenant_slug}/p/{scene.world.project.slug}/builds/1"
    pages = ["/login", "/signup", "/tenants/new", "/me/keys", base, f"{base}/log/raw", f"{base}/log/download"]
    routes = ["/api/v1/auth/me", "/api/v1/builds", f"/api/v1/builds/{build}/logs/raw", "/api/v1/api-keys"]
    kept = {path: client.get(path).headers.get("Cache-Control") for path in pages + routes}
    assert kept == dict.fromkeys(pages + routes, "no-store")


@pytest.mark.committed
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("address", ["/palette?tenant=%00", "/me/profile?tenant=%00"])
def test_a_value_that_cannot_be_stored_is_refused_with_a_sentence(address: str) -> None:
    answer = signed_in(make_world()).get(address)
    assert answer.status_code == 400
    assert "cannot be stored" in answer.content.decode()


def test_a_moment_before_all_time_is_the_end_of_a_list(world: World) -> None:
    after = "0001-01-01T00:00:00%2B23:00|01a21254-ed4d-743a-bf5b-4e0e8f4006be"
    assert signed_in(world).get(f"/t/{world.tenant_slug}/images?after={after}").status_code == 200


@pytest.mark.parametrize("number", ["²", "9" * 5000])
def test_what_looks_like_a_number_and_is_none_is_refused(world: World, number: str) -> None:
    client = signed_in(world)
    assert client.post("/me/keys", {"name": "mine", "days": number}).status_code == 422
    settings = f"/t/{world.tenant_slug}/p/{world.project.slug}/settings"
    form = {"name": "Checkout", "description": "", "version": number}
    assert client.post(settings, form).status_code == 302  # as a form without a version
    assert LiveHub().position(number) is None


def test_a_stage_number_in_a_dockerfile_that_is_none_is_refused_with_its_line(world: World) -> None:
    asked = INLINE | {"dockerfile": {"inline": "FROM scratch\nCOPY --from=² hello /hello\n"}}
    found = dry_run(world.actor("member"), world.project.id, asked)
    assert not found.ok
    assert any("²" in check.message for check in found.checks)
