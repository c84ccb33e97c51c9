"""What stands between someone who is signed in and their work: an address to confirm, a password to change, a second factor."""

from __future__ import annotations

from imagefactory.domain.identity.errors import EmailNotConfirmed, PasswordChangeRequired
from imagefactory.domain.identity.models import Tenant, User
from imagefactory.domain.identity.selectors.second_factors import has_second_factor


def check_standing(user: User) -> None:
    """Return when this person may work.

    Raises EmailNotConfirmed, PasswordChangeRequired.
    """
    if not user.email_confirmed:
        raise EmailNotConfirmed
    if user.must_change_password:
        raise PasswordChangeRequired


def lacks_factor(user: User, tenant: Tenant | None) -> bool:
    """Whether this tenant opens to this person only after they set up a second factor."""
    return tenant is not None and tenant.second_factor_required and not has_second_factor(user.id)
