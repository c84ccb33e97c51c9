"""CI jobs exchange a token of their own system for a key, against a real issuer process."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from imagefactory.adapters.identity import tokens
from imagefactory.adapters.identity.addresses import HostPolicy, ProviderUnreachable
from imagefactory.domain.identity import services
from imagefactory.domain.identity.models import ApiKey, CiTrust
from imagefactory.domain.identity.services import CiTrustForm
from imagefactory.domain.identity.services.ci_identity import fits
from imagefactory.domain.projects.services import create_project
from imagefactory.kernel.errors import ValidationFailed
from tests.conftest import INLINE, World
from tests.parties.ci_issuer import CiIssuer, ci_issuer

pytestmark = pytest.mark.real

AUDIENCE = "https://factory.example.com"
GITHUB = {"repository": "shop/app", "ref": "refs/heads/main"}


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CiIssuer]:
    with ci_issuer(Path(tmp_path_factory.mktemp("ci"))) as running:
        yield running


def trust(world: World, ci: CiIssuer, claims: dict[str, str] | None = None, **more: Any) -> uuid.UUID:
    values: dict[str, Any] = {
        "name": "app", "issuer": ci.issuer, "audience": AUDIENCE, "claims": claims or GITHUB,
        "project_ids": [world.project.id], "permissions": ["project:view", "build:view", "build:start"], "minutes": 10,
    }  # fmt: skip
    return services.create_ci_trust(world.actor("owner"), CiTrustForm(**(values | more)))


def exchange(world: World, token: str, tenant: str | None = None) -> Any:
    body = {"token": token, "tenant": world.tenant_slug if tenant is None else tenant}
    return Client(raise_request_exception=False).post(
        "/api/v1/auth/ci-token", json.dumps(body), content_type="application/json"
    )


def ask(key: str, method: str, path: str, body: Any = None) -> Any:
    text = b"" if body is None else json.dumps(body)
    return Client(raise_request_exception=False).generic(
        method, f"/api/v1{path}", text, content_type="application/json", headers={"Authorization": f"Bearer {key}"}
    )


@pytest.mark.parametrize("alg", ["RS256", "ES256"])
def test_a_job_of_github_gets_a_key_that_builds_in_its_project_alone(world: World, issuer: CiIssuer, alg: str) -> None:
    other = create_project(world.actor("owner"), name="Other one")
    trust(world, issuer)
    answer = exchange(world, issuer.sign(issuer.github(), alg=alg))
    assert answer.status_code == 201, answer.content
    key = answer.json()["key"]
    assert ask(key, "POST", "/builds", {"project": world.project.slug, "manifest": INLINE}).status_code == 201
    assert ask(key, "POST", "/builds", {"project": other.slug, "manifest": INLINE}).status_code == 404
    assert ask(key, "GET", f"/projects/{world.project.slug}/credentials").status_code == 200
    assert ask(key, "DELETE", f"/projects/{world.project.slug}", {"confirm": world.project.slug}).status_code == 403
    row = ApiKey.objects.get(kind="ci")
    assert row.identity["repository"] == "shop/app"
    assert (row.expires_at - row.created_at).total_seconds() <= 600


def test_a_job_of_gitlab_gets_one_too(world: World, issuer: CiIssuer) -> None:
    trust(world, issuer, {"project_path": "shop/*", "ref": "main", "ref_protected": "true"})
    assert exchange(world, issuer.sign(issuer.gitlab())).status_code == 201
    assert exchange(world, issuer.sign(issuer.gitlab(ref="feature"))).status_code == 401
    assert exchange(world, issuer.sign(issuer.gitlab(ref_protected="false"))).status_code == 401


def test_a_token_works_once(world: World, issuer: CiIssuer) -> None:
    trust(world, issuer)
    token = issuer.sign(issuer.github())
    assert exchange(world, token).status_code == 201
    again = exchange(world, token)
    assert again.status_code == 401
    assert "used before" in again.json()["error"]["message"]
    without = issuer.github()
    del without["jti"]
    token = issuer.sign(without)
    assert [exchange(world, token).status_code for _ in range(2)] == [201, 401]


@pytest.mark.parametrize(
    ("claims", "sentence"),
    [
        ({"exp": int(time.time()) - 600, "iat": int(time.time()) - 900, "nbf": 0}, "expired"),
        ({"nbf": int(time.time()) + 3600}, "not valid yet"),
        ({"iat": int(time.time()) + 3600}, "not valid yet"),
        ({"exp": int(time.time()) + 90_000 * 3}, "lives longer than a day"),
        ({"repository": "evil/app"}, "fit no rule"),
        ({"repository": "shop/app/evil"}, "fit no rule"),
        ({"repository": ["shop/app"]}, "fit no rule"),
        ({"repository": None}, "fit no rule"),
        ({"ref": "refs/heads/main\n"}, "fit no rule"),
        ({"aud": "someone else"}, "opens nothing here"),
        ({"iss": "https://other.example"}, "opens nothing here"),
    ],
)
def test_a_token_that_does_not_fit_is_refused(
    world: World, issuer: CiIssuer, claims: dict[str, Any], sentence: str
) -> None:
    trust(world, issuer)
    answer = exchange(world, issuer.sign(issuer.github(**claims)))
    assert answer.status_code == 401, answer.content
    assert sentence in answer.json()["error"]["message"]
    assert not ApiKey.objects.filter(kind="ci").exists()


@pytest.mark.parametrize("how", [{"alg": "HS256"}, {"alg": "none"}, {"alg": "RS512"}, {"key": "secret"},
                                 {"header": {"kid": "unknown"}}, {"header": {"kid": "ec-1"}}])  # fmt: skip
def test_a_forged_signature_is_refused(world: World, issuer: CiIssuer, how: dict[str, Any]) -> None:
    trust(world, issuer)
    assert exchange(world, issuer.sign(issuer.github(), **how)).status_code == 401
    assert not ApiKey.objects.filter(kind="ci").exists()


@pytest.mark.parametrize("missing", ["exp", "iat", "sub", "aud"])
def test_a_claim_that_is_missing_is_no_yes(world: World, issuer: CiIssuer, missing: str) -> None:
    trust(world, issuer)
    claims = issuer.github()
    del claims[missing]
    assert exchange(world, issuer.sign(claims)).status_code == 401


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "." * 3000, "eyJhbGciOiJub25lIn0.e30."])
def test_what_is_no_token_is_refused(world: World, issuer: CiIssuer, token: str) -> None:
    trust(world, issuer)
    assert exchange(world, token).status_code == 401


def test_strangers_do_not_learn_which_tenants_trust_whom(world: World, issuer: CiIssuer) -> None:
    token = issuer.sign(issuer.github())
    known, unknown = exchange(world, token), exchange(world, token, "no-such-tenant")
    assert known.status_code == unknown.status_code == 401
    assert known.json()["error"]["message"] == unknown.json()["error"]["message"]
    trust(world, issuer)
    assert exchange(world, issuer.sign(issuer.github()), world.stranger_slug).status_code == 401


def test_new_keys_of_the_issuer_are_found_and_a_flood_of_unknown_ones_asks_it_little(
    world: World, issuer: CiIssuer
) -> None:
    trust(world, issuer)
    assert exchange(world, issuer.sign(issuer.github())).status_code == 201
    before = issuer.asked()
    for _ in range(5):
        exchange(world, issuer.sign(issuer.github(), header={"kid": str(uuid.uuid4())}))
    assert issuer.asked() - before <= 1
    issuer.rotate()
    with tokens._lock:
        tokens._cache.clear()  # as after the 30 seconds in which an issuer is not asked again
    assert exchange(world, issuer.sign(issuer.github())).status_code == 201


def test_switched_off_and_deleted_rules_open_nothing(world: World, issuer: CiIssuer) -> None:
    made = trust(world, issuer, enabled=False)
    assert exchange(world, issuer.sign(issuer.github())).status_code == 401
    CiTrust.objects.update(enabled=True)
    assert exchange(world, issuer.sign(issuer.github())).status_code == 201
    services.delete_ci_trust(world.actor("owner"), made)
    assert exchange(world, issuer.sign(issuer.github())).status_code == 401


@pytest.mark.parametrize(
    "wrong",
    [
        {"claims": {"repository": "*"}},
        {"claims": {"repository": "*/*", "ref": "*"}},
        {"claims": {"": "x"}},
        {"minutes": 61},
        {"minutes": 0},
        {"permissions": ["everything"]},
        {"permissions": []},
        {"project_ids": []},
        {"issuer": "ftp://x"},
        {"issuer": "https://user@x.example"},
        {"audience": ""},
        {"name": ""},
    ],
)
def test_a_rule_must_say_whom_it_means(world: World, issuer: CiIssuer, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationFailed):
        trust(world, issuer, **wrong)


def test_patterns() -> None:
    assert fits({"a": "shop/*"}, {"a": "shop/app"})
    assert not fits({"a": "shop/*"}, {"a": "shop/app/deep"})
    assert not fits({"a": "shop.app"}, {"a": "shopxapp"})
    assert not fits({}, {"a": "x"})
    assert fits({"a": "7", "b": "true"}, {"a": 7, "b": True})
    assert not fits({"a": "x"}, {"a": {"x": 1}})


@pytest.mark.parametrize(
    ("path", "sentence"),
    [("/big", "larger than"), ("/moved", "status 302"), ("/liar", "speaks for the issuer"), ("/none", "404")],
)
def test_an_issuer_that_behaves_badly_is_told_in_a_sentence(issuer: CiIssuer, path: str, sentence: str) -> None:
    with pytest.raises(ProviderUnreachable) as refused:
        tokens.discover(f"{issuer.issuer}{path}", HostPolicy(("127.0.0.1",)))
    assert sentence in refused.value.message


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}", "https://127.0.0.1:{port}", "https://localhost:{port}", "https://[::1]:{port}",
        "https://169.254.169.254", "https://0.0.0.0", "https://[::ffff:127.0.0.1]", "https://10.0.0.1", "https://user@example.com",
        "file:///etc/passwd", "https://", "https://x:99999",
    ],
)  # fmt: skip
def test_an_issuer_inside_is_never_asked_unless_the_operator_listed_it(issuer: CiIssuer, url: str) -> None:
    before = issuer.asked()
    with pytest.raises(ProviderUnreachable):
        tokens.discover(url.format(port=issuer.issuer.rpartition(":")[2]), HostPolicy())
    assert issuer.asked() == before


def test_a_name_that_changes_its_address_after_the_check_reaches_nothing_inside(issuer: CiIssuer) -> None:
    """What counts is the address that is connected, not the one that the name had a moment before (DNS rebinding)."""
    from imagefactory.adapters.identity.http import ProviderSession

    class Late(HostPolicy):
        def resolve(self, host: str, port: int) -> None:
            """Let everything through, as when the name led elsewhere at the time of the check."""

    before = issuer.asked()
    session = ProviderSession(Late())
    with pytest.raises(ProviderUnreachable) as refused:
        session.get(f"{issuer.issuer.replace('http', 'http', 1)}/keys")
    assert "must begin with https" in refused.value.message
    from imagefactory.adapters.identity import http

    adapter = http._CheckedAdapter(HostPolicy())
    pool = adapter.poolmanager.connection_from_url(issuer.issuer)
    with pytest.raises(ProviderUnreachable):
        pool.urlopen("GET", "/keys", retries=False)
    assert issuer.asked() == before
