"""May this actor read the trail? Permissions by their wire names: the recorders know no other app."""

from __future__ import annotations

from typing import Final

from imagefactory.kernel.actor import Actor, ActorKind
from imagefactory.kernel.authorize import Refusal, Verdict

AUDIT_VIEW: Final = "audit:view"


def may_view(actor: Actor) -> Verdict:
    """An owner reads what concerns the tenant, an admin or viewer what concerns their projects."""
    if actor.may_anywhere(AUDIT_VIEW):
        return True
    return Refusal(
        AUDIT_VIEW,
        "Your role does not include the audit trail.",
        "It comes with the role Owner, Admin or Viewer; an owner of the team can assign it.",
    )


def may_view_installation(actor: Actor) -> Verdict:
    """System administrators, also those who only read, see the trail of all tenants, and what happens outside them."""
    if actor.kind is ActorKind.SYSTEM or actor.sees_installation:
        return True
    return Refusal(
        "audit:view_installation",
        "The audit trail of the whole installation is open to system administrators only.",
        "Another system administrator can make you one.",
    )
