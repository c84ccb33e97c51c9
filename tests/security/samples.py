"""What each route and page is asked with. A declared route or page that cannot be filled from here fails the tests.

A value may be a function of the place and the actor; `{name}` in text is filled with the names of the place.
"""

from __future__ import annotations

import dataclasses
import re
import uuid
from collections.abc import Callable
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.utils import encrypt

from imagefactory.domain.identity import selectors as identity
from imagefactory.domain.identity import services as people
from imagefactory.domain.identity.errors import SecondFactorAsked
from imagefactory.domain.identity.models import User
from imagefactory.kernel.actor import Actor, ActorKind
from tests.conftest import INLINE, PASSWORD
from tests.security.everything import Everything
from tests.security.routes import CI_RULE, PROVIDER
from tests.security.test_totp import code

Sample = Any
Made = Callable[[Everything, Actor], Any]

NEW = {"name": "New one", "email": "new-one@example.com", "password": "quite long enough 7", "tenant_name": "New one"}


_DIRECTORY = {"name": "Another", "url": "ldaps://127.0.0.1:9", "user_base": "dc=x", "domains": "example.com"}
_RULE = {
    "name": "another", "issuer": "https://ci.example.com", "audience": "factory", "claims": "repository = a/b",
    "projects": "{project_id}", "permissions": "project:view", "minutes": "10",
}  # fmt: skip


def _login(place: Everything, actor: Actor) -> Any:
    Authenticator.objects.filter(user_id=place.world.users["member"]).delete()
    return {"email": User.objects.get(id=place.world.users["member"]).email, "password": PASSWORD}


def _refresh(place: Everything, actor: Actor) -> Any:
    return {"refresh_token": people.open_session(actor, place.world.users["owner"]).refresh}


def _invite(place: Everything, actor: Actor) -> Any:
    """Return an invitation to a project whose team this actor manages, if there is one."""
    other = "other-one" if actor.may("team:manage", place.other_project) else place.world.project.slug
    return {"addresses": "p@example.org", "role": "viewer", "projects": other, "days": "3"}


def _verify(place: Everything, actor: Actor) -> Any:
    """A password that was right a moment ago, and the code of that person's app."""
    Authenticator.objects.filter(user_id=place.world.users["member"]).delete()
    person = identity.actor_for_user(place.world.users["member"])
    setup = people.begin_app(person)
    Authenticator.objects.create(user_id=person.person, type="totp", data={"secret": encrypt(setup.key)})
    try:
        people.sign_in_to_api(actor, email=person.email, password=PASSWORD)
    except SecondFactorAsked as asked:
        return {"challenge": asked.details["challenge"], "code": code(setup.key)}
    raise AssertionError("the second factor was not asked for")


def _app(place: Everything, actor: Actor) -> Any:
    Authenticator.objects.filter(user_id=actor.person, type="totp").delete()
    begun = people.begin_app(dataclasses.replace(actor, kind=ActorKind.USER))
    return {"setup": begun.setup, "code": code(begun.key)}


def _account(place: Everything, actor: Actor) -> Any:
    """Return a service account for a project whose team the actor manages, if there is one."""
    mine, asked = actor.projects_with("team:manage"), uuid.UUID(place.names["project_id"])
    project = asked if not mine or asked in mine else min(mine)
    role = {"name": "deployer", "contact_email": "team@example.com", "role": "member"}
    return role | {"where": "some", "projects": str(project)}


WHY = {"reason": "asked for in ticket 12"}

