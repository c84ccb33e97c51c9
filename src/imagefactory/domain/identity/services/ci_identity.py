"""CI jobs prove who they are with a token of their own system, and get a key that lives for minutes."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from imagefactory.adapters.identity import tokens
from imagefactory.adapters.identity.addresses import ProviderUnreachable
from imagefactory.domain.identity.models import CiTrust, Tenant
from imagefactory.domain.identity.services.assertions import spend
from imagefactory.domain.identity.services.keys import mint_ci_key
from imagefactory.domain.identity.services.provider_settings import host_policy
from imagefactory.domain.identity.states import TenantState
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.clock import now
from imagefactory.kernel.errors import Unauthorized
from imagefactory.kernel.ids import digest
from imagefactory.kernel.throttle.check import count_attempt, origin

MAX_LIFE = dt.timedelta(hours=24)  # of a CI token; longer ones are no job's


@dataclasses.dataclass(frozen=True)
class CiIdentity:
    """A job that proved who it is, and the rule that it fits: what a key for it may do, and for how long."""

    rule_id: uuid.UUID
    rule_name: str
    tenant_id: uuid.UUID
    project_ids: Sequence[uuid.UUID]
    permissions: Sequence[str]
    minutes: int
    issuer: str
    subject: str
    claims: Mapping[str, Any]


# Claims that name the run in records: GitHub's and GitLab's words.
_TOLD = frozenset({
    "repository", "ref", "sha", "workflow", "run_id", "actor", "environment", "project_path", "pipeline_id", "job_id",
    "user_login", "ref_type",
})  # fmt: skip

# One sentence whatever is wrong before a rule matched: a stranger must not find out which tenants trust whom.
_NOBODY = (
    "This token opens nothing here. Check that the tenant has a rule for its issuer, audience and claims, and that the token "
    "is fresh and was not used before."
)


def verified_ci_identity(actor: Actor, token: str, tenant: str) -> CiIdentity:
    """Return whom a CI token speaks for in this tenant (slug or id), and by which rule; the token is used up by that.

    The issuer is asked only when a rule of the tenant names it, so a token cannot send us anywhere. Raises Unauthorized,
    RateLimited (60 in 5 minutes from one address).
    """
    count_attempt("exchange a CI token", origin(actor.address), limit=60, window_seconds=300)
    try:
        said = tokens.claimed(token)
        issuer = str(said.get("iss", ""))[:500]
        rules = _rules(tenant, issuer)
        for audience in sorted({rule.audience for rule in rules}):
            if audience in _audiences(said):
                claims = tokens.verify(
                    token, issuer=issuer, audience=audience, policy=host_policy(rules[0].tenant_id), need=("sub",)
                )
                return _matched([r for r in rules if r.audience == audience], claims, token)
    except (tokens.TokenRefused, ProviderUnreachable) as error:
        # Whoever fits a rule's issuer and audience may know why: the job's log is where it is needed.
        raise Unauthorized(f"{_NOBODY} {error.message}" if error.message else _NOBODY) from error
    raise Unauthorized(_NOBODY)


def _rules(tenant: str, issuer: str) -> list[CiTrust]:
    which = Tenant.objects.filter(slug=tenant[:64]) if not _is_uuid(tenant) else Tenant.objects.filter(id=tenant)
    found = CiTrust.objects.filter(tenant__in=which.filter(state=TenantState.ACTIVE), issuer=issuer, enabled=True)
    return list(found.order_by("name"))


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def _audiences(claims: Mapping[str, Any]) -> set[str]:
    said = claims.get("aud")
    return {str(a) for a in said} if isinstance(said, list) else {str(said)}


def _matched(rules: list[CiTrust], claims: dict[str, Any], token: str) -> CiIdentity:
    until = dt.datetime.fromtimestamp(int(claims["exp"]), dt.UTC)
    if until - now() > MAX_LIFE:
        raise tokens.TokenRefused("The token lives longer than a day, which no job does.")
    rule = next((r for r in rules if fits(r.claims, claims)), None)
    if rule is None:
        raise tokens.TokenRefused("The token is valid, and its claims fit no rule of this tenant.")
    # The whole token stands in for a missing jti: the same one may not come twice either way.
    once = str(claims.get("jti") or digest(token))
    if not spend(f"ci {claims['iss']}", once, until + dt.timedelta(seconds=tokens.LEEWAY_SECONDS)):
        raise tokens.TokenRefused("The token was used before; each works once.")
    CiTrust.objects.filter(id=rule.id).update(last_used_at=now())
    return CiIdentity(
        rule.id, rule.name, rule.tenant_id, [uuid.UUID(p) for p in rule.project_ids], rule.permissions, rule.minutes,
        rule.issuer, str(claims["sub"])[:400], claims,
    )  # fmt: skip


def fits(patterns: Mapping[str, str], claims: Mapping[str, Any]) -> bool:
    """Whether every pattern fits its claim; a claim that is missing or no text, number or yes/no fits nothing."""
    return bool(patterns) and all(_fits(pattern, claims.get(name)) for name, pattern in patterns.items())


def _fits(pattern: str, value: Any) -> bool:
    if isinstance(value, bool):
        value = str(value).lower()
    if not isinstance(value, str | int):
        return False
    # Only * is special, and it does not cross a slash: team/* is the repositories of team, and not team/a/b.
    wanted = "".join("[^/]*" if part == "*" else re.escape(part) for part in re.split(r"(\*)", pattern))
    return re.fullmatch(wanted, str(value)) is not None


@dataclasses.dataclass(frozen=True)
class CiKey:
    """The only time that the key of a job is seen."""

    text: str
    expires_at: dt.datetime
    rule_name: str


def exchange_ci_token(actor: Actor, token: str, tenant: str) -> CiKey:
    """Return a key for the job that this token speaks for: in the rule's projects, with its permissions, minutes long.

    Raises Unauthorized, RateLimited.
    """
    found = verified_ci_identity(actor, token, tenant)
    told = {name: str(value) for name, value in found.claims.items() if name in _TOLD and isinstance(value, str | int)}
    key, text = mint_ci_key(
        tenant_id=found.tenant_id,
        name=f"CI: {found.rule_name}"[:80],
        permissions=frozenset(found.permissions),
        project_ids=frozenset(found.project_ids),
        minutes=found.minutes,
        identity={"issuer": found.issuer, "subject": found.subject, "rule": found.rule_name, **told},
        actor=actor,
    )
    return CiKey(text, key.expires_at, found.rule_name)
