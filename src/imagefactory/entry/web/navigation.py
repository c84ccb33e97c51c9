"""The pages that a person may open: one table for the sidebar and the palette, one for the sections of a team's settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Final

from imagefactory.domain.identity import policies
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
    Entry("Settings", "settings/general", Permission.PROJECT_VIEW, "gear", "s", "team configuration"),
    Entry("New build", "builds/new", Permission.BUILD_START, "", "", "start run", capability=Capability.BUILD),
    Entry("Activity", "activity", Permission.AUDIT_VIEW, "activity", "a", "audit trail log history who"),
    # A project is created in the whole tenant: no role in a project grants it.
    Entry("New project", "projects/new", Permission.PROJECT_CREATE, "", "", "create add", tenant_wide=True),
    Entry("Invite people", "people/invitations/new", Permission.TEAM_MANAGE, "", "", "invitation add member"),
)


def entries(actor: Actor) -> list[Entry]:
    """Return the pages that the actor may open, in the order of the sidebar.

    Overview, Projects, People and Settings are open to every member: they say whom to ask when there is no project
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


def _member(actor: Actor) -> bool:
    return True


def _decides_sign_in(actor: Actor) -> bool:
    return policies.may_manage_providers(actor, actor.tenant) is True


def _manages_some(actor: Actor) -> bool:
    return actor.may_anywhere(Permission.TEAM_MANAGE)


def _oversees_keys(actor: Actor) -> bool:
    return policies.may_oversee_keys(actor) is True


@dataclasses.dataclass(frozen=True)
class Section:
    """A section of a team's settings: its page is `/t/<team>/settings/<key>`, and `opens` says who may open that."""

    key: str
    label: str
    opens: Callable[[Actor], bool]
    words: str

    def url(self, tenant: str) -> str:
        return f"/t/{tenant}/settings/{self.key}"


_SECTIONS: Final = (
    Section("general", "General", _member, "profile name logo contact time zone"),
    Section("capabilities", "Capabilities", _member, "entitlements may use ask"),
    Section("sign-in", "Sign-in", _decides_sign_in, "sso oidc saml ldap directory provider second factor"),
    Section("ci", "CI jobs", _decides_sign_in, "github gitlab token trust"),
    Section("roles", "Roles", _member, "permissions rights custom"),
    Section("service-accounts", "Service accounts", _manages_some, "robots machines ci keys"),
    Section("keys", "Keys", _oversees_keys, "api tokens of the team"),
    Section("network", "Network", _member, "ip allow list cidr"),
    Section("danger", "Export and delete", _member, "archive remove end"),
)


def sections(actor: Actor) -> list[Section]:
    """Return the sections of the actor's team's settings that they may open."""
    return [s for s in _SECTIONS if s.opens(actor)]


def settings_page(actor: Actor, section: str, **more: Any) -> dict[str, Any]:
    """Return what every page of a team's settings is handed: the links of the sections, and what is its own."""
    links = [(s.url(actor.tenant_slug), s.key, s.label) for s in sections(actor)]
    return {"sections": links, "section": section, "tenant": actor.tenant_slug, **more}


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
