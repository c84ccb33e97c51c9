"""Recognises values that look like credentials, so that nobody puts one where it stays in an image's history."""

from __future__ import annotations

import re

_SHAPES = (
    ("a private key", re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")),
    ("an AWS access key", re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b")),
    ("a GitHub token", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,})")),
    ("a GitLab token", re.compile(r"\bgl(?:pat|dt|rt|soat|cbt)-[A-Za-z0-9_-]{18,}")),
    ("a Slack token", re.compile(r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}")),
    ("a Stripe key", re.compile(r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}")),
    ("an npm token", re.compile(r"\bnpm_[A-Za-z0-9]{30,}")),
    ("a PyPI token", re.compile(r"\bpypi-[A-Za-z0-9_-]{40,}")),
    ("an API key of this factory", re.compile(r"\bifk_[A-Za-z0-9_]{16,}")),
    ("a signed token", re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}")),
    ("an address with a password in it", re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s/:@]+:[^\s/@$]{3,}@")),
)
_SECRET_NAME = re.compile(
    r"(?:^|_)(?:PASS(?:WORD|WD|PHRASE)?|SECRET(?:_?KEY)?|TOKEN|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|CREDENTIALS?)(?:$|_)",
    re.IGNORECASE,
)
_HARMLESS_NAME = re.compile(r"_(?:FILE|PATH|DIR|URL|NAME|ID|TTL|LENGTH|SIZE|TYPE|HEADER)$", re.IGNORECASE)
_HARMLESS_VALUE = re.compile(r"(?:|true|false|yes|no|on|off|none|null|[0-9]{1,4}|/.*|\$\{?[A-Za-z_].*)", re.IGNORECASE)


def secret_shape(name: str, value: str) -> str:
    """Return what the value looks like ("a GitHub token"), or an empty text. The value itself is never repeated."""
    for words, shape in _SHAPES:
        if shape.search(value):
            return words
    bare = value.strip("\"'")
    if _SECRET_NAME.search(name) and not _HARMLESS_NAME.search(name) and not _HARMLESS_VALUE.fullmatch(bare):
        return "a secret, by its name"
    return ""
