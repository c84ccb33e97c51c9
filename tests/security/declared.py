"""Every API route and page with the need that the code's own tables declare for it."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from django.urls import get_resolver

from imagefactory.domain.identity.permissions import Permission, SystemRole
from imagefactory.entry.api.site import api
from imagefactory.entry.web.addresses import (
    MEMBER,
    OPEN,
    OWNER,
    OWNER_ALWAYS,
    SIGNED_IN,
    Need,
    Page,
    in_project,
    in_some_project,
    in_tenant,
    of_installation,
)
from imagefactory.entry.web.urls import PAGES
from tests.security.samples import BODIES

# A person's own matters, which no key of theirs may change, whatever its scopes (identity's `may_act_as_person`).
NOT_FOR_KEYS: set[object] = {
    ("POST", "/auth/password"),
    ("POST", "/auth/email"),
    ("PUT", "/auth/profile"),
    ("GET", "/auth/sessions"),
    ("DELETE", "/auth/sessions"),
    ("DELETE", "/auth/sessions/{session_id}"),
    ("GET", "/auth/history"),
    ("GET", "/auth/second-factors"),
    ("POST", "/auth/second-factors/app"),
    ("POST", "/auth/second-factors/app/confirm"),
    ("POST", "/auth/second-factors/recovery-codes"),
    ("POST", "/auth/second-factors/{factor_id}/remove"),
    ("POST", "/api-keys"),
    ("POST", "/tenants"),
    ("POST", "/api-keys/{key_id}/rotate"),
    ("DELETE", "/api-keys/{key_id}"),
    ("PATCH", "/service-accounts/{account_id}"),
    ("DELETE", "/service-accounts/{account_id}"),
    ("POST", "/service-accounts"),
    ("POST", "/service-accounts/{account_id}/keys"),
    ("PUT", "/tenants/current/key-policy"),
    ("PUT", "/tenants/current/network"),
    ("PATCH", "/notifications/settings"),
    "service-account-new",
}
# What a service account and a CI job get of what is a person's: no notices, no keys of their own, no membership to end.
WITHOUT_PERSON: dict[object, str] = {
    ("GET", "/notifications"): "forbidden",
    ("POST", "/notifications/read"): "forbidden",
    ("POST", "/notifications/unread"): "forbidden",
    ("POST", "/api-keys/{key_id}/rotate"): "not found",
    ("DELETE", "/api-keys/{key_id}"): "not found",
    "leave": "not found",
}
# What a person gets in a team that asks for a second factor which they have not: what is theirs within the team is shut with
# it, and there is no factor that could be named or that recovery codes could stand in for.
_SHUT: tuple[object, ...] = (
    ("GET", "/api-keys"), ("POST", "/api-keys"), ("POST", "/api-keys/{key_id}/rotate"), ("DELETE", "/api-keys/{key_id}"),
    "me-keys", "me-key-rotate", "me-key-revoke", "me-notifications", "notifications", "notifications-badge",
    "notifications-read", "notifications-unread", "notification",
)  # fmt: skip
WITHOUT_FACTOR: dict[object, str] = dict.fromkeys(_SHUT, "forbidden") | {
    ("POST", "/auth/second-factors/recovery-codes"): "status 409",
    "me-security-codes": "status 409",
    ("POST", "/auth/second-factors/{factor_id}/remove"): "not found",
    "me-security-rename": "not found",
    "me-security-remove": "not found",
}
# A key is a person's own, and yet nothing new is made in a team that is stopped.
STOPPED: dict[object, str] = {("POST", "/api-keys"): "forbidden", "me-keys": "forbidden"}
# What is accepted or not for more than a need: of those who leave one must stay, nobody asks for what they have, and an
# invitation is for one person. The tables by hand say what each role gets.
BY_HAND = {
    ("POST", "/members/leave"),
    ("POST", "/access-requests"),
    ("POST", "/invitations/accept"),
    ("POST", "/invitations/join"),
    "leave",
    "access-ask",
}
# What one must be allowed to see before a need is asked about: the permission that each name in an address hides behind.
SEEN_BY = {
    "project": {Permission.PROJECT_VIEW},
    "number": {Permission.PROJECT_VIEW, Permission.BUILD_VIEW},
    "build_id": {Permission.BUILD_VIEW},
    "invitation_id": {Permission.TEAM_MANAGE},
    "request_id": {Permission.TEAM_MANAGE},
    "account_id": {Permission.TEAM_MANAGE},
}
# Where an identity provider or a CI system takes part: tests/sso asks these, with real ones.
WITH_PARTIES = {"sso-directory", "sso-callback", "sso-acs", "sso-acs-finish", ("POST", "/auth/ci-token")}
# Lists that ask for their permission in some project; others are open to every member, who finds what they may see.
ASKING_LISTS = {"/audit", "/audit/export"}
# And those that ask for it in the whole team.
TEAM_LISTS = {"/identity-providers", "/ci-trust"}
IMAGE_SEEN_BY = {Permission.ARTIFACT_VIEW}


# What a route may state other than a permission.
WORDS = {
    "none": OPEN,
    "signed in": SIGNED_IN,
    "member": MEMBER,
    "owner": OWNER,
    "owner, always": OWNER_ALWAYS,
    "administrator": of_installation(SystemRole.ADMINISTRATOR),
    "administrator, reading": of_installation(SystemRole.ADMINISTRATOR, SystemRole.READ_ONLY_ADMINISTRATOR),
}


@dataclasses.dataclass(frozen=True)
class Route:
    """One operation of the API."""

    method: str
    path: str
    need: Need
    takes_body: bool

    @property
    def key(self) -> tuple[str, str]:
        return self.method, self.path

    @property
    def sees(self) -> set[Permission]:
        names = re.findall(r"{(\w+)}", f"{self.path} {BODIES.get(self.key, '')}")
        return _seen(names, image=self.path.startswith("/images/"))


def _seen(names: list[str], *, image: bool) -> set[Permission]:
    found = set().union(*(SEEN_BY.get(name, set()) for name in names))
    return found | IMAGE_SEEN_BY if image else found


def _need(method: str, path: str, declared: str, *, of_project: bool) -> Need:
    """Return what the word of an API route means: a list is open to every member, who finds in it what they may see."""
    if declared in WORDS:
        return WORDS[declared]
    if declared in set(SystemRole):
        return of_installation(SystemRole(declared))
    permission = Permission(declared)
    if path in TEAM_LISTS or (path.startswith("/tenants/") and method != "GET"):
        return in_tenant(permission)
    if of_project:
        return in_project(permission)
    if method == "GET":
        return in_some_project(permission) if path in ASKING_LISTS else MEMBER
    return in_tenant(permission)


def routes() -> list[Route]:
    """Return every operation of the OpenAPI document; one without a declaration raises KeyError."""
    found = []
    for path, operations in api.get_openapi_schema()["paths"].items():
        short = path.removeprefix("/api/v1")
        for method, operation in operations.items():
            key = method.upper(), short
            of_project = "{" in short or "{project}" in str(BODIES.get(key, ""))
            if key in WITH_PARTIES:
                continue
            need = _need(key[0], short, operation["x-permission"], of_project=of_project)
            found.append(Route(*key, need, "requestBody" in operation))
    return found


def pages() -> list[Page]:
    """Return every page; the addresses that Django knows and the table that declares their needs are the same."""
    known: set[Any] = {p.name for p in get_resolver("imagefactory.entry.web.urls").url_patterns if hasattr(p, "name")}
    assert known == {page.name for page in PAGES}
    return [page for page in PAGES if page.name not in WITH_PARTIES]


def page_sees(page: Page) -> set[Permission]:
    """Return what one must be allowed to see before the page's need is asked about."""
    names = re.findall(r"<(?:\w+:)?(\w+)>", page.route)
    return _seen(names, image="/images/<" in page.route)
