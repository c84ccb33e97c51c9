"""The test button of a provider: each step of a sign-in that needs no person, with its result in a sentence."""

from __future__ import annotations

import dataclasses
import uuid
from urllib.parse import urlsplit

from imagefactory.adapters.identity import tokens
from imagefactory.adapters.identity.addresses import ProviderUnreachable
from imagefactory.domain.identity.errors import DirectoryUnavailable
from imagefactory.domain.identity.selectors.providers import ProviderConnection, connection, provider_row
from imagefactory.domain.identity.services import provider_settings
from imagefactory.domain.identity.services.directory import directory_person
from imagefactory.domain.identity.states import ProviderKind
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.throttle.check import count_attempt

SOON_DAYS = 30


@dataclasses.dataclass(frozen=True)
class Check:
    """One step: its name, whether it worked (None: not tried, as one before it failed), and what is said of it."""

    name: str
    ok: bool | None
    sentence: str


def check_provider(actor: Actor, provider_id: uuid.UUID) -> list[Check]:
    """Try a provider as its settings stand; nothing is changed.

    Raises ProviderNotFound, PermissionDenied, RateLimited (30 in 10 minutes).
    """
    row = provider_row(actor, provider_id)
    count_attempt("test a provider", str(actor.person), limit=30, window_seconds=600)
    found = connection(row.id, enabled_only=False)
    match found.kind:
        case ProviderKind.OIDC:
            return _oidc(found)
        case ProviderKind.SAML:
            return _saml(found)
        case _:
            return _ldap(found)


def _oidc(found: ProviderConnection) -> list[Check]:
    policy = provider_settings.host_policy(found.tenant_id)
    try:
        issuer = tokens.discover(found.configuration["issuer"], policy, older_than=0)
    except ProviderUnreachable as error:
        return [
            Check("discovery", False, error.message),
            Check("keys", None, "Not tried."),
            Check("code", None, "Not tried."),
        ]
    said = issuer.configuration
    keys = [k for k in issuer.keys.values() if k.algorithm_name in tokens.ALGORITHMS]
    usable = "S256" in (said.get("code_challenge_methods_supported") or ["S256"])
    return [
        Check("discovery", True, f"{said['issuer']} answers and names itself as expected."),
        Check(
            "keys", bool(keys),
            f"{len(keys)} signing key{'s' if len(keys) != 1 else ''} for {' or '.join(tokens.ALGORITHMS)}."
            if keys else f"It publishes no key for {' or '.join(tokens.ALGORITHMS)}. Change its signing algorithm.",
        ),
        Check(
            "code", usable and bool(said.get("token_endpoint")) and bool(said.get("authorization_endpoint")),
            "The code flow with PKCE is offered." if usable else "It does not offer PKCE with S256. Switch that on there.",
        ),
    ]  # fmt: skip


def _saml(found: ProviderConnection) -> list[Check]:
    checks = []
    for name, label in (("certificate", "certificate"), ("next_certificate", "next certificate")):
        if found.configuration[name]:
            checks.append(_certificate(label, found.configuration[name]))
    host = urlsplit(found.configuration["sso_url"]).hostname
    checks.append(
        Check("address", True, f"People are sent to {host}; their browsers must reach it, the factory need not.")
    )
    return checks


def _certificate(label: str, pem: str) -> Check:
    ends, days = provider_settings.expiry(pem)
    if days < 0:
        return Check(label, False, f"It ended on {ends:%-d %B %Y}. Paste the new one of the provider.")
    soon = " Ask the provider for the next one soon." if days <= SOON_DAYS else ""
    return Check(label, True, f"It is valid until {ends:%-d %B %Y}, {days} days from now.{soon}")


def _ldap(found: ProviderConnection) -> list[Check]:
    names = ["address", "certificate", "bind", "people", "groups"]
    done: list[Check] = []
    try:
        parts = urlsplit(found.configuration["url"])
        port = parts.port or (636 if parts.scheme == "ldaps" else 389)
        provider_settings.host_policy(found.tenant_id).resolve(parts.hostname or "", port)
        done.append(Check("address", True, f"{parts.hostname} is known and allowed."))
        with directory_person(found, "image-factory-test") as person:
            person.connect()
            done.append(Check("certificate", True, "The connection is protected and the certificate is right."))
            _ = person.connection
            done.append(
                Check("bind", True, f"The directory lets {found.configuration['bind_dn'] or 'anyone'} in to search.")
            )
            count = person.count(
                found.configuration["user_base"], found.configuration["user_filter"].replace("%(user)s", "*")
            )
            done.append(Check("people", count > 0, _counted(count, "people", "user_base and user_filter")))
            if found.configuration["group_base"]:
                count = person.count_groups()
                done.append(Check("groups", True, _counted(count, "groups", "group_base and group_type")))
            else:
                done.append(Check("groups", None, "No place of groups is set, so roles do not follow the directory."))
    except (ProviderUnreachable, DirectoryUnavailable) as error:
        done.append(Check(names[len(done)], False, error.message))
    return done + [Check(name, None, "Not tried.") for name in names[len(done) :]]


def _counted(count: int, what: str, settings: str) -> str:
    if not count:
        return f"No {what} are found; look at {settings}."
    return f"{'At least ' if count >= 500 else ''}{count} {what} are found."
