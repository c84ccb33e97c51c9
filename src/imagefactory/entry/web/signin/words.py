"""How sign-ins are called on pages."""

from __future__ import annotations

from typing import Final

KINDS: Final = {"browser": "Browser", "api": "API or command line"}
_WAYS: Final = {
    "password": "password",
    "totp": "authenticator app",
    "code": "code",
    "webauthn": "security key",
    "recovery_code": "recovery code",
    "passkey": "passkey",
}
REASONS: Final = {
    "wrong_password": "wrong password",
    "account_off": "account is off",
    "wrong_code": "wrong code",
    "wrong_key": "wrong security key",
}


def ways(how: str) -> str:
    """Return what was proven in words, such as `password and authenticator app`."""
    named = [
        _WAYS.get(way, f"single sign-on ({way.removeprefix('sso:')})" if way.startswith("sso:") else way)
        for way in how.split("+")
        if way
    ]
    return " and ".join(named) or "signed in before an upgrade"
