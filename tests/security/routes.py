"""Every API route with the answer that each role gets, by hand: a new route without a row fails the tests."""

from __future__ import annotations

import dataclasses
from typing import Any

from tests.conftest import INLINE

ROLES = ("anonymous", "stranger", "viewer", "member", "admin", "owner")


@dataclasses.dataclass(frozen=True)
class Route:
    """One row. `answers` is one status for each of ROLES; `{...}` in path and body are filled from a `Scene`."""

    method: str
    path: str
    answers: str
    body: Any = None
    upload: bool = False
    hides: bool = True  # names an object of the tenant, so a stranger must not learn whether it exists

    @property
    def key(self) -> tuple[str, str]:
        return self.method, self.path

    def status(self, role: str) -> int:
        return int(self.answers.split()[ROLES.index(role)])


def _open(method: str, path: str, answers: str, body: Any = None) -> Route:
    return Route(method, path, answers, body, hides=False)


NEW = {"name": "New one", "email": "new-one@example.com", "password": "quite long enough 7", "tenant_name": "New one"}

NOBODYS = "00000000-0000-7000-8000-000000000000"
_WHY = {"reason": "asked for in ticket 12"}

# method, path, answers of: security reviewer, read-only administrator, administrator; body
ADMIN_ROUTES: tuple[tuple[str, str, str, Any], ...] = (
    ("GET", "/admin/tenants", "403 200 200", None),
    ("POST", "/admin/tenants", "403 403 201", {"name": "Theirs", "owner_email": "{owner_email}"}),
    ("GET", "/admin/tenants/{tenant}", "403 200 200", None),
    ("GET", "/admin/tenants/{tenant}/history", "403 200 200", None),
    ("POST", "/admin/tenants/{tenant}/{action}", "403 403 204", _WHY),
    ("DELETE", "/admin/tenants/{tenant}", "403 403 204", {"confirm": "{tenant}", **_WHY}),
    ("PUT", "/admin/capabilities", "403 403 200", {"tenants": ["{tenant}"], "capabilities": {"build": False}, **_WHY}),
    ("GET", "/admin/users", "403 200 200", None),
    ("GET", "/admin/users/{person_id}", "403 200 200", None),
    ("POST", "/admin/users/{person_id}/{action}", "403 403 204", _WHY),
    ("PUT", "/admin/users/{person_id}/system-roles/{system_role}", "403 403 200", _WHY),
    ("DELETE", "/admin/users/{person_id}/system-roles/{system_role}", "403 403 200", _WHY),
)
FORGED = {"token": f"{'0' * 32}.no-signature"}
ACCOUNT = {"name": "deployer", "contact_email": "team@example.com", "role": "member"}

PROVIDER = {
    "name": "Another", "configuration": {"url": "ldaps://127.0.0.1:9", "user_base": "dc=x"}, "domains": ["example.com"],
}  # fmt: skip
CI_RULE = {
    "name": "another", "issuer": "https://ci.example.com", "audience": "factory", "claims": {"repository": "a/b"},
    "projects": ["{project_id}"], "permissions": ["project:view"],
}  # fmt: skip

