"""What every page's frame shows."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from imagefactory import __version__
from imagefactory.entry.web.appearance import appearance_of
from imagefactory.entry.web.frame import frame_of, outside_of
from imagefactory.kernel.actor import Actor


def frame(request: HttpRequest) -> dict[str, Any]:
    """Return the names that the base template uses; `frame` is None outside a tenant, where `outside` may stand in.

    An error page inside a tenant gets the whole frame too, because the actor was resolved before the refusal.
    """
    found = getattr(request, "_actor", None)
    inside = isinstance(found, Actor) and found.tenant_id is not None
    signed_in = bool(getattr(getattr(request, "user", None), "is_authenticated", False))
    return {
        "frame": frame_of(request, found) if isinstance(found, Actor) and inside else None,
        "outside": outside_of(request, found) if isinstance(found, Actor) and not inside else None,
        "look": appearance_of(request),
        "version": __version__,
        "signed_in": signed_in,
    }
