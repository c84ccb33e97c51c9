"""What can be wrong about people, tenants and keys."""

from __future__ import annotations

from imagefactory.kernel.errors import Conflict, NotFound, PermissionDenied, Unauthorized


class WrongCredentials(Unauthorized):
    """One sentence for a wrong address and for a wrong password, so that neither can be found out."""

    def __init__(self) -> None:
        super().__init__("The e-mail address or the password is wrong. Check both, or sign up first.")


class SignUpClosed(PermissionDenied):
    def __init__(self) -> None:
        super().__init__(
            "Sign-up is closed on this installation. Ask an owner of your team for an invitation.",
            permission="sign_up",
        )


class TenantNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("tenant")


class KeyNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("API key")


class MemberNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("member")


class InvitationNotFound(NotFound):
    """Also for a forged link: it reads as one that never was."""

    def __init__(self) -> None:
        super().__init__("invitation")


class RoleNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("role")


class AccessRequestNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("request for access")


class LastOwner(Conflict):
    """A tenant always keeps an owner."""

    code = "last_owner"

    def __init__(self) -> None:
        super().__init__(
            "This is the last owner of the team, and a team always has one. Make someone else an owner first, or delete "
            "the team."
        )


class InvitationEnded(Conflict):
    """The link is real and does not let anyone in any more; `why` is a state, `replaced`, `void` or `other_person`."""

    def __init__(self, why: str, message: str) -> None:
        super().__init__(message, why=why)
        self.why = why


class StaleRole(Conflict):
    def __init__(self) -> None:
        super().__init__("Someone else changed this role in the meantime. Look at it again, then repeat your change.")


class RoleHeld(Conflict):
    """The role cannot be deleted without saying what its holders have instead."""

    def __init__(self, name: str, holders: list[str]) -> None:
        who = ", ".join(holders[:5]) + (f" and {len(holders) - 5} more" if len(holders) > 5 else "")
        super().__init__(f"The role {name} is held by {who}. Choose the role that they have instead.", holders=holders)


class AlreadyDecided(Conflict):
    code = "already_decided"

    def __init__(self, decision: str, by: str) -> None:
        super().__init__(f"This request was {decision} already{f' by {by}' if by else ''}. Nothing was changed.")