ROUTES = (
    # anonymous stranger viewer member admin owner
    _open("POST", "/auth/signup", "201 201 201 201 201 201", NEW),
    _open("POST", "/auth/login", "401 401 401 401 401 401", {"email": "no@example.com", "password": "wrong one"}),
    _open("POST", "/auth/refresh", "401 401 401 401 401 401", {"refresh_token": "ifr_0"}),
    _open("POST", "/auth/logout", "401 204 204 204 204 204"),
    _open("GET", "/auth/me", "401 200 200 200 200 200"),
    _open("POST", "/auth/login/verify", "401 401 401 401 401 401", {"challenge": "x", "code": "123456"}),
    _open("POST", "/auth/recover", "202 202 202 202 202 202", {"email": "no@example.com"}),
    _open("POST", "/auth/reset", "400 400 400 400 400 400", {"token": "x", "password": "quite long enough 7"}),
    _open("POST", "/auth/email/confirm", "400 400 400 400 400 400", {"token": "x"}),
    _open("POST", "/auth/password", "401 422 422 422 422 422", {"old_password": "no", "new_password": "long enough 7"}),
    _open("POST", "/auth/email", "401 200 200 200 200 200", {"email": "another@example.com"}),
    _open("PUT", "/auth/profile", "401 204 204 204 204 204", {"name": "New Name", "time_zone": "UTC"}),
    _open("GET", "/auth/sessions", "401 200 200 200 200 200"),
    _open("DELETE", "/auth/sessions", "401 204 204 204 204 204"),
    Route("DELETE", "/auth/sessions/{session_id}", "401 404 404 404 404 204"),
    _open("GET", "/auth/history", "401 200 200 200 200 200"),
    _open("GET", "/auth/second-factors", "401 200 200 200 200 200"),
    _open("POST", "/auth/second-factors/app", "401 200 200 200 200 200"),
    _open("POST", "/auth/second-factors/app/confirm", "401 422 422 422 422 422", {"setup": "x", "code": "123456"}),
    _open("POST", "/auth/second-factors/recovery-codes", "401 409 409 409 409 200", {}),
    Route("POST", "/auth/second-factors/{factor_id}/remove", "401 404 404 404 404 204", {}),
    _open("PUT", "/auth/second-factor-policy", "401 204 403 403 403 204", {"required": False}),
    _open("GET", "/api-keys", "401 200 200 200 200 200"),
    _open("POST", "/api-keys", "401 201 201 201 201 201", {"name": "another"}),
    _open("GET", "/api-keys/ci", "401 200 200 200 200 200"),
    Route("POST", "/api-keys/{key_id}/rotate", "401 404 404 404 404 201", {"overlap_hours": 1}),
    Route("DELETE", "/api-keys/{key_id}", "401 404 404 404 404 204"),
    _open("GET", "/service-accounts", "401 200 200 200 200 200"),
    _open("POST", "/service-accounts", "401 201 403 403 403 201", ACCOUNT),
    Route("GET", "/service-accounts/{account_id}", "401 404 404 404 200 200"),
    Route("PATCH", "/service-accounts/{account_id}", "401 404 404 404 200 200", {"description": "Deploys"}),
    Route("DELETE", "/service-accounts/{account_id}", "401 404 404 404 204 204"),
    Route("GET", "/service-accounts/{account_id}/keys", "401 404 404 404 200 200"),
    Route("POST", "/service-accounts/{account_id}/keys", "401 404 404 404 201 201", {"name": "pipeline"}),
    _open("GET", "/tenants/current/key-policy", "401 200 200 200 200 200"),
    _open("PUT", "/tenants/current/key-policy", "401 200 403 403 403 200", {"days_max": 30}),
    _open("GET", "/tenants/current/network", "401 200 200 200 200 200"),
    _open("PUT", "/tenants/current/network", "401 200 403 403 403 200", {"networks": [{"cidr": "127.0.0.0/8"}]}),
    _open("DELETE", "/admin/tenants/{tenant}/network", "401 404 404 404 404 404"),
    _open("GET", "/notifications", "401 200 200 200 200 200"),
    _open("POST", "/notifications/read", "401 200 200 200 200 200", {"all": True}),
    _open("POST", "/notifications/unread", "401 200 200 200 200 200", {"ids": [NOBODYS]}),
    _open("GET", "/notifications/settings", "401 200 200 200 200 200"),
    _open("PATCH", "/notifications/settings", "401 200 200 200 200 200", {"email": {"builds": False}}),
    _open("GET", "/projects", "401 200 200 200 200 200"),
    _open("POST", "/projects", "401 201 403 403 403 201", {"name": "Second"}),
    Route("GET", "/projects/{project}", "401 404 200 200 200 200"),
    Route("PATCH", "/projects/{project}", "401 404 403 403 200 200", {"name": "Renamed"}),
    Route(
        "PUT",
        "/projects/{project}/source",
        "401 404 403 403 200 200",
        {"kind": "inline", "dockerfile_text": "FROM scratch"},
    ),
    Route("POST", "/projects/{project}/archive", "401 404 403 403 204 204"),
    Route("POST", "/projects/{project}/restore", "401 404 403 403 204 204"),
    Route("DELETE", "/projects/{project}", "401 404 403 403 403 204", {"confirm": "{project}"}),
    Route("GET", "/projects/{project}/credentials", "401 404 200 200 200 200"),
    Route(
        "POST",
        "/projects/{project}/credentials",
        "401 404 403 403 201 201",
        {"name": "TOKEN", "kind": "build_secret", "secret": "long enough"},
    ),
    Route("DELETE", "/projects/{project}/credentials/{credential_id}", "401 404 403 403 204 204"),
    Route("POST", "/projects/{project}/uploads", "401 404 403 201 201 201", upload=True),
    Route("GET", "/projects/{project}/members", "401 404 200 200 200 200"),
    Route("PUT", "/projects/{project}/members/{user_id}", "401 404 403 403 200 200", {"role": "viewer"}),
    Route("DELETE", "/projects/{project}/members/{user_id}", "401 404 403 403 204 204"),
    _open("GET", "/members", "401 200 200 200 200 200"),
    _open("POST", "/members/leave", "401 409 204 204 204 409"),
    Route("GET", "/members/{user_id}", "401 404 200 200 200 200"),
    Route("PUT", "/members/{user_id}/roles", "401 404 403 403 200 200", {"projects": {}}),
    Route("GET", "/members/{user_id}/removal", "401 404 403 200 200 200"),
    Route("DELETE", "/members/{user_id}", "401 404 403 403 204 204"),
    _open("GET", "/invitations", "401 200 200 200 200 200"),
    Route(
        "POST",
        "/invitations",
        "401 404 403 403 201 201",
        {"emails": ["one@example.org"], "role": "viewer", "projects": ["{project}"]},
    ),
    _open("POST", "/invitations/look", "404 404 404 404 404 404", FORGED),
    _open("POST", "/invitations/accept", "401 404 404 404 404 404", FORGED),
    _open("POST", "/invitations/join", "404 404 404 404 404 404", FORGED | {"name": "No", "password": "long enough 7"}),
    _open("POST", "/invitations/ask-again", "404 404 404 404 404 404", FORGED),
    Route("GET", "/invitations/{invitation_id}", "401 404 404 404 200 200"),
    Route("POST", "/invitations/{invitation_id}/resend", "401 404 404 404 200 200"),
    Route("DELETE", "/invitations/{invitation_id}", "401 404 404 404 204 204"),
    _open("GET", "/roles", "401 200 200 200 200 200"),
    _open("POST", "/roles", "401 201 403 403 201 201", {"name": "Watcher", "permissions": ["build:view"]}),
    Route("GET", "/roles/{role_id}", "401 404 200 200 200 200"),
    Route("PATCH", "/roles/{role_id}", "401 404 403 403 200 200", {"name": "Renamed"}),
    Route("DELETE", "/roles/{role_id}", "401 404 403 403 204 204"),
    _open("GET", "/access-requests", "401 200 200 200 200 200"),
    Route(
        "POST",
        "/access-requests",
        "401 404 201 201 409 409",
        {"permission": "build:cancel", "project": "{project}"},
    ),
    Route("POST", "/access-requests/{request_id}/grant", "401 404 404 404 204 204", {}),
    Route("POST", "/access-requests/{request_id}/decline", "401 404 404 404 204 204", {}),
    _open("GET", "/builds", "401 200 200 200 200 200"),
    Route("POST", "/builds", "401 404 403 201 201 201", {"project": "{project}", "manifest": INLINE}),
    Route("POST", "/builds/dry-run", "401 404 200 200 200 200", {"project": "{project}", "manifest": INLINE}),
    Route("GET", "/builds/{build_id}", "401 404 200 200 200 200"),
    Route("GET", "/builds/{build_id}/status", "401 404 200 200 200 200"),
    Route("POST", "/builds/{build_id}/start", "401 404 403 200 200 200"),
    Route("POST", "/builds/{build_id}/cancel", "401 404 403 403 200 200"),
    Route("POST", "/builds/{build_id}/retry", "401 404 403 200 200 200", {"changes": {}}),
    Route("GET", "/builds/{build_id}/executions", "401 404 200 200 200 200"),
    Route("GET", "/builds/{build_id}/logs", "401 404 200 200 200 200"),
    Route("GET", "/builds/{build_id}/logs/raw", "401 404 200 200 200 200"),
    Route("GET", "/builds/{build_id}/logs/search?q=a", "401 404 200 200 200 200"),
    Route("GET", "/builds/{build_id}/usage", "401 404 200 200 200 200"),
    _open("GET", "/images", "401 200 200 200 200 200"),
    Route("GET", "/images/{name}", "401 404 200 200 200 200"),
    _open("GET", "/identity-providers", "401 200 403 403 403 200"),
    _open("POST", "/identity-providers", "401 201 403 403 403 201", PROVIDER | {"kind": "ldap"}),
    _open("PUT", "/identity-providers/required", "401 204 403 403 403 204", {"required": False}),
    Route("GET", "/identity-providers/{provider_id}", "401 404 403 403 403 200"),
    Route("PUT", "/identity-providers/{provider_id}", "401 404 403 403 403 200", PROVIDER),
    Route("DELETE", "/identity-providers/{provider_id}", "401 404 403 403 403 204"),
    Route("POST", "/identity-providers/{provider_id}/test", "401 404 403 403 403 200"),
    _open("POST", "/identity-providers/{provider_id}/confirm-domains", "401 403 403 403 403 403"),
    _open("GET", "/ci-trust", "401 200 403 403 403 200"),
    _open("POST", "/ci-trust", "401 422 403 403 403 201", CI_RULE),
    Route("PUT", "/ci-trust/{trust_id}", "401 404 403 403 403 200", CI_RULE),
    Route("DELETE", "/ci-trust/{trust_id}", "401 404 403 403 403 204"),
    _open("POST", "/auth/ci-token", "401 401 401 401 401 401", {"token": "x", "tenant": "{tenant}"}),
    _open("GET", "/tenants", "401 200 200 200 200 200"),
    _open("POST", "/tenants", "401 201 201 201 201 201", {"name": "One more"}),
    Route("GET", "/tenants/{tenant}", "401 404 200 200 200 200"),
    Route("PATCH", "/tenants/{tenant}", "401 404 403 403 403 200", {"name": "Renamed"}),
    Route("DELETE", "/tenants/{tenant}", "401 404 403 403 403 204", {"confirm": "{tenant}", **_WHY}),
    Route("POST", "/tenants/{tenant}/keep", "401 404 403 403 403 409", _WHY),  # it is not being deleted
    Route("PUT", "/tenants/{tenant}/logo", "401 404 403 403 403 422"),  # an empty body is no picture
    Route("DELETE", "/tenants/{tenant}/logo", "401 404 403 403 403 204"),
    Route("POST", "/tenants/{tenant}/capabilities/{capability}/request", "401 404 403 403 403 204", {}),
    Route("GET", "/tenants/{tenant}/exports", "401 404 403 403 403 200"),
    Route("POST", "/tenants/{tenant}/exports", "401 404 403 403 403 202"),
    Route("GET", "/tenants/{tenant}/exports/{export_id}/archive", "401 404 403 403 403 200"),
    # For whoever holds no system role there is no administration; the others are in tests/security/test_admin_routes.py.
    *(_open(method, path, "401 404 404 404 404 404", body) for method, path, _, body in ADMIN_ROUTES),
    # A stranger reads the trail of their own tenant.
    _open("GET", "/audit", "401 200 200 403 200 200"),
    Route("GET", "/audit?project={project}", "401 404 200 403 200 200"),
    _open("GET", "/audit/export?format=jsonl", "401 200 200 403 200 200"),
    _open("GET", "/admin/audit", "401 404 404 404 404 404"),
    _open("GET", "/admin/audit/export", "401 404 404 404 404 404"),
)
