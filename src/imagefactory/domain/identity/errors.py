"""What can be wrong about people, tenants and keys."""

from __future__ import annotations

from imagefactory.kernel.errors import NotFound, PermissionDenied, Unauthorized, Unavailable


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


class ProviderNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("sign-in provider")


class ProviderRefused(PermissionDenied):
    """A provider vouched for someone, and that does not let them in; `reason` is a code, the sentence says what to do."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message, code="sign_in_refused", reason=reason)
        self.reason = reason


class DirectoryUnavailable(Unavailable):
    """The directory cannot be asked: nobody gets in through it, and accounts with a password go on to work."""


class CiTrustNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("CI trust")
