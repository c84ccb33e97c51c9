"""Who acts: a person, a key or a part of the system, with what they may do, resolved once at the door."""

from __future__ import annotations

import dataclasses
import enum
import uuid
from collections.abc import Mapping

NOBODY = uuid.UUID(int=0)


class ActorKind(enum.StrEnum):
    USER = "user"
    API_KEY = "api_key"
    SERVICE_ACCOUNT = "service"
    CI = "ci"
    SYSTEM = "system"


@dataclasses.dataclass(frozen=True)
class Actor:
    """The first argument of every service.

    `tenant_permissions` hold in every project of the tenant, `project_permissions` in one. A scoped key carries the
    intersection of its scopes with its maker's rights, so nothing asks for scopes again later.
    """

    kind: ActorKind
    name: str
    user_id: uuid.UUID | None = None
    email: str = ""
    tenant_id: uuid.UUID | None = None
    tenant_slug: str = ""
    role: str = ""
    tenant_permissions: frozenset[str] = frozenset()
    project_permissions: Mapping[uuid.UUID, frozenset[str]] = dataclasses.field(default_factory=dict)
    capabilities: frozenset[str] = frozenset()
    # Of the installation, such as `administrator`; a key never carries one.
    system_roles: frozenset[str] = frozenset()
    tenant_state: str = "active"
    # The tenant that would have been theirs, had they a second factor.
    tenant_shut: str = ""
    key_id: uuid.UUID | None = None
    # The one tenant that this sign-in opens, because that tenant's own identity provider vouched for the person.
    bound_to: uuid.UUID | None = None
    # The identity provider that the sign-in came through, and whose it is: a tenant's, or the installation's.
    provider_id: uuid.UUID | None = None
    provider_tenant_id: uuid.UUID | None = None
    # The sign-in that this request belongs to; a key has none.
    session_id: uuid.UUID | None = None
    service_account_id: uuid.UUID | None = None
    request_id: str = ""
    address: str = ""
    user_agent: str = ""

    @property
    def person(self) -> uuid.UUID:
        """The person behind the actor, or the nil UUID, which belongs to nobody."""
        return self.user_id or NOBODY

    @property
    def is_program(self) -> bool:
        """Whether a key acts: a person's, a service account's or a CI run's."""
        return self.kind in {ActorKind.API_KEY, ActorKind.SERVICE_ACCOUNT, ActorKind.CI}

    @property
    def subject_id(self) -> uuid.UUID | None:
        """Who acts, for the record: the person, the service account, or the key of a CI run."""
        return self.user_id or self.service_account_id or self.key_id

    @property
    def tenant(self) -> uuid.UUID:
        """The actor's tenant, or the nil UUID, which no tenant has."""
        return self.tenant_id or NOBODY

    @property
    def session(self) -> uuid.UUID:
        """The sign-in that asks, or the nil UUID, which none has."""
        return self.session_id or NOBODY

    @property
    def is_system_admin(self) -> bool:
        """Whether this person runs the installation."""
        return "administrator" in self.system_roles

    @property
    def sees_installation(self) -> bool:
        """Whether this person may read what system administrators read."""
        return bool(self.system_roles & {"administrator", "read_only_administrator"})

    @property
    def is_reviewer(self) -> bool:
        """Whether this person decides about quarantine."""
        return "security_reviewer" in self.system_roles

    def may(self, permission: str, project_id: uuid.UUID | None = None) -> bool:
        """Whether this actor holds `permission` in the tenant, or in this project of it."""
        if self.kind is ActorKind.SYSTEM or permission in self.tenant_permissions:
            return True
        return project_id is not None and permission in self.project_permissions.get(project_id, frozenset())

    def may_anywhere(self, permission: str) -> bool:
        """Whether there is any project where this actor holds `permission`; for navigation, never for a decision."""
        return self.may(permission) or any(permission in held for held in self.project_permissions.values())

    def projects_with(self, permission: str) -> frozenset[uuid.UUID] | None:
        """Return the projects in which the actor holds `permission`; None means all of the tenant."""
        if self.may(permission):
            return None
        return frozenset(p for p, held in self.project_permissions.items() if permission in held)


def system(name: str, request_id: str = "") -> Actor:
    """Return the actor of a part of the system, such as `dispatcher`; it may do everything, in any tenant."""
    return Actor(ActorKind.SYSTEM, name, request_id=request_id)
