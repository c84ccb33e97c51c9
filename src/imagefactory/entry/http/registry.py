"""The registry's token service, between its signing key and the rights of an actor."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from imagefactory.adapters.registries.tokens import (
    SYSTEM_HOLDER,
    Access,
    Grant,
    TokenIssuer,
    ensure_keys,
    parse_scopes,
)
from imagefactory.kernel import env


@functools.cache
def issuer() -> TokenIssuer:
    """Return the issuer with this installation's key."""
    key_path, _ = ensure_keys(env.get().data_dir / "secrets")
    return TokenIssuer(key_path)


def issue(
    subject: str, scopes: Sequence[str], allows: Callable[[str], frozenset[str]], holder: str = SYSTEM_HOLDER
) -> dict[str, Any]:
    """Return a token with what is both asked for and allowed; nothing of the registry itself is ever granted."""
    granted = []
    for asked in parse_scopes(scopes):
        if asked.type != "repository":
            continue
        if actions := tuple(sorted(allows(asked.name).intersection(asked.actions))):
            granted.append(Access(asked.type, asked.name, actions))
    return issuer().issue(subject, granted, holder=holder)


def refused_scopes(scopes: Sequence[str], allows: Callable[[str], frozenset[str]]) -> list[tuple[str, tuple[str, ...]]]:
    """Return which repositories are asked for and not granted, and the actions that are missing."""
    asked = [a for a in parse_scopes(scopes) if a.type == "repository"]
    missing = [(a.name, tuple(sorted(set(a.actions) - allows(a.name)))) for a in asked]
    return [(name, actions) for name, actions in missing if actions]


def read_grant(text: str) -> Grant | None:
    """Return what a dispatcher's grant allows, or None for any other password."""
    return issuer().read_grant(text)
