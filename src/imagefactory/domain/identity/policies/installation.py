"""May this actor see or change the installation: its tenants, people and system roles?"""

from __future__ import annotations

from imagefactory.kernel.actor import Actor, ActorKind
from imagefactory.kernel.authorize import Refusal, Verdict
from imagefactory.kernel.errors import NotFound

_SEE = "installation:view"
_CHANGE = "installation:change"


def may_see_installation(actor: Actor) -> Verdict:
    """Administrators and read-only administrators see all of it.

    Raises NotFound for whoever holds no system role: to them there is no administration (docs/decisions/0013).
    """
    if actor.kind is ActorKind.SYSTEM or actor.sees_installation:
        return True
    if not actor.system_roles:
        raise NotFound("page")
    return Refusal(
        _SEE,
        "Security reviewers decide about quarantine and do not see the administration.",
        "It comes with the system role administrator or read-only administrator; an administrator can grant it.",
    )


def may_change_installation(actor: Actor) -> Verdict:
    """Administrators change it.

    Raises NotFound for whoever holds no system role.
    """
    if actor.kind is ActorKind.SYSTEM or actor.is_system_admin:
        return True
    seen = may_see_installation(actor)
    if seen is not True:
        return seen
    return Refusal(
        _CHANGE,
        "Read-only administrators see everything and change nothing.",
        "It comes with the system role administrator; another administrator can grant it.",
    )


def no_longer_administrator() -> Refusal:
    """Return what is told to someone whose role was taken while their request waited."""
    return Refusal(_CHANGE, "You are no administrator any more.", "Another administrator can grant the role again.")
