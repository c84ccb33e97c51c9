"""Who asks in the generated tests: what each is, said in words of the permission table and never of the code under test."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import uuid
from collections.abc import Callable, Iterator
from http.cookies import SimpleCookie
from typing import Any

from allauth.mfa.models import Authenticator
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.test import Client

from imagefactory.domain.identity import selectors as identity
from imagefactory.domain.identity import services as people
from imagefactory.domain.identity.models import (
    ApiKey,
    AuthSession,
    ExternalIdentity,
    Membership,
    RoleBinding,
    Tenant,
    User,
)
from imagefactory.domain.identity.permissions import READ_ONLY, ROLE_PERMISSIONS, Permission, Role, SystemRole
from imagefactory.domain.identity.states import TenantState
from imagefactory.kernel.actor import Actor, system
from imagefactory.kernel.clock import now
from tests.conftest import PASSWORD, World, _sign_up
from tests.security.everything import Everything
from tests.sso.parts import directory_form

# So that two answers can be compared byte by byte.
SAME = {"X-Request-ID": "generated-tests"}
NOTHING: frozenset[Permission] = frozenset()


def _unchanged(place: Everything, user_id: uuid.UUID | None) -> None:
    """Leave everything as it is."""


@dataclasses.dataclass(frozen=True)
class Caller:
    """One column. `everywhere` is held in the tenant, `in_project` in the project that is asked about, `elsewhere` in another.

    `make` prepares the person and returns their id and the text of a token or key; a signed-out caller has neither,
    and a program's id is that of whoever looks after it.
    """

    name: str
    make: Callable[[Everything], tuple[uuid.UUID | None, str]]
    inside: bool = True
    signed_in: bool = True
    everywhere: frozenset[Permission] = NOTHING
    in_project: frozenset[Permission] = NOTHING
    elsewhere: frozenset[Permission] = NOTHING
    system_roles: frozenset[SystemRole] = frozenset()
    by_key: bool = False
    # What makes the person who they are only after everything of their own is there to be named.
    then: Callable[[Everything, uuid.UUID | None], None] = _unchanged
    program: bool = False  # a key that stands for no person
    shut: bool = False  # the team opens to them only with a second factor, which they have not
    bound: bool = False  # a browser's session that a provider opened, which opens that provider's team alone

    def holds(self, permission: Permission) -> bool:
        return permission in self.everywhere | self.in_project

    def holds_somewhere(self, permission: Permission) -> bool:
        return self.holds(permission) or permission in self.elsewhere


def _session(user_id: uuid.UUID, world: World) -> str:
    return people.open_session(identity.actor_for_user(user_id), user_id).access


def _person(role: str) -> Callable[[Everything], tuple[uuid.UUID, str]]:
    def make(place: Everything) -> tuple[uuid.UUID, str]:
        user_id = place.world.users[role]
        return user_id, _session(user_id, place.world)

    return make


def _joined(place: Everything, name: str) -> uuid.UUID:
    """Return a new person who belongs to this tenant and to no other."""
    made = _sign_up(name)
    RoleBinding.objects.filter(user_id=made.user_id).delete()
    Membership.objects.filter(user_id=made.user_id).update(tenant_id=place.world.tenant_id)
    return made.user_id


def _roleless(place: Everything) -> tuple[uuid.UUID, str]:
    user_id = _joined(place, "roleless")
    return user_id, _session(user_id, place.world)


def _elsewhere(place: Everything) -> uuid.UUID:
    user_id = _joined(place, "elsewhere")
    people.set_project_role(place.world.actor("owner"), user_id, place.other_project, Role.ADMIN)
    return user_id


def _admin_elsewhere(place: Everything) -> tuple[uuid.UUID, str]:
    user_id = _elsewhere(place)
    return user_id, _session(user_id, place.world)


def _key_elsewhere(place: Everything) -> tuple[uuid.UUID, str]:
    user_id = _elsewhere(place)
    return user_id, people.create_api_key(identity.actor_for_user(user_id), name="elsewhere")[1]


def _narrow_key(*scopes: Permission) -> Callable[[Everything], tuple[uuid.UUID, str]]:
    def make(place: Everything) -> tuple[uuid.UUID, str]:
        owner = place.world.actor("owner")
        return owner.person, people.create_api_key(owner, name="narrow", scopes=[str(s) for s in scopes])[1]

    return make


def _suspended(role: str) -> Callable[[Everything], tuple[uuid.UUID, str]]:
    def make(place: Everything) -> tuple[uuid.UUID, str]:
        found = _person(role)(place)
        Tenant.objects.filter(id=place.world.tenant_id).update(state=TenantState.SUSPENDED)
        return found

    return make


def _revoked_session(place: Everything) -> tuple[uuid.UUID, str]:
    user_id, token = _person("owner")(place)
    people.close_session(place.world.actor("owner"), token)
    assert AuthSession.objects.filter(user_id=user_id, revoked_at=None).count() == 0
    return user_id, token


def _revoked_key(place: Everything) -> tuple[uuid.UUID, str]:
    owner = place.world.actor("owner")
    key, text = people.create_api_key(owner, name="revoked")
    people.revoke_api_key(owner, key.id)
    assert ApiKey.objects.get(id=key.id).revoked_at
    return owner.person, text


def _of_installation(**flags: bool) -> Callable[[Everything], tuple[uuid.UUID, str]]:
    def make(place: Everything) -> tuple[uuid.UUID, str]:
        made = _sign_up("system")
        User.objects.filter(id=made.user_id).update(**flags)
        return made.user_id, _session(made.user_id, place.world)

    return make


def _custom(*permissions: Permission) -> Callable[[Everything], tuple[uuid.UUID, str]]:
    def make(place: Everything) -> tuple[uuid.UUID, str]:
        owner, held = place.world.actor("owner"), [str(p) for p in permissions]
        role = people.create_role(owner, name="Narrow", scope="project", permissions=held)
        user_id = _joined(place, "custom")
        people.set_project_role(owner, user_id, place.world.project.id, str(role.id))
        return user_id, _session(user_id, place.world)

    return make


def _service_account(place: Everything) -> tuple[uuid.UUID, str]:
    """Return the key of an account with the role Member in the project, and who looks after it."""
    owner = place.world.actor("owner")
    account = uuid.UUID(place.names["account_id"])
    return owner.person, people.create_account_key(owner, account, name="asking")[1]


def _ci_job(place: Everything) -> tuple[uuid.UUID, str]:
    """Return the key of a CI job that may see and start builds of the project."""
    text = people.mint_ci_key(
        tenant_id=place.world.tenant_id, name="CI: app", permissions=frozenset(map(str, _ALONE)),
        project_ids=frozenset({place.world.project.id}), minutes=10, identity={"repository": "shop/app"},
        actor=system("tests"),
    )[1]  # fmt: skip
    return place.world.users["owner"], text


def _factor_asked(place: Everything, user_id: uuid.UUID | None) -> None:
    Authenticator.objects.filter(user_id=user_id).delete()
    Tenant.objects.filter(id=place.world.tenant_id).update(second_factor_required=True)


def _nobody(place: Everything) -> tuple[None, str]:
    return None, ""


_OWNER, _ADMIN = ROLE_PERMISSIONS[Role.OWNER], ROLE_PERMISSIONS[Role.ADMIN]
_ALONE = (Permission.PROJECT_VIEW, Permission.BUILD_VIEW, Permission.BUILD_START)
CALLERS = (
    Caller("owner", _person("owner"), everywhere=_OWNER),
    Caller("admin", _person("admin"), in_project=_ADMIN),
    Caller("member", _person("member"), in_project=ROLE_PERMISSIONS[Role.MEMBER]),
    Caller("viewer", _person("viewer"), in_project=ROLE_PERMISSIONS[Role.VIEWER]),
    Caller("member of the team without a role", _roleless),
    Caller("admin of another project", _admin_elsewhere, elsewhere=_ADMIN),
    Caller("other team's owner", _person("stranger"), inside=False),
    Caller("owner of a suspended team", _suspended("owner"), everywhere=_OWNER & READ_ONLY),
    Caller("member in a suspended team", _suspended("member"), in_project=ROLE_PERMISSIONS[Role.MEMBER] & READ_ONLY),
    Caller("key that sees projects only", _narrow_key(Permission.PROJECT_VIEW), everywhere=frozenset(_ALONE[:1]),
           by_key=True),
    Caller("key that sees builds only", _narrow_key(Permission.BUILD_VIEW), everywhere=frozenset(_ALONE[1:2]),
           by_key=True),
    Caller("key that starts builds", _narrow_key(*_ALONE), everywhere=frozenset(_ALONE), by_key=True),
    Caller("key of another project's admin", _key_elsewhere, elsewhere=_ADMIN, by_key=True),
    Caller("revoked session", _revoked_session, signed_in=False),
    Caller("revoked key", _revoked_key, signed_in=False, by_key=True),
    Caller("signed out", _nobody, signed_in=False),
    Caller("system administrator", _of_installation(is_system_admin=True), inside=False,
           system_roles=frozenset({SystemRole.ADMINISTRATOR})),
    Caller("read-only administrator", _of_installation(is_read_only_admin=True), inside=False,
           system_roles=frozenset({SystemRole.READ_ONLY_ADMINISTRATOR})),
    Caller("security reviewer", _of_installation(is_reviewer=True), inside=False,
           system_roles=frozenset({SystemRole.SECURITY_REVIEWER})),
    Caller("person with a role that sees projects only", _custom(Permission.PROJECT_VIEW),
           in_project=frozenset(_ALONE[:1])),
    Caller("key of a service account", _service_account, in_project=ROLE_PERMISSIONS[Role.MEMBER], by_key=True, program=True),
    Caller("key of a CI job", _ci_job, in_project=frozenset(_ALONE), by_key=True, program=True),
    Caller("member without the second factor that the team asks for", _person("member"), then=_factor_asked, shut=True),
    Caller("owner who came through another team's provider", _person("owner"), inside=False, bound=True),
)  # fmt: skip


def leave_other_tenants(world: World) -> None:
    """Let everybody of a world be in one tenant: their own sign-up made another for each."""
    ours = [world.users[r] for r in ("admin", "member", "viewer")]
    for model in (Membership, RoleBinding):
        model.objects.filter(user_id__in=ours).exclude(tenant_id=world.tenant_id).delete()


def unlooked(answer: Any) -> None:
    """Look at nothing."""


@contextlib.contextmanager
def taken_back() -> Iterator[None]:
    """Take back whatever is done in the block."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


