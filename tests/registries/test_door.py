"""What was taken away is refused with the next request to the registry, by a token that was given before: real registry,
real front door, skopeo.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from imagefactory.domain.identity import services as people
from imagefactory.domain.identity.models import IpList, Membership, Tenant
from imagefactory.domain.identity.permissions import Permission, Role
from imagefactory.domain.identity.states import TenantState
from imagefactory.domain.projects.services import create_project
from imagefactory.executors.fake import write_layout
from imagefactory.kernel import env
from imagefactory.kernel.actor import system
from tests.conftest import World, make_world
from tests.registries import door

pytestmark = [pytest.mark.real, pytest.mark.committed, pytest.mark.django_db(transaction=True)]


@dataclasses.dataclass
class Stand:
    """A world whose project has the image `latest` in the registry."""

    world: World
    layout: Path
    place: Path

    @property
    def repository(self) -> str:
        return f"{self.world.tenant_slug}/{self.world.project.slug}"

    @property
    def reference(self) -> str:
        return f"{env.get().host}/{self.repository}"

    def client(self, role: str = "member", **key: Any) -> door.Client:
        return door.Client(self.key(role, **key), self.repository)

    def key(self, role: str = "member", **more: Any) -> str:
        return people.create_api_key(self.world.actor(role), name="test", **more)[1]


@pytest.fixture
def stand(live_server: Any, tmp_path: Path) -> Iterator[Stand]:
    world, layout = make_world(), tmp_path / "layout"
    write_layout(layout, "one")
    with door.standing(tmp_path / "site", live_server.url.removeprefix("http://")):
        made = Stand(world, layout, tmp_path)
        pushed = door.push(made.key(), layout, f"{made.reference}:latest")
        assert pushed.returncode == 0, pushed.stderr
        yield made


def test_a_key_pulls_and_pushes_until_it_is_revoked_and_then_its_token_opens_nothing(stand: Stand) -> None:
    key, text = people.create_api_key(stand.world.actor("member"), name="laptop")
    assert door.pull(text, f"{stand.reference}:latest", stand.place / "one").returncode == 0
    client = door.Client(text, stand.repository)
    assert (client.pull(), client.begin_push().status_code) == (200, 202)
    people.revoke_api_key(stand.world.actor("member"), key.id)
    refused = client.ask("GET", "manifests/latest")
    assert refused.status_code == 401
    assert "revoked" in door.message(refused)
    assert 'error="invalid_token"' in refused.headers["www-authenticate"]
    assert client.begin_push().status_code == 401
    assert door.pull(text, f"{stand.reference}:latest", stand.place / "two").returncode != 0


def _leave(stand: Stand) -> None:
    Membership.objects.filter(tenant_id=stand.world.tenant_id, user_id=stand.world.users["member"]).delete()


def _lose_role(stand: Stand) -> None:
    people.set_project_role(stand.world.actor("owner"), stand.world.users["member"], stand.world.project.id, None)


@pytest.mark.parametrize("change", [_leave, _lose_role], ids=["removed from the team", "role taken"])
def test_who_is_removed_pulls_nothing_more_by_an_old_token(stand: Stand, change: Callable[[Stand], None]) -> None:
    client = stand.client()
    assert client.pull() == 200
    change(stand)
    assert (client.pull(), client.begin_push().status_code) == (401, 401)


def test_a_role_that_became_viewer_still_pulls_and_its_push_is_refused_with_the_reason(stand: Stand) -> None:
    client = stand.client()
    assert client.begin_push().status_code == 202
    people.set_project_role(
        stand.world.actor("owner"), stand.world.users["member"], stand.world.project.id, Role.VIEWER
    )
    refused = client.begin_push()
    assert (client.pull(), refused.status_code) == (200, 403)
    assert "role Member" in door.message(refused)
    said = door.push(stand.key("viewer"), stand.layout, f"{stand.reference}:no")
    assert said.returncode != 0
    assert "denied" in said.stderr


def test_in_a_suspended_team_pulls_go_on_and_pushes_are_refused_with_the_reason(stand: Stand) -> None:
    client = stand.client()
    Tenant.objects.filter(id=stand.world.tenant_id).update(state=TenantState.SUSPENDED)
    refused = client.begin_push()
    assert (client.pull(), refused.status_code) == (200, 403)
    assert "suspended" in door.message(refused)


def test_a_key_without_the_scope_to_download_or_for_another_project_meets_what_an_unknown_one_does(
    stand: Stand,
) -> None:
    other = create_project(stand.world.actor("owner"), name="Other")
    unknown = door.Client(stand.key(), f"{stand.world.tenant_slug}/never-was").ask("GET", "manifests/latest")
    narrow = stand.client(scopes=["project:view", "artifact:view"]).ask("GET", "manifests/latest")
    elsewhere = door.Client(stand.key("owner", project_ids=[other.id]), stand.repository).ask("GET", "manifests/latest")
    for answer in (narrow, elsewhere):
        assert (answer.status_code, answer.content) == (unknown.status_code, unknown.content)
    assert unknown.status_code == 401


def test_a_layer_of_another_repository_is_mounted_only_by_who_may_read_it(stand: Stand) -> None:
    other = create_project(stand.world.actor("owner"), name="Other")
    target = f"{stand.world.tenant_slug}/{other.slug}"
    client = door.Client(stand.key("owner", project_ids=[other.id]), target)
    mount = {"mount": "sha256:" + "0" * 64, "from": stand.repository}
    assert client.ask("POST", "blobs/uploads/", params=mount).status_code == 401
    assert client.begin_push().status_code == 202


def test_a_service_account_pushes_as_itself_until_it_is_switched_off(stand: Stand) -> None:
    owner = stand.world.actor("owner")
    fields = people.AccountFields("ci-deploy", "team@example.com", role="member", project_ids=[stand.world.project.id])
    account = people.create_service_account(owner, fields)
    _, text = people.create_account_key(owner, account.id, name="pipeline")
    assert door.push(text, stand.layout, f"{stand.reference}:two").returncode == 0
    client = door.Client(text, stand.repository)
    assert client.pull("two") == 200
    people.switch_service_account(owner, account.id, on=False)
    assert client.pull("two") == 401
    people.switch_service_account(owner, account.id, on=True)
    assert client.pull("two") == 200


def test_a_ci_key_pushes_to_its_project(stand: Stand) -> None:
    _, text = people.mint_ci_key(
        tenant_id=stand.world.tenant_id, name="rule", project_ids=frozenset({stand.world.project.id}), minutes=5,
        permissions=frozenset({Permission.PROJECT_VIEW, Permission.ARTIFACT_DOWNLOAD, Permission.BUILD_START}),
        identity={"repository": "acme/shop", "ref": "refs/heads/main"}, actor=system("ci-token"),
    )  # fmt: skip
    assert door.push(text, stand.layout, f"{stand.reference}:ci").returncode == 0


def test_an_address_that_is_not_on_the_list_is_refused_by_an_old_token_too(stand: Stand) -> None:
    client = stand.client()
    IpList.objects.create(tenant_id=stand.world.tenant_id, networks=[{"cidr": "192.0.2.0/24", "note": ""}])
    refused = client.ask("GET", "manifests/latest")
    assert refused.status_code == 403
    assert "127.0.0.1" in door.message(refused)
    assert door.Client(stand.key(), stand.repository).answer.json()["error"]["code"] == "address_not_allowed"


@pytest.mark.parametrize(
    "headers",
    [{"Authorization": "Bearer nonsense"}, {"Authorization": "Bearer"}, {"Authorization": "Basic eDp5"},
     {"Connection": "Authorization, X-Forwarded-Uri"}],
)  # fmt: skip
def test_what_is_no_token_of_ours_gets_the_challenge(stand: Stand, headers: dict[str, str]) -> None:
    answer = stand.client().ask("GET", "manifests/latest", headers=headers)
    assert answer.status_code == 401
    assert "/registry/token" in answer.headers["www-authenticate"]


@pytest.mark.parametrize("path", ["_catalog", "acme/x/unheard/of", "a//b/tags/list", "%2e%2e/healthz"])
def test_other_addresses_of_the_registry_lead_nowhere(stand: Stand, path: str) -> None:
    url = f"{env.get().public_url}/v2/{path}"
    answer = httpx.get(url, headers={"Authorization": f"Bearer {stand.client().token}"})
    assert answer.status_code in {401, 404}


def test_a_repository_written_with_escapes_is_judged_by_its_true_name(stand: Stand) -> None:
    member, path = stand.client(), stand.repository.replace("/", "%2F")
    _leave(stand)
    assert member.ask("GET", "manifests/latest", repository=path).status_code == 401


def test_a_large_layer_passes_the_check_and_arrives_whole(stand: Stand) -> None:
    client = stand.client()
    place = client.begin_push().headers["location"]
    chunk = os.urandom(1 << 20)
    whole = hashlib.sha256()

    def content() -> Iterator[bytes]:
        for _ in range(96):
            whole.update(chunk)
            yield chunk

    http = httpx.Client(base_url=env.get().public_url, timeout=120)
    token = {"Authorization": f"Bearer {client.token}", "Content-Type": "application/octet-stream"}
    patched = http.patch(place, content=content(), headers=token)
    assert patched.status_code == 202, patched.text
    end = patched.headers["location"]
    done = http.put(f"{end}&digest=sha256:{whole.hexdigest()}", headers=token)
    assert done.status_code == 201, done.text
    head = client.ask("HEAD", f"blobs/sha256:{whole.hexdigest()}")
    assert head.headers["content-length"] == str(96 << 20)


def test_a_token_of_unknown_standing_opens_nothing(stand: Stand) -> None:
    from imagefactory.adapters.registries.tokens import Access
    from imagefactory.entry.http.registry import issuer

    client = stand.client()
    for holder in (f"key:{uuid.uuid4()}", f"session:{uuid.uuid4()}", "other:1"):
        client.token = issuer().issue("x", [Access("repository", stand.repository, ("pull",))], holder=holder)["token"]
        assert client.pull() == 401


def test_without_web_nothing_is_pulled(tmp_path: Path) -> None:
    with door.standing(tmp_path / "site", "127.0.0.1:1"):
        answer = httpx.get(f"{env.get().public_url}/v2/acme/x/manifests/latest", timeout=30)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "3")
    assert answer.json()["errors"][0]["code"] == "UNAVAILABLE"
