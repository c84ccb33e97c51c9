"""Every page of the administration with the answer that each system role gets, and the people who hold them."""

from __future__ import annotations

import dataclasses
import uuid

from django.test import Client
from django.urls import reverse

from imagefactory.domain.identity.models import User
from imagefactory.domain.identity.permissions import SystemRole
from imagefactory.domain.identity.services import grant_system_role
from imagefactory.domain.identity.services.sign_up import sign_up
from imagefactory.kernel import ids
from imagefactory.kernel.actor import Actor, ActorKind, system
from tests.conftest import PASSWORD, World

# Nobody here has a role in the teams that they look at; `owner` owns one and holds no system role.
SYSTEM_ROLES = ("anonymous", "owner", "security_reviewer", "read_only_administrator", "administrator")
SEE = (302, 404, 403, 200, 200)
CHANGE = (302, 404, 403, 403, 200)
SYSTEM_PAGES: dict[str, tuple[int, ...]] = {
    "admin": SEE,
    "admin-tenants": SEE,
    "admin-tenant-new": CHANGE,
    "admin-capabilities": (302, 404, 405, 405, 405),  # a form's address: to whoever may know of it, GET says so
    "admin-tenant": SEE,
    "admin-tenant-capabilities": SEE,
    "admin-tenant-delete": CHANGE,
    "admin-tenant-act": CHANGE,
    "admin-people": SEE,
    "admin-person": SEE,
    "admin-person-role": CHANGE,
    "admin-person-act": CHANGE,
    "admin-roles": SEE,
}
DONE = (302, 404, 403, 403, 302)
REASON = {"reason": "asked for in ticket 12"}
# A form that posts to its page's address -> the status for a harmless change.
SYSTEM_FORMS: dict[str, tuple[dict[str, str], tuple[int, ...]]] = {
    "admin-tenant-new": ({"name": "Theirs", "owner_email": "{owner_email}"}, DONE),
    "admin-capabilities": ({"tenants": "{tenant_id}", "capability": "build", "switch": "off", **REASON}, DONE),
    "admin-tenant-capabilities": ({"on": "quarantine_request", **REASON}, DONE),
    "admin-tenant-delete": ({"confirm": "{tenant}", **REASON}, DONE),
    "admin-tenant-act": (REASON, DONE),
    "admin-person-role": (REASON, DONE),
    "admin-person-act": (REASON, DONE),
}


def make_administrators() -> dict[str, uuid.UUID]:
    """Return one person for each system role, in no team."""
    found = {}
    for role in SystemRole:
        who = Actor(ActorKind.SYSTEM, "test", address=ids.token(4))
        slug = f"{role.replace('_', '-')[:20]}-{ids.token(3)}"
        made = sign_up(
            who, name=role.replace("_", " ").capitalize(), email=f"{slug}@example.com", password=PASSWORD,
            tenant_name=slug, tenant_slug=slug,
        )  # fmt: skip
        _leave(made.user_id)
        grant_system_role(system("cli"), made.user_id, role, reason="for the tests")
        found[str(role)] = made.user_id
    return found


def _leave(user_id: uuid.UUID) -> None:
    from imagefactory.domain.identity.models import Membership, RoleBinding

    Membership.objects.filter(user_id=user_id).delete()
    RoleBinding.objects.filter(user_id=user_id).delete()


@dataclasses.dataclass
class Installation:
    """A world, the people with system roles, and how they ask."""

    world: World
    people: dict[str, uuid.UUID]

    def browser(self, role: str) -> Client:
        made = Client(raise_request_exception=False)
        if role != "anonymous":
            made.force_login(User.objects.get(id=self.people.get(role) or self.world.users[role]))
        return made

    def address(self, name: str) -> str:
        slug, person = self.world.tenant_slug, self.world.users["member"]
        arguments: dict[str, dict[str, object]] = {
            "admin-tenant": {"slug": slug}, "admin-tenant-capabilities": {"slug": slug}, "admin-tenant-delete": {"slug": slug},
            "admin-tenant-act": {"slug": slug, "action": "suspend"}, "admin-person": {"user_id": person},
            "admin-person-role": {"user_id": person, "role": "security_reviewer", "action": "grant"},
            "admin-person-act": {"user_id": person, "action": "suspend"},
        }  # fmt: skip
        return reverse(name, kwargs=arguments.get(name, {}))

    def form(self, name: str) -> dict[str, str]:
        filled = {
            "{tenant}": self.world.tenant_slug, "{tenant_id}": str(self.world.tenant_id),
            "{owner_email}": User.objects.get(id=self.world.users["owner"]).email,
        }  # fmt: skip
        return {k: filled.get(v, v) for k, v in SYSTEM_FORMS[name][0].items()}

    def waiting_team(self) -> str:
        """Return the slug of a team that waits for its approval."""
        from imagefactory.domain.identity.models import Tenant

        Tenant.objects.filter(slug=self.world.stranger_slug).update(state="awaiting_approval")
        return self.world.stranger_slug