# Every API route that takes a body.
BODIES: dict[tuple[str, str], Sample | Made] = {
    ("POST", "/auth/signup"): NEW,
    ("POST", "/auth/login"): _login,
    ("POST", "/auth/refresh"): _refresh,
    ("POST", "/auth/login/verify"): _verify,
    ("POST", "/auth/recover"): {"email": "somebody@example.com"},
    ("POST", "/auth/reset"): {"token": "{reset_token}", "password": "quite another one 7"},
    ("POST", "/auth/email/confirm"): {"token": "{confirm_token}"},
    ("POST", "/auth/password"): {"old_password": PASSWORD, "new_password": "quite another one 7"},
    ("POST", "/auth/email"): {"email": "somebody.new@example.com"},
    ("PUT", "/auth/profile"): {"name": "New Name", "time_zone": "UTC"},
    ("POST", "/auth/second-factors/app/confirm"): _app,
    ("POST", "/auth/second-factors/recovery-codes"): {},
    ("POST", "/auth/second-factors/{factor_id}/remove"): {},
    ("PUT", "/auth/second-factor-policy"): {"required": True},
    ("POST", "/api-keys"): {"name": "another"},
    ("POST", "/api-keys/{key_id}/rotate"): {"overlap_hours": 1},
    ("POST", "/service-accounts"): {"name": "deployer", "contact_email": "team@example.com", "role": "member"},
    ("PATCH", "/service-accounts/{account_id}"): {"description": "Deploys"},
    ("POST", "/service-accounts/{account_id}/keys"): {"name": "pipeline"},
    ("PUT", "/tenants/current/key-policy"): {"days_max": 30},
    ("PUT", "/tenants/current/network"): {"networks": [{"cidr": "127.0.0.0/8"}]},
    ("POST", "/notifications/read"): {"all": True},
    ("POST", "/notifications/unread"): {"ids": ["{notice_id}"]},
    ("PATCH", "/notifications/settings"): {"email": {"builds": False}},
    ("POST", "/identity-providers"): PROVIDER | {"kind": "ldap"},
    ("PUT", "/identity-providers/required"): {"required": True},
    ("PUT", "/identity-providers/{provider_id}"): PROVIDER,
    ("POST", "/ci-trust"): CI_RULE,
    ("PUT", "/ci-trust/{trust_id}"): CI_RULE,
    ("POST", "/tenants"): {"name": "One more"},
    ("POST", "/projects"): {"name": "Third"},
    ("PATCH", "/projects/{project}"): {"name": "Renamed"},
    ("PUT", "/projects/{project}/source"): {"kind": "inline", "dockerfile_text": "FROM scratch"},
    ("DELETE", "/projects/{project}"): {"confirm": "{project}"},
    ("POST", "/projects/{project}/credentials"): {"name": "TOKEN", "kind": "build_secret", "secret": "long enough"},
    ("POST", "/projects/{project}/uploads"): "upload",
    ("PUT", "/projects/{project}/members/{user_id}"): {"role": "viewer"},
    ("PUT", "/members/{user_id}/roles"): {"projects": {"{project}": "viewer"}},
    ("POST", "/invitations"): {"emails": ["p@example.org"], "role": "viewer", "projects": ["{project}"]},
    ("POST", "/invitations/look"): {"token": "{token}"},
    ("POST", "/invitations/accept"): {"token": "{token}"},
    ("POST", "/invitations/join"): {"token": "{token}", "name": "Nora", "password": "quite long enough 7"},
    ("POST", "/invitations/ask-again"): {"token": "{ended_token}"},
    ("POST", "/roles"): {"name": "Wide", "scope": "tenant", "permissions": ["build:view"]},
    ("PATCH", "/roles/{role_id}"): {"name": "Renamed"},
    ("POST", "/access-requests"): {"permission": "build:cancel", "project": "{project}"},
    ("POST", "/access-requests/{request_id}/grant"): {},
    ("POST", "/access-requests/{request_id}/decline"): {},
    ("POST", "/builds"): {"project": "{project}", "manifest": INLINE},
    ("POST", "/builds/dry-run"): {"project": "{project}", "manifest": INLINE},
    ("POST", "/builds/{build_id}/retry"): {"changes": {}},
    ("PATCH", "/tenants/{tenant}"): {"name": "Renamed"},
    ("DELETE", "/tenants/{tenant}"): {"confirm": "{tenant}", **WHY},
    ("POST", "/tenants/{tenant}/keep"): WHY,
    ("POST", "/tenants/{tenant}/capabilities/{capability}/request"): {"message": "for our bases"},
    ("POST", "/admin/tenants"): {"name": "Theirs", "owner_email": "{owner_email}"},
    ("POST", "/admin/tenants/{tenant}/{action}"): WHY,
    ("DELETE", "/admin/tenants/{tenant}"): {"confirm": "{tenant}", **WHY},
    ("PUT", "/admin/capabilities"): {"tenants": ["{tenant}"], "capabilities": {"build": False}, **WHY},
    ("POST", "/admin/users/{user_id}/{action}"): WHY,
    ("PUT", "/admin/users/{user_id}/system-roles/{role}"): WHY,
    ("DELETE", "/admin/users/{user_id}/system-roles/{role}"): WHY,
}
# What a route answers that was reached and finds nothing to do, where no sample makes it do something.
REACHED = {
    ("POST", "/tenants/{tenant}/keep"): 409,  # it is not being deleted
    ("PUT", "/tenants/{tenant}/logo"): 422,  # its body is a picture, and none is sent
}
# What a route must be asked beside its address.
QUERIES: dict[tuple[str, str], str] = {
    ("GET", "/builds/{build_id}/logs/search"): "q=a",
    ("DELETE", "/roles/{role_id}"): "replacement=viewer",
}
PAGE_QUERIES: dict[str, str] = {"build-log-search": "q=log"}
# Every page that takes a form: what is sent to its own address.
FORMS: dict[str, dict[str, Any] | Made] = {
    "login-find": {"email": "someone@example.com"},
    "me-link": {"password": PASSWORD},
    "me-unlink": {},
    "team-sign-in": {"required": "1"},
    "team-sign-in-new": _DIRECTORY,
    "team-sign-in-provider": _DIRECTORY,
    "team-sign-in-test": {},
    "team-sign-in-delete": {},
    "team-ci-new": _RULE,
    "team-ci-rule": _RULE,
    "team-ci-delete": {},
    "admin-sign-in-new": _DIRECTORY,
    "admin-sign-in-provider": _DIRECTORY,
    "admin-sign-in-test": {},
    "admin-sign-in-delete": {},
    "admin-sign-in-confirm": {},
    "login": _login,
    "signup": NEW,
    "logout": {},
    "appearance": {"theme": "dark"},
    "tenant-new": {"name": "One more"},
    "login-verify": {"code": "123456"},
    "login-recover": {"email": "somebody@example.com"},
    "login-reset": {"new_password": "quite another one 7"},
    "login-change-password": {"old_password": PASSWORD, "new_password": "quite another one 7"},
    "login-confirm": {"code": "123456"},
    "login-confirm-link": {},
    "login-email-link": {},
    "me-email": {"email": "somebody.new@example.com"},
    "me-security-app": _app,
    "me-security-codes": {},
    "me-security-rename": {"name": "red key"},
    "me-security-remove": {},
    "me-session-end": {},
    "me-sessions-end": {},
    "me": {"name": "New Name", "time_zone": "UTC"},
    "me-password": {"old_password": PASSWORD, "new_password": "quite another one 7"},
    "me-keys": {"name": "laptop", "days": "30"},
    "me-key-rotate": {"overlap_hours": "1"},
    "me-key-revoke": {},
    "service-account-new": _account,
    "service-account": {"name": "pipeline", "days": "30"},
    "service-account-edit": {
        "name": "deployer",
        "contact_email": "team@example.com",
        "role": "viewer",
        "where": "some",
        "projects": "{project_id}",
    },
    "service-account-switch": {"on": "0"},
    "service-account-delete": {},
    "service-account-key-rotate": {"overlap_hours": "1"},
    "service-account-key-revoke": {},
    "tenant-keys": {"days_max": "100"},
    "tenant-key-revoke": {},
    "tenant-network": {"networks": "127.0.0.0/8 here", "version": "0"},
    "me-notifications": {"email": "builds"},
    "notifications-read": {"all": "1"},
    "notifications-unread": {"ids": "{notice_id}"},
    "join": {"sign-in": "1"},
    "member": {},
    "member-remove": {},
    "leave": {},
    "invite": _invite,
    "invitation-cancel": {},
    "invitation-resend": {},
    "access-ask": {"permission": "build:cancel", "project": "{project}"},
    "access-decide": {"decline": "1"},
    "role-new": {"name": "Helper", "scope": "project", "permissions": "build:view"},
    "role": {"name": "Renamed", "permissions": ["build:view", "project:view"]},
    "role-delete": {"replacement": "viewer"},
    "settings-people": {"person": "{user_id}", "role": "viewer"},
    "project-new": {"name": "Another"},
    "settings": {"name": "Checkout", "description": ""},
    "settings-source": {"kind": "inline", "dockerfile_text": "FROM scratch"},
    "settings-credentials": {"name": "n2", "kind": "build_secret", "secret": "long enough"},
    "credential-delete": {},
    "settings-danger": {"archive": "1"},
    "team-settings": {"name": "Ours", "time_zone": "UTC", "language": "en"},
    "team-capability-ask": {"message": "for our bases"},
    "team-danger": {"export": "1"},
    "admin-tenant-new": {"name": "Theirs", "owner_email": "{owner_email}"},
    "admin-capabilities": {"tenants": "{tenant_id}", "capability": "build", "switch": "off", **WHY},
    "admin-tenant-capabilities": {"on": "quarantine_request", **WHY},
    "admin-tenant-delete": {"confirm": "{slug}", **WHY},
    "admin-tenant-act": WHY,
    "admin-person-role": WHY,
    "admin-person-act": WHY,
    "build-new": {"source": "inline", "dockerfile_text": "FROM scratch\n", "tags": "latest", "start": "1"},
    "build-cancel": {},
    "build-rerun": {},
}
# Forms that take the answer of a device: tests/browser/test_sign_in.py sends them.
BY_DEVICE = {"me-security-key", "login-passkey"}
# Which build an address names, where the running one will not do; other arguments by name.
BUILD_OF = {
    ("POST", "/builds/{build_id}/start"): "draft",
    ("POST", "/builds/{build_id}/retry"): "draft",
    "build-rerun": "ended",
}
ARGUMENTS: dict[str, dict[str, str]] = {
    "admin-person-role": {"action": "grant"},
    "help-topic": {"name": "roles"}, "team-sign-in-new": {"kind": "ldap"}, "admin-sign-in-new": {"kind": "ldap"},
}  # fmt: skip
# Which identity provider an address names, where the team's directory will not do.
PROVIDER_OF = {
    "me-link": "shared_provider_id", "admin-sign-in-provider": "shared_provider_id", "admin-sign-in-test": "shared_provider_id",
    "admin-sign-in-delete": "shared_provider_id", "sso-metadata": "saml_provider_id",
}  # fmt: skip


def names_for(place: Everything, key: Any, own: dict[str, Any]) -> dict[str, Any]:
    """Return the value of every name that an address, body or form may hold."""
    names = place.names | own
    if key in BUILD_OF:
        build = place.builds[BUILD_OF[key]]
        names |= {"build_id": str(build.id), "number": build.number}
    if key in PROVIDER_OF:
        names |= {"provider_id": names[PROVIDER_OF[key]]}
    return names | (ARGUMENTS.get(key, {}) if isinstance(key, str) else {})


def filled(value: Any, names: dict[str, Any]) -> Any:
    """Put names into every `{...}` of a text, list or mapping."""
    if isinstance(value, dict):
        return {filled(k, names): filled(v, names) for k, v in value.items()}
    if isinstance(value, list):
        return [filled(v, names) for v in value]
    if isinstance(value, str):
        return re.sub(r"\{(\w+)\}", lambda m: str(names.get(m[1], m[0])), value)
    return value
