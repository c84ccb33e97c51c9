"""How the pages look and listen: theme, density and single-letter keys, in cookies, so that the first byte is right."""

from __future__ import annotations

import dataclasses
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from imagefactory.entry.web.redirects import own_address
from imagefactory.kernel.errors import ValidationFailed

# The first value of each is what holds without a cookie.
CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "theme": ("system", "light", "dark"),
    "density": ("compact", "comfortable"),
    "keys": ("on", "off"),
}
_YEAR: Final = 365 * 24 * 3600


@dataclasses.dataclass(frozen=True)
class Appearance:
    """The attributes of <html>: data-theme, data-density, data-keys."""

    theme: str
    density: str
    keys: str


def appearance_of(request: HttpRequest) -> Appearance:
    """Return what the cookies say; a value that is none of ours counts as not set."""
    found = {name: request.COOKIES.get(name, "") for name in CHOICES}
    return Appearance(**{name: v if v in CHOICES[name] else CHOICES[name][0] for name, v in found.items()})


@require_POST
def appearance(request: HttpRequest) -> HttpResponse:
    """Keep the choices that were sent and go back to `next`. Needs no sign-in: it is this browser's matter.

    Raises ValidationFailed for a value that is none of the choices; nothing is changed then.
    """
    given = {name: request.POST[name] for name in CHOICES if name in request.POST}
    wrong = {
        name: [f"{name} is one of {', '.join(CHOICES[name])}. Choose again."]
        for name, value in given.items()
        if value not in CHOICES[name]
    }
    if wrong:
        raise ValidationFailed(wrong)
    answer = redirect(own_address(request.POST.get("next", "/")))
    for name, value in given.items():
        # Scripts read it, to mend a page that comes back from the back-forward cache.
        answer.set_cookie(name, value, max_age=_YEAR, samesite="Lax", secure=bool(settings.SESSION_COOKIE_SECURE))
    return answer
