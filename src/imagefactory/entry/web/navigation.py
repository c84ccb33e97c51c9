"""The pages of a tenant that a person may open: one table for the sidebar and for the palette."""

from __future__ import annotations

import dataclasses
from typing import Final

from imagefactory.domain.identity.permissions import Capability, Permission
from imagefactory.kernel.actor import Actor


@dataclasses.dataclass(frozen=True)
class Entry:
    """A page: `go` is its letter after `g`, `words` are other names that people search it by.

    An entry without an icon is in the palette only.
    """

    label: str
    path: str
    permission: Permission
    icon: str
    go: str
    words: str
    tenant_wide: bool = False
    # What the tenant must be entitled to for this page to be of use.
    capability: str = ""

    def url(self, tenant: str) -> str:
        return f"/t/{tenant}/{self.path}"


_ENTRIES: Final = (
    Entry("Overview", "", Permission.PROJECT_VIEW, "home", "o", "start home dashboard"),
    Entry("Builds", "builds", Permission.BUILD_VIEW, "builds", "b", "runs jobs queue"),
    Entry("Projects", "projects", Permission.PROJECT_VIEW, "project", "p", "repositories sources"),
    Entry("Images", "images", Permission.ARTIFACT_VIEW, "image", "i", "registry tags artifacts"),
    Entry("People", "people", Permission.PROJECT_VIEW, "people", "m", "members team invitations roles access"),
    Entry(
        "Settings", "settings/general", Permission.PROJECT_VIEW, "gear", "s", "team profile capabilities delete export"
    ),
    Entry("New build", "builds/new", Permission.BUILD_START, "", "", "start run", capability=Capability.BUILD),
    Entry("Activity", "activity", Permission.AUDIT_VIEW, "activity", "a", "audit trail log history who"),
    Entry("Service accounts", "settings/service-accounts", Permission.TEAM_MANAGE, "", "", "robots machines ci keys"),
    Entry("Keys of the team", "settings/keys", Permission.TEAM_MANAGE, "", "", "api tokens", tenant_wide=True),
    Entry(
        "Sign-in of the team",
        "settings/sign-in",
        Permission.TEAM_MANAGE,
        "",
        "",
        "sso oidc saml ldap directory provider",
        tenant_wide=True,
    ),
    Entry("CI jobs", "settings/ci", Permission.TEAM_MANAGE, "", "", "github gitlab token trust", tenant_wide=True),
    Entry("Network", "settings/network", Permission.SETTINGS_EDIT, "", "", "ip allow list cidr", tenant_wide=True),
    # A project is created in the whole tenant: no role in a project grants it.
    Entry("New project", "projects/new", Permission.PROJECT_CREATE, "", "", "create add", tenant_wide=True),
    Entry("Invite people", "people/invitations/new", Permission.TEAM_MANAGE, "", "", "invitation add member"),
    Entry("Roles", "settings/roles", Permission.PROJECT_VIEW, "", "", "permissions rights custom"),
)


def entries(actor: Actor) -> list[Entry]:
    """Return the pages that the actor may open, in the order of the sidebar.

    Overview, Projects, People, Roles and Settings are open to every member: they say whom to ask when there is no project
    yet.
    """
    return [
        e
        for e in _ENTRIES
        if (not e.capability or e.capability in actor.capabilities)
        and (
            e.permission is Permission.PROJECT_VIEW
            or (actor.may(e.permission) if e.tenant_wide else actor.may_anywhere(e.permission))
        )
    ]


@dataclasses.dataclass(frozen=True)
class AdminEntry:
    """A page of the administration, for whoever sees the installation."""

    label: str
    url: str
    icon: str
    words: str


_ADMINISTRATION: Final = (
    AdminEntry("System", "/admin/", "home", "administration overview attention"),
    AdminEntry("All teams", "/admin/tenants", "project", "tenants capabilities suspend approve"),
    AdminEntry("All people", "/admin/people", "user", "accounts users suspend"),
    AdminEntry("Sign-in", "/admin/sign-in", "lock", "sso oidc saml ldap directory providers domains"),
    AdminEntry("Audit trail", "/admin/audit", "activity", "log history who"),
    AdminEntry("System roles", "/admin/roles", "lock", "permissions matrix administrators reviewers"),
)


def administration(actor: Actor) -> tuple[AdminEntry, ...]:
    """Return the pages of the administration that the actor may open: beside those of their tenants, not instead."""
    return _ADMINISTRATION if actor.sees_installation else ()
