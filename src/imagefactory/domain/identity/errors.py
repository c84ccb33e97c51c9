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
