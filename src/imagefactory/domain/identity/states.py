"""Life of sessions: which of their two tokens is which."""

from __future__ import annotations

import enum


class TokenKind(enum.StrEnum):
    """Typed tokens: a refresh token is not an access token, and neither is an API key."""

    API_KEY = "ifk"
    ACCESS = "ifa"
    REFRESH = "ifr"
