"""Who decides about other people's sign-in."""

from __future__ import annotations

from imagefactory.kernel.actor import Actor, ActorKind
from imagefactory.kernel.authorize import Refusal, Verdict


def may_manage_sign_in(actor: Actor) -> Verdict:
    """Others' sign-in is the matter of system administrators, and of the command line on the machine itself."""
    if actor.kind is ActorKind.SYSTEM or (actor.kind is ActorKind.USER and actor.is_system_admin):
        return True
    return Refusal(
        "sign_in:manage",
        "Only system administrators decide about other people's sign-in.",
        "Another administrator can make you one.",
    )
