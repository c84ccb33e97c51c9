"""Which second factors a person has: read from django-allauth's table, which keeps their secrets encrypted."""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid
from collections.abc import Collection

from allauth.mfa.models import Authenticator

from imagefactory.domain.identity.models import AuthSession, Membership, Tenant
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.clock import now

KINDS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
FRESH = dt.timedelta(minutes=15)


@dataclasses.dataclass(frozen=True)
class Factor:
    """One second factor; `id` is 0 for none."""

    id: int
    kind: str
    name: str
    created_at: dt.datetime
    last_used_at: dt.datetime | None


@dataclasses.dataclass(frozen=True)
class Factors:
    """What protects an account besides its password; `codes_left` is how many recovery codes are unused."""

    app: Factor | None
    keys: list[Factor]
    codes_left: int

    @property
    def any(self) -> bool:
        return self.app is not None or bool(self.keys)


def has_second_factor(user_id: uuid.UUID) -> bool:
    """Whether a password alone is not enough for this account; recovery codes alone do not count."""
    return bool(Authenticator.objects.filter(user_id=user_id, type__in=KINDS).exists())


def people_with_factor(user_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Return those of these people whose account a password alone does not open."""
    rows = Authenticator.objects.filter(user_id__in=user_ids, type__in=KINDS)
    return set(rows.values_list("user_id", flat=True))


def _factor(row: Authenticator) -> Factor:
    name = str(row.data.get("name") or "Authenticator app")
    return Factor(row.pk, str(row.type), name, row.created_at, row.last_used_at)


def second_factors(actor: Actor) -> Factors:
    """Return the actor's own second factors."""
    return factors_of(actor.person)


def factors_of(user_id: uuid.UUID) -> Factors:
    """Return the second factors of someone who is signing in."""
    rows = list(Authenticator.objects.filter(user_id=user_id).order_by("created_at", "pk"))
    apps = [_factor(r) for r in rows if r.type == Authenticator.Type.TOTP]
    keys = [_factor(r) for r in rows if r.type == Authenticator.Type.WEBAUTHN]
    codes = [r for r in rows if r.type == Authenticator.Type.RECOVERY_CODES]
    left = len(codes[0].wrap().get_unused_codes()) if codes else 0
    return Factors(apps[0] if apps else None, keys, left)


def tenants_that_want_a_factor(actor: Actor) -> list[str]:
    """Return the names of the actor's tenants that only open to people with a second factor."""
    mine = Membership.objects.filter(user_id=actor.person).values("tenant_id")
    return list(
        Tenant.objects.filter(id__in=mine, second_factor_required=True)
        .order_by("name")
        .values_list("name", flat=True)[:50]
    )


def is_fresh(actor: Actor) -> bool:
    """Whether this sign-in proved who it is within the last 15 minutes, so that it is not asked for the password again."""
    moment = now()
    proven = (
        AuthSession.objects.filter(id=actor.session, user_id=actor.person).values_list("proven_at", flat=True).first()
    )
    return proven is not None and proven <= moment < proven + FRESH
