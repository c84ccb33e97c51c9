"""Ways to sign in besides the password: the buttons of identity providers on the page."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from urllib.parse import urlencode

from django.http import HttpRequest

from imagefactory.domain.identity import selectors


@dataclasses.dataclass(frozen=True)
class Button:
    """One identity provider: what its button says, and where it leads.

    A link and not a form: a form that another site answers in the end is stopped by the pages' own form-action rule.
    """

    label: str
    action: str


def buttons(request: HttpRequest, wanted: str) -> Sequence[Button]:
    """Return the identity providers to offer on the sign-in page, to come back to `wanted`."""
    query = f"?{urlencode({'next': wanted})}" if wanted not in {"", "/"} else ""
    found = [Button(f"Continue with {b.name}", f"{b.url}{query}") for b in selectors.installation_buttons()]
    tenant = request.GET.get("tenant", "")[:64]
    asked = {k: v for k, v in (("next", wanted if query else ""), ("tenant", tenant)) if v}
    find = f"/login/find?{urlencode(asked)}" if asked else "/login/find"
    return [*found, Button("Sign in with your team", find)]
