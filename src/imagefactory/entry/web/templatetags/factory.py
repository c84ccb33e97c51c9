"""What templates need beyond Django's own: the address of a built asset."""

from __future__ import annotations

import functools
import json
from pathlib import Path

from django import template

register = template.Library()
_MANIFEST = Path(__file__).resolve().parent.parent / "static/dist/manifest.json"


@functools.cache
def _names() -> dict[str, str]:
    return dict(json.loads(_MANIFEST.read_text())) if _MANIFEST.is_file() else {}


@register.simple_tag
def asset(name: str) -> str:
    """Return the address of a bundle, with the hash of its content in it."""
    return f"/static/dist/{_names().get(name, name)}"
