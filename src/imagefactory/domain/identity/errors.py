"""What can be wrong about people, tenants and keys."""

from __future__ import annotations

from imagefactory.kernel.errors import NotFound, PermissionDenied, Unauthorized


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
