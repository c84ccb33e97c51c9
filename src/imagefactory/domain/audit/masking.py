"""What must not stand in the trail: secrets, by the name of their field or by their shape; and what is too long."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any, Final

from imagefactory.methods.secret_shapes import secret_shape

MASKED: Final = "[masked]"
MAX_TEXT: Final = 2_000  # characters of one value
MAX_ITEMS: Final = 100  # of one list or object
MAX_DEPTH: Final = 6

# Last words of a field's name that say its value is a secret: `old_password`, `clientSecret`, `x-api-key`.
SECRET_NAMES: Final = (
    "access_key", "api_key", "apikey", "assertion", "authorization", "backup_codes", "client_secret", "code_verifier",
    "cookie", "credential", "credentials", "csrf", "id_token", "otp", "passphrase", "passwd", "password", "pin",
    "private_key", "recovery_code", "recovery_codes", "refresh_token", "secret", "secret_hash", "secret_key", "secrets",
    "session_key", "signature", "ssh_key", "token", "tokens", "totp", "totp_secret", "webhook_url",
)  # fmt: skip
# Tokens of this factory: API keys, access and refresh tokens.
_OURS = re.compile(r"\bif[a-z]_[A-Za-z0-9_]{16,}")
SHORTEST: Final = 10  # characters of the shortest credential that is known by its shape
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@functools.lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Return whether a field of this name holds a secret."""
    plain = _CAMEL.sub("_", name).replace("-", "_").lower()
    return any(plain == s or plain.endswith(f"_{s}") for s in SECRET_NAMES)


def mask(value: Any, name: str = "", depth: int = 0) -> Any:
    """Return `value`, JSON-ready, with secrets replaced by MASKED and long texts, lists and depths cut; never raises.

    Numbers that are whole become integers, so that the database gives back exactly what was hashed.
    """
    if name and is_secret_name(name) and value not in (None, "", [], {}) and not isinstance(value, bool):
        return MASKED
    if isinstance(value, Mapping):
        if depth >= MAX_DEPTH:
            return f"[{len(value)} more fields]"
        items = list(value.items())
        shown = {_text(k)[:200]: mask(v, str(k), depth + 1) for k, v in items[:MAX_ITEMS]}
        return shown if len(items) <= MAX_ITEMS else shown | {"…": f"[{len(items) - MAX_ITEMS} more fields]"}
    if isinstance(value, (list, tuple)):
        if depth >= MAX_DEPTH:
            return f"[{len(value)} more]"
        listed = [mask(v, "", depth + 1) for v in value[:MAX_ITEMS]]
        return listed if len(value) <= MAX_ITEMS else [*listed, f"[{len(value) - MAX_ITEMS} more]"]
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124 - not a number
            return str(value)
        return int(value) if value.is_integer() else value
    return _cut(mask_text(_text(value), name))


def mask_text(text: str, name: str = "") -> str:
    """Return the text, or MASKED when it has the shape of a credential."""
    if len(text) < SHORTEST or _ID.fullmatch(text):
        return text  # most of what events say; the relay has no time to look closer
    return MASKED if _OURS.search(text) or secret_shape(name, text) else text


def _text(value: object) -> str:
    return str(value).replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode("utf-8")


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}… [{len(text):,} characters]"
