"""Lives of tenants, and which kinds of tokens and identity providers there are."""

from __future__ import annotations

import enum

from imagefactory.kernel.states import Machine


class TokenKind(enum.StrEnum):
    """Typed tokens: a refresh token is not an access token, and neither is an API key."""

    API_KEY = "ifk"
    ACCESS = "ifa"
    REFRESH = "ifr"


class SessionKind(enum.StrEnum):
    """Where a sign-in lives."""

    API = "api"
    BROWSER = "browser"


class ProofPurpose(enum.StrEnum):
    """What a link in a mail is for; part of what is signed, so none can stand in for another."""

    CONFIRM_EMAIL = "confirm_email"
    CHANGE_EMAIL = "change_email"
    RESET_PASSWORD = "reset_password"  # noqa: S105 - a name


class TenantState(enum.StrEnum):
    """In all but `active`, reads go on and writes stop."""

    ACTIVE = "active"
    AWAITING_APPROVAL = "awaiting_approval"
    SUSPENDED = "suspended"
    DELETING = "deleting"


TENANT_TRANSITIONS: dict[TenantState, frozenset[TenantState]] = {
    TenantState.AWAITING_APPROVAL: frozenset({TenantState.ACTIVE, TenantState.DELETING}),
    TenantState.ACTIVE: frozenset({TenantState.SUSPENDED, TenantState.DELETING}),
    TenantState.SUSPENDED: frozenset({TenantState.ACTIVE, TenantState.DELETING}),
    # A deletion that is stopped goes back to what was before it.
    TenantState.DELETING: frozenset({TenantState.ACTIVE, TenantState.SUSPENDED, TenantState.AWAITING_APPROVAL}),
}

TENANT: Machine[TenantState] = Machine("team", TENANT_TRANSITIONS)


class ExportStatus(enum.StrEnum):
    """The life of an export of a tenant."""

    WAITING = "waiting"
    READY = "ready"
    FAILED = "failed"
    EXPIRED = "expired"


# Why a write is refused, and who can change that.
TENANT_STOPS: dict[str, tuple[str, str]] = {
    TenantState.AWAITING_APPROVAL: (
        "This team waits for its approval, so nothing can be changed in it yet.",
        "A system administrator approves it.",
    ),
    TenantState.SUSPENDED: (
        "This team is suspended: its pages and images can be read, and nothing can be changed.",
        "A system administrator can lift the suspension.",
    ),
    TenantState.DELETING: (
        "This team is being deleted: until then it can be read, and nothing can be changed.",
        "An owner of the team can stop the deletion.",
    ),
}


class RoleScope(enum.StrEnum):
    """Where a custom role is held."""

    TENANT = "tenant"
    PROJECT = "project"


class InvitationState(enum.StrEnum):
    """What is stored; a pending one also counts as expired once its time is over."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class AccessRequestState(enum.StrEnum):
    OPEN = "open"
    GRANTED = "granted"
    DECLINED = "declined"


class ProviderKind(enum.StrEnum):
    """How an identity provider speaks."""

    OIDC = "oidc"
    SAML = "saml"
    LDAP = "ldap"


class KeyKind(enum.StrEnum):
    """Whom a key acts for: its owner, a service account, or one run of a CI system."""

    PERSONAL = "personal"
    SERVICE = "service"
    CI = "ci"
