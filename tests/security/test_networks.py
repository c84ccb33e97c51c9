"""From where a tenant takes requests: pages, API, live views and registry tokens, behind the front door."""

from __future__ import annotations

import base64
import dataclasses
import json
from typing import Any

import pytest
from django.test import Client

from imagefactory.domain.identity import selectors, services
from imagefactory.domain.identity.models import IpList, User
from imagefactory.domain.identity.selectors.ip_lists import is_within, read_network
from imagefactory.kernel.actor import Actor, system
from imagefactory.kernel.errors import Conflict, PermissionDenied, ValidationFailed
from imagefactory.kernel.outbox.models import OutboxEvent
from tests.conftest import World

INSIDE, OUTSIDE = "192.0.2.10", "198.51.100.7"


def at(world: World, role: str = "owner", address: str = INSIDE) -> Actor:
    return dataclasses.replace(world.actor(role), address=address)


def save(world: World, *networks: str, sessions: bool = False, **more: Any) -> None:
    pairs = [(n, "") for n in networks or ("192.0.2.0/24",)]
    services.set_ip_list(at(world), networks=pairs, for_sessions=sessions, **more)


def ask(path: str, address: str, *, key: str = "", basic: bool = False, user: Any = None, **more: str) -> Any:
    client = Client(raise_request_exception=False)
    if user is not None:
        client.force_login(User.objects.get(id=user))
    scheme = "Basic " + base64.b64encode(f"x:{key}".encode()).decode() if basic else f"Bearer {key}"
    headers = {"X-Forwarded-For": address, **({"Authorization": scheme} if key else {}), **more}
    return client.get(path, headers=headers)


def test_a_key_is_refused_from_elsewhere_at_every_door_with_the_address_and_whom_to_ask(world: World) -> None:
    _, key = services.create_api_key(world.actor("member"), name="x")
    save(world)
    for path, basic in (("/api/v1/projects", False), ("/registry/token?scope=repository:a/b:pull", True),
                        ("/internal/stream-grant?path=/live", False)):  # fmt: skip
        assert ask(path, INSIDE, key=key, basic=basic).status_code == 200
        refused = ask(path, OUTSIDE, key=key, basic=basic)
        error = refused.json()["error"]
        assert (refused.status_code, error["code"]) == (403, "address_not_allowed")
        assert OUTSIDE in error["message"]
        assert "owner of the team" in error["message"]


def test_people_are_held_to_it_only_when_the_list_says_so(world: World) -> None:
    page, user = f"/t/{world.tenant_slug}/", world.users["viewer"]
    save(world)
    assert ask(page, OUTSIDE, user=user).status_code == 200
    save(world, sessions=True)
    refused = ask(page, OUTSIDE, user=user)
    assert refused.status_code == 403
    assert OUTSIDE in refused.content.decode()
    assert ask(page, INSIDE, user=user).status_code == 200
    tenant: dict[str, Any] = {"X-Tenant-ID": world.tenant_slug}
    access = services.open_session(world.actor("viewer"), user).access
    assert ask("/api/v1/projects", OUTSIDE, key=access, **tenant).status_code == 403


def test_only_what_the_front_door_wrote_counts(world: World) -> None:
    _, key = services.create_api_key(world.actor("member"), name="x")
    save(world)
    assert ask("/api/v1/projects", f"{INSIDE}, {OUTSIDE}", key=key).status_code == 403
    assert ask("/api/v1/projects", f"{OUTSIDE}, {INSIDE}", key=key).status_code == 200
    assert ask("/api/v1/projects", "not an address", key=key).status_code == 403
    assert Client(REMOTE_ADDR="").get("/api/v1/projects", headers={"Authorization": f"Bearer {key}"}).status_code == 403


def test_a_live_view_of_somebody_in_two_teams_leaves_the_closed_one_out(world: World) -> None:
    save(world, sessions=True)
    topic = f"tenant:{world.tenant_id}"
    path, user = f"/internal/stream-grant?path=/live?topics={topic}", world.users["owner"]
    services.create_tenant(world.actor("owner"), name="Second", slug="second-team")
    assert ask(path, INSIDE, user=user).json()["topics"] == [topic]
    assert ask(path, OUTSIDE, user=user).json()["topics"] == []


@pytest.mark.parametrize(
    ("network", "address", "inside"),
    [("192.0.2.0/24", "::ffff:192.0.2.9", True), ("::ffff:192.0.2.0/120", "192.0.2.9", True),
     ("192.0.2.7", "192.0.2.7", True), ("192.0.2.7", "192.0.2.8", False), ("2001:db8::/32", "2001:db8::1", True),
     ("2001:db8::/32", "2001:db9::1", False), ("0.0.0.0/0", "2001:db8::1", False), ("::/0", "192.0.2.1", False),
     ("fe80::/10", "fe80::1%eth0", True), ("192.0.2.0/24", "", False), ("192.0.2.0/24", "192.0.2.01", False)],
)  # fmt: skip
def test_addresses_of_both_families_and_their_mixtures(network: str, address: str, inside: bool) -> None:
    assert is_within(address, [{"cidr": str(read_network(network)), "note": ""}]) is inside