class Asker:
    """A caller at the doors; whatever a request did is taken back after it."""

    def __init__(self, caller: Caller, place: Everything) -> None:
        self.caller, self.place = caller, place
        self.user_id, self.token = caller.make(place)
        self._actor = self._as_actor()
        self.own = place.own(self._actor)
        # Called with each answer before what the request did is taken back.
        self.inspect: Callable[[Any], None] = unlooked
        self.browser = Client(raise_request_exception=False, headers=SAME)
        if self.user_id is not None and not caller.by_key:
            self.browser.force_login(User.objects.get(id=self.user_id))
        if caller.bound:
            self._came_through_another_team()
        if caller.name == "revoked session" and self.user_id is not None:  # a changed password ends a browser's session
            user = User.objects.get(id=self.user_id)
            user.set_password(f"{PASSWORD} 2")
            user.save()
        caller.then(place, self.user_id)

    def _came_through_another_team(self) -> None:
        theirs = identity.actor_for_user(self.place.world.users["stranger"], self.place.world.stranger_slug)
        provider = people.create_provider(theirs, "ldap", directory_form())
        assert self.user_id is not None
        Membership.objects.create(user_id=self.user_id, tenant_id=theirs.tenant)
        link = ExternalIdentity.objects.create(provider_id=provider, user_id=self.user_id, subject="theirs")
        session = self.browser.session
        session["sso"] = {"identity": str(link.id), "opened": now().isoformat(), "bound": theirs.tenant_slug}
        session.save()

    def actor(self) -> Actor:
        """Return who this is in the tenant that they act in; somebody else for one without."""
        return self._actor

    def _as_actor(self) -> Actor:
        if self.user_id is None:
            return self.place.world.actor("stranger")
        return identity.actor_for_user(self.user_id, self.place.names["tenant"] if self.caller.inside else None)

    def _bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def call(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        """Ask the API; `body` "upload" sends an archive."""
        headers = self._bearer() | (headers or {})
        client, url = Client(raise_request_exception=False, headers=SAME), f"/api/v1{path}"
        with taken_back():
            if body == "upload":
                answer = client.post(
                    url, {"archive": SimpleUploadedFile("source.tar.gz", b"not really")}, headers=headers
                )
            else:
                sent = b"" if body is None else json.dumps(body)
                answer = client.generic(method, url, sent, content_type="application/json", headers=headers)
            self._looked_at(answer)
        return answer

    def open(self, url: str, form: dict[str, Any] | None = None) -> Any:
        """Open a page, or send a form to it; a key shows itself as a bearer."""
        headers = self._bearer() if self.caller.by_key else {}
        cookies = SimpleCookie(self.browser.cookies)
        with taken_back():
            answer = (
                self.browser.get(url, headers=headers)
                if form is None
                else self.browser.post(url, form, headers=headers)
            )
            self._looked_at(answer)
        self.browser.cookies = SimpleCookie(cookies)
        return answer

    def _looked_at(self, answer: Any) -> None:
        answer.body = answer.getvalue()
        self.inspect(answer)
