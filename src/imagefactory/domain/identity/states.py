"""Lives of tenants, and which kinds of tokens there are."""

from __future__ import annotations

import enum


class TokenKind(enum.StrEnum):
    """Typed tokens: a refresh token is not an access token, and neither is an API key."""

    API_KEY = "ifk"
    ACCESS = "ifa"
    REFRESH = "ifr"


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
    TenantState.DELETING: frozenset({TenantState.ACTIVE, TenantState.SUSPENDED}),
}

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


INVITATION_TRANSITIONS: dict[InvitationState, frozenset[InvitationState]] = {
    InvitationState.PENDING: frozenset({InvitationState.ACCEPTED, InvitationState.CANCELLED, InvitationState.EXPIRED}),
    InvitationState.EXPIRED: frozenset({InvitationState.PENDING, InvitationState.CANCELLED}),  # sent again
}


class AccessRequestState(enum.StrEnum):
    OPEN = "open"
    GRANTED = "granted"
    DECLINED = "declined"


ACCESS_REQUEST_TRANSITIONS: dict[AccessRequestState, frozenset[AccessRequestState]] = {
    AccessRequestState.OPEN: frozenset({AccessRequestState.GRANTED, AccessRequestState.DECLINED}),
}
