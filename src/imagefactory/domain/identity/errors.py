"""What can be wrong about people, tenants and keys."""

from __future__ import annotations

from imagefactory.kernel.errors import (
    Conflict,
    FactoryError,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    Unauthorized,
    Unavailable,
)


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


class ExportNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("export that can still be downloaded")


class PersonNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("person")


class StaleTenant(Conflict):
    """Someone else changed the profile since it was read."""

    code = "precondition_failed"

    def __init__(self) -> None:
        super().__init__("Someone changed these settings since you opened them. Reload, and make your change again.")


class LastAdministrator(Conflict):
    code = "last_administrator"

    def __init__(self) -> None:
        super().__init__(
            "This is the last administrator who can sign in. Make another one first, or nobody could run the installation."
        )


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


class ProviderNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("sign-in provider")


class ProviderRefused(PermissionDenied):
    """A provider vouched for someone, and that does not let them in; `reason` is a code, the sentence says what to do."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message, code="sign_in_refused", reason=reason)
        self.reason = reason


class SignInRequired(PermissionDenied):
    """The tenant wants its members to come through its own provider."""

    code = "sso_required"

    def __init__(self, tenant_name: str, tenant_slug: str) -> None:
        super().__init__(
            f"The team {tenant_name} wants its members to sign in through its own provider. Sign out, and sign in at "
            f"/login/find?tenant={tenant_slug}.",
            tenant=tenant_slug,
        )


class DirectoryUnavailable(Unavailable):
    """The directory cannot be asked: nobody gets in through it, and accounts with a password go on to work."""


class CiTrustNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("CI trust")


class SessionNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("sign-in")


class FactorNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("second factor")


class WrongCode(Unauthorized):
    """One sentence for a wrong, an old and a used code."""

    def __init__(self) -> None:
        super().__init__(
            "This code is wrong, too old, or was used already. Wait for the next one, or use a recovery code."
        )


class WrongSecurityKey(Unauthorized):
    def __init__(self) -> None:
        super().__init__(
            "The security key's answer does not fit this page: it is another key, or the page was open for too long. "
            "Reload the page and try again."
        )


class ChallengeOver(Unauthorized):
    def __init__(self) -> None:
        super().__init__(
            "This sign-in took longer than 10 minutes, or is not from here. Sign in with the password again."
        )


class SecondFactorAsked(Unauthorized):
    """The password was right; tokens come for the second factor's code, sent with this challenge."""

    code = "second_factor_required"

    def __init__(self, challenge: str) -> None:
        super().__init__(
            "This account has a second factor. Send its code with the challenge to POST /auth/login/verify.",
            challenge=challenge,
        )


class SecondFactorRequired(FactoryError):
    """The tenant wants a second factor, and this person has none yet."""

    code = "second_factor_required"

    def __init__(self, tenant: str) -> None:
        super().__init__(
            "This team is open only to people with a second factor, and you have none yet. Set one up in your account, "
            "under Security.",
            tenant=tenant,
        )


class PasswordChangeRequired(FactoryError):
    code = "password_change_required"

    def __init__(self) -> None:
        super().__init__(
            "Your password has to be changed before you go on. Sign in to the pages, or send a new one to POST /auth/password."
        )


class EmailNotConfirmed(FactoryError):
    code = "email_confirmation_required"

    def __init__(self) -> None:
        super().__init__(
            "Your e-mail address is not confirmed yet. Open the link that was sent to it, or ask for another one."
        )


class LinkOver(InvalidRequest):
    """One sentence for a wrong, an old, a used and a replaced link."""

    def __init__(self) -> None:
        super().__init__(
            "This link has expired, was used already, or was replaced by a newer one. Ask for another one."
        )


class ServiceAccountNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("service account")


class AddressNotAllowed(PermissionDenied):
    """The tenant lets nobody in from this address."""

    def __init__(self, address: str, tenant: str) -> None:
        super().__init__(
            f"Team {tenant} takes no requests from the address {address}. Use a network on its list, or ask an owner of "
            "the team to add this address under Settings, Network.",
            code="address_not_allowed",
            address=address,
        )