@pytest.mark.parametrize(
    "text", ["", "everywhere", "192.0.2.0/33", "192.0.2.1/24", "300.0.0.1", "2001:db8::/129", "192.0.2.0/24x", "\0"]
)
def test_what_is_no_network_is_named_and_nothing_is_saved(world: World, text: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        services.set_ip_list(at(world), networks=[(text, ""), ("192.0.2.0/24", "")], for_sessions=False)
    assert len(refused.value.fields["networks"]) == 1
    assert IpList.objects.count() == 0


def test_the_list_is_bounded_and_names_nothing_twice(world: World) -> None:
    many = [(f"10.0.{i}.0/24", "") for i in range(101)]
    for networks in (many, [("192.0.2.7", ""), ("192.0.2.7/32", "")], [("192.0.2.7", "x" * 121)]):
        with pytest.raises(ValidationFailed):
            services.set_ip_list(at(world), networks=networks, for_sessions=False)
    save(world, "192.0.2.0/24", *(cidr for cidr, _ in many[:99]))


def test_nobody_shuts_themselves_out_and_keys_only_when_confirmed(world: World) -> None:
    for more in ({"sessions": True}, {"sessions": True, "confirmed": True}):
        with pytest.raises(ValidationFailed, match="correct"):
            save(world, "10.0.0.0/8", **more)
    with pytest.raises(ValidationFailed) as refused:
        save(world, "10.0.0.0/8")
    assert set(refused.value.fields) == {"confirmed"}
    assert INSIDE in refused.value.fields["confirmed"][0]
    save(world, "10.0.0.0/8", confirmed=True)
    assert selectors.ip_list(at(world)).networks == [{"cidr": "10.0.0.0/8", "note": ""}]


def test_two_who_change_it_at_once_do_not_overwrite_each_other(world: World) -> None:
    save(world, if_version=0)
    with pytest.raises(Conflict):
        save(world, "192.0.2.0/25", if_version=0)
    save(world, "192.0.2.0/25", if_version=1)
    told = [e.payload for e in OutboxEvent.objects.filter(type="tenant.ip_list_changed").order_by("seq")]
    assert told[1]["before"]["networks"] == told[0]["after"]["networks"] == [{"cidr": "192.0.2.0/24", "note": ""}]


def test_only_owners_change_it_and_only_administrators_clear_another_teams(world: World) -> None:
    for role in ("admin", "member", "viewer"):
        with pytest.raises(PermissionDenied):
            services.set_ip_list(at(world, role), networks=[], for_sessions=False)
        with pytest.raises(PermissionDenied):
            services.clear_ip_list(at(world, role), world.tenant_slug)
    save(world, sessions=True)
    boss = dataclasses.replace(at(world, "stranger"), system_roles=frozenset({"administrator"}))
    services.clear_ip_list(boss, world.tenant_slug)
    services.clear_ip_list(system("cli"), str(world.tenant_id))
    assert ask(f"/t/{world.tenant_slug}/", OUTSIDE, user=world.users["owner"]).status_code == 200
    assert OutboxEvent.objects.filter(type="tenant.ip_list_changed").count() == 2


def test_the_page_keeps_what_was_typed_and_takes_it_when_confirmed(world: World) -> None:
    browser, page = Client(), f"/t/{world.tenant_slug}/settings/network"
    browser.force_login(User.objects.get(id=world.users["owner"]))
    form = {"networks": "10.0.0.0/8 office\n\n2001:db8::/32\tdata centre\n", "version": "0"}
    refused = browser.post(page, form)
    assert refused.status_code == 422
    assert "10.0.0.0/8 office" in refused.content.decode()
    assert 'name="confirmed"' in refused.content.decode()
    assert browser.post(page, form | {"confirmed": "1"}).status_code == 302
    assert [n["note"] for n in IpList.objects.get().networks] == ["office", "data centre"]
    stale = browser.post(page, form | {"networks": "", "confirmed": "1"})
    assert (stale.status_code, "Someone changed the list" in stale.content.decode()) == (422, True)


def test_through_the_api_with_if_match(world: World) -> None:
    token = services.open_session(world.actor("owner"), world.users["owner"]).access
    headers = {"Authorization": f"Bearer {token}"}
    body = json.dumps({"networks": [{"cidr": "127.0.0.1", "note": "me"}], "for_sessions": True})

    def put(etag: str) -> Any:
        return Client(raise_request_exception=False).put(
            "/api/v1/tenants/current/network", body, "application/json", headers=headers | {"If-Match": etag}
        )

    assert [put(etag).status_code for etag in ('"0"', '"0"', "x")] == [200, 409, 400]
    found = Client().get("/api/v1/tenants/current/network", headers=headers)
    assert (found["ETag"], found.json()["networks"]) == ('"1"', [{"cidr": "127.0.0.1/32", "note": "me"}])
