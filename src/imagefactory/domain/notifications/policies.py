"""May this actor read and change what a person is told?"""

from __future__ import annotations

from imagefactory.kernel.actor import Actor, ActorKind
from imagefactory.kernel.authorize import Refusal, Verdict


def may_use_own(actor: Actor) -> Verdict:
    """Everybody has notifications of their own, also through a key: those of its one tenant."""
    if actor.user_id is not None:
        return True
    return Refusal("account:manage", "Only a person has notifications.", "Sign in as a person to read them.")


def may_set_email(actor: Actor) -> Verdict:
    """What a person gets by e-mail is theirs to say: a leaked key must not silence the warnings about it."""
    if actor.bound_to is not None:
        return Refusal(
            "account:manage", "You came in through the team's own sign-in, which opens this team and not your account.",
            "Sign in with your own password to do that.",
        )  # fmt: skip
    if actor.kind is ActorKind.USER and actor.user_id is not None:
        return True
    return Refusal(
        "account:manage", "An API key cannot change what its owner gets by e-mail.", "Sign in as a person to do that."
    )
