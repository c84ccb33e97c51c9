"""Ways to sign in besides the password: the buttons of identity providers on the page."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from django.http import HttpRequest


@dataclasses.dataclass(frozen=True)
class Button:
    """One identity provider: what its button says, and the address that its form is sent to."""

    label: str
    action: str


def buttons(request: HttpRequest, wanted: str) -> Sequence[Button]:
    """Return the identity providers to offer on the sign-in page, to come back to `wanted`."""
    return ()
