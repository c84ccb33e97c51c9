"""Signed tokens (JWT) of OpenID issuers: discovery, key sets with a bounded cache, and every check of RFC 7519 that counts."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

import jwt

from imagefactory.adapters.identity.addresses import HostPolicy, ProviderUnreachable
from imagefactory.adapters.identity.http import get_json

ALGORITHMS: Final = ("RS256", "ES256")
LEEWAY_SECONDS = 60
MAX_TOKEN = 16 * 1024  # characters
CACHE_SECONDS, CACHE_ISSUERS = 600.0, 200
# A token that names an unknown key makes us look for new keys, at most so often for one issuer.
REFRESH_SECONDS = 30.0


class TokenRefused(Exception):
    """The token is not believed; `message` says which check it failed, and never repeats the token."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclasses.dataclass(frozen=True)
class Issuer:
    """What an issuer says about itself (OpenID Connect Discovery 1.0), with its keys by id."""

    configuration: Mapping[str, Any]
    keys: Mapping[str, jwt.PyJWK]
    fetched_at: float


_cache: OrderedDict[tuple[str, HostPolicy], Issuer] = OrderedDict()
_lock = threading.Lock()


def discover(issuer: str, policy: HostPolicy, *, older_than: float = CACHE_SECONDS) -> Issuer:
    """Return the issuer's configuration and keys, from the cache when younger than `older_than` seconds.

    Raises ProviderUnreachable, also when the document names another issuer than the address it was fetched for.
    """
    key = (issuer, policy)
    with _lock:
        known = _cache.get(key)
    if known and time.monotonic() - known.fetched_at < older_than:
        return known
    configuration = get_json(f"{issuer.rstrip('/')}/.well-known/openid-configuration", policy)
    if configuration.get("issuer") != issuer:
        raise ProviderUnreachable(
            f"The document at {issuer} speaks for the issuer {str(configuration.get('issuer'))[:200]!r}. Write the issuer "
            "exactly as it stands there."
        )
    found = Issuer(configuration, _keys(get_json(str(configuration.get("jwks_uri", "")), policy)), time.monotonic())
    with _lock:
        _cache[key] = found
        _cache.move_to_end(key)
        while len(_cache) > CACHE_ISSUERS:
            _cache.popitem(last=False)
    return found


def _keys(document: Mapping[str, Any]) -> dict[str, jwt.PyJWK]:
    keys: dict[str, jwt.PyJWK] = {}
    for each in list(document.get("keys") or [])[:100]:
        if not isinstance(each, dict) or each.get("use", "sig") != "sig":
            continue
        try:
            keys[str(each.get("kid", ""))] = jwt.PyJWK.from_dict(each, algorithm=each.get("alg") or _algorithm(each))
        except (jwt.PyJWTError, KeyError, ValueError):
            continue  # a key of a kind that we do not take; the issuer's other keys are still good
    return keys


def _algorithm(key: Mapping[str, Any]) -> str:
    return "ES256" if key.get("kty") == "EC" else "RS256"


def verify(token: str, *, issuer: str, audience: str, policy: HostPolicy, need: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the claims of a token that this issuer signed for this audience and that is valid now.

    `need` names claims that must be there besides iss, aud, exp and iat. Raises TokenRefused, ProviderUnreachable.
    """
    key = _key_of(token, issuer, policy)
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key=key.key,
            algorithms=list(ALGORITHMS),
            audience=audience,
            issuer=issuer,
            leeway=LEEWAY_SECONDS,
            options={"require": ["iss", "aud", "exp", "iat", *need]},
        )
    except jwt.ExpiredSignatureError:
        raise TokenRefused("The token has expired. Ask the issuer for a new one.") from None
    except (jwt.ImmatureSignatureError, jwt.InvalidIssuedAtError):
        raise TokenRefused("The token is not valid yet: the clock of its issuer or of this machine is wrong.") from None
    except jwt.InvalidAudienceError:
        raise TokenRefused(f"The token is meant for someone else: its audience must be {audience}.") from None
    except jwt.InvalidIssuerError:
        raise TokenRefused(f"The token comes from another issuer than {issuer}.") from None
    except jwt.MissingRequiredClaimError as error:
        raise TokenRefused(f"The token lacks the claim {error.claim}.") from None
    except jwt.PyJWTError:
        raise TokenRefused("The token's signature is not the issuer's, or the token is damaged.") from None
    return claims


def _key_of(token: str, issuer: str, policy: HostPolicy) -> jwt.PyJWK:
    header = header_of(token)
    if header.get("alg") not in ALGORITHMS:
        raise TokenRefused(f"The token is signed with an algorithm that is not taken; use {' or '.join(ALGORITHMS)}.")
    kid = str(header.get("kid", ""))
    found = discover(issuer, policy)
    if kid not in found.keys:
        found = discover(issuer, policy, older_than=REFRESH_SECONDS)
    key = found.keys.get(kid)
    if key is None or key.algorithm_name != header["alg"]:
        raise TokenRefused("The token is signed with a key that its issuer does not publish.")
    return key


def header_of(token: str) -> dict[str, Any]:
    """Return the header of a token, which nobody has checked yet.

    Raises TokenRefused.
    """
    if not token or len(token) > MAX_TOKEN:
        raise TokenRefused(f"This is no token: it is empty or longer than {MAX_TOKEN:,} characters.")
    try:
        return dict(jwt.get_unverified_header(token))
    except jwt.PyJWTError:
        raise TokenRefused("This is no signed token (JWT).") from None


def claimed(token: str) -> dict[str, Any]:
    """Return what a token claims without believing it: to look up whom to ask.

    Raises TokenRefused.
    """
    header_of(token)
    try:
        return dict(jwt.decode(token, options={"verify_signature": False}))
    except jwt.PyJWTError:
        raise TokenRefused("This is no signed token (JWT).") from None
