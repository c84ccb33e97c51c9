"""Permissions in words for people, in the order in which people look for them."""

from __future__ import annotations

from typing import Final

from imagefactory.domain.identity.permissions import PERMISSION_NAMES

LABELS: Final = PERMISSION_NAMES
