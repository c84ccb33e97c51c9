"""What every page's frame shows."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from imagefactory.entry.web.appearance import appearance_of


def frame(request: HttpRequest) -> dict[str, Any]:
    """Return the names that the base template uses."""
    return {"look": appearance_of(request)}
