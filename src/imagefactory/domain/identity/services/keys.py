"""API keys: making, rotating and revoking them, for people, service accounts and CI runs."""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid
from collections.abc import Collection, Mapping, Sequence

from django.db import transaction

from imagefactory.domain.identity import events, policies
from imagefactory.domain.identity.errors import KeyNotFound, ServiceAccountNotFound
from imagefactory.domain.identity.models import ApiKey, KeyPolicy, ServiceAccount, Tenant
from imagefactory.domain.identity.permissions import Permission
from imagefactory.domain.identity.selectors import key_days_max, require_tenant
from imagefactory.domain.identity.selectors.key_actors import account_permissions, narrowest
from imagefactory.domain.identity.selectors.keys import KEY_DAYS_MAX, MAX_KEYS
from imagefactory.domain.identity.states import KeyKind
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.clock import now
from imagefactory.kernel.errors import Conflict, ValidationFailed
from imagefactory.kernel.keys import new_key
from imagefactory.kernel.outbox.emit import emit
from imagefactory.kernel.text import plain_text_errors

OVERLAP_HOURS_MAX = 7 * 24
CI_MINUTES_MAX = 60
MAX_PROJECTS = 200  # that one key may name


@dataclasses.dataclass(frozen=True)
class _Wanted:
    """What someone asks of a new key, checked by `_check`."""

    name: str
    scopes: Sequence[str] | None
    days: int
    project_ids: Collection[uuid.UUID] | None
    note: str

    @property
    def permissions(self) -> list[str]:
        return [str(p) for p in Permission] if self.scopes is None else sorted(set(self.scopes))

    @property
    def projects(self) -> list[uuid.UUID] | None:
        return None if self.project_ids is None else sorted(set(self.project_ids))


def create_api_key(
    actor: Actor,
    *,
    name: str,
    scopes: Sequence[str] | None = None,
    days: int = 90,
    project_ids: Collection[uuid.UUID] | None = None,
    note: str = "",
) -> tuple[ApiKey, str]:
    """Return a new key of the actor in this tenant, and its text, which is shown this once.

    `project_ids` of None means wherever the actor may. Raises PermissionDenied from a key, ValidationFailed.
    """
    tenant_id = require_tenant(actor)
    authorize(policies.may_manage_key(actor, actor.person))
    wanted = _Wanted(name, scopes, days, project_ids, note)
    wrong = _check(wanted, key_days_max(tenant_id))
    if any(not actor.may(Permission.PROJECT_VIEW, p) for p in wanted.project_ids or ()):
        wrong["project_ids"] = ["One of these projects does not exist, or you may not see it. Choose from yours."]
    holder: Mapping[str, uuid.UUID | None] = {"user_id": actor.person}
    if not wrong and ApiKey.objects.filter(tenant_id=tenant_id, revoked_at=None, **holder).count() >= MAX_KEYS:
        wrong["name"] = [f"You have {MAX_KEYS} keys in this team. Revoke one that nothing uses."]
    if wrong:
        raise ValidationFailed(wrong)
    return _make(actor, tenant_id, KeyKind.PERSONAL, holder, wanted)


def create_account_key(
    actor: Actor,
    account_id: uuid.UUID,
    *,
    name: str,
    scopes: Sequence[str] | None = None,
    days: int = 90,
    project_ids: Collection[uuid.UUID] | None = None,
    note: str = "",
) -> tuple[ApiKey, str]:
    """Return a new key of a service account, within its permissions and projects, and its text, shown this once.

    Raises ServiceAccountNotFound, PermissionDenied, ValidationFailed.
    """
    tenant_id = require_tenant(actor)
    account = ServiceAccount.objects.filter(id=account_id, tenant_id=tenant_id, deleted_at=None).first()
    if account is None or not policies.may_see_account(actor, account.project_ids):
        raise ServiceAccountNotFound
    authorize(policies.may_manage_account(actor, account.project_ids))
    held = account_permissions(account)
    wanted = _Wanted(name, sorted(held) if scopes is None else scopes, days, project_ids, note)
    wrong = _check(wanted, key_days_max(tenant_id))
    if "scopes" not in wrong and not set(wanted.permissions) <= held:
        wrong["scopes"] = ["The service account does not have all of these permissions. Choose from its own."]
    if account.project_ids is not None and not set(wanted.project_ids or ()) <= set(account.project_ids):
        wrong["project_ids"] = ["The service account is not for all of these projects. Choose from its own."]
    if not wrong:
        places = account.project_ids if wanted.projects is None else wanted.projects
        authorize(policies.may_hand_out(actor, wanted.permissions, places))
    holder: Mapping[str, uuid.UUID | None] = {"service_account_id": account.id}
    if not wrong and ApiKey.objects.filter(revoked_at=None, **holder).count() >= MAX_KEYS:
        wrong["name"] = [f"This account has {MAX_KEYS} keys. Revoke one that nothing uses."]
    if wrong:
        raise ValidationFailed(wrong)
    return _make(actor, tenant_id, KeyKind.SERVICE, holder, wanted)


def _check(wanted: _Wanted, days_max: int) -> dict[str, list[str]]:
    wrong: dict[str, list[str]] = {}
    known = {str(p) for p in Permission}
    if not 1 <= len(wanted.name.strip()) <= 80:
        wrong["name"] = ["Give the key a name that says what uses it, in at most 80 characters."]
    elif strange := plain_text_errors(wanted.name):
        wrong["name"] = strange
    if len(wanted.note) > 300:
        wrong["note"] = ["The note has at most 300 characters."]
    if unknown := [s for s in wanted.permissions if s not in known]:
        wrong["scopes"] = [f"There is no scope {', '.join(unknown[:5])}. Choose from the permissions in the reference."]
    if not wanted.permissions:
        wrong["scopes"] = ["Choose at least one scope; a key without any can do nothing."]
    if not 1 <= wanted.days <= days_max:
        whose = "" if days_max == KEY_DAYS_MAX else " in this team"
        wrong["days"] = [f"A key lives 1 to {days_max} days{whose}."]
    if wanted.project_ids is not None and not 1 <= len(set(wanted.project_ids)) <= MAX_PROJECTS:
        wrong["project_ids"] = [f"Choose 1 to {MAX_PROJECTS} projects, or let the key work in all of them."]
    return wrong


def _make(
    actor: Actor, tenant_id: uuid.UUID, kind: KeyKind, holder: Mapping[str, uuid.UUID | None], wanted: _Wanted
) -> tuple[ApiKey, str]:
    text = new_key()
    with transaction.atomic():
        key = ApiKey.objects.create(
            tenant_id=tenant_id, kind=kind, **holder, name=wanted.name.strip(), note=wanted.note.strip(),
            prefix=text.prefix, secret_hash=text.hashed, scopes=wanted.permissions, project_ids=wanted.projects,
            expires_at=now() + dt.timedelta(days=wanted.days),
        )  # fmt: skip
        projects = None if key.project_ids is None else [str(p) for p in key.project_ids]
        emit(
            actor,
            events.ApiKeyCreated(
                tenant_id, key.id, key.name, key.scopes, key.expires_at.isoformat(), key.user_id,
                key.service_account_id, projects,
            ),
        )  # fmt: skip
    return key, text.whole


def rotate_key(actor: Actor, key_id: uuid.UUID, *, overlap_hours: int) -> tuple[ApiKey, str]:
    """Return a successor with the same scope and length of life, and its text; the old key works `overlap_hours` more.

    Raises KeyNotFound, PermissionDenied, ValidationFailed (0 to 168 hours), Conflict while an earlier rotation goes on.
    """
    tenant_id = require_tenant(actor)
    if not 0 <= overlap_hours <= OVERLAP_HOURS_MAX:
        raise ValidationFailed({"overlap_hours": ["The old key works on for 0 to 168 hours, which is 7 days."]})
    with transaction.atomic():
        old = _managed(actor, tenant_id, key_id, lock=True)
        if old.kind == KeyKind.CI or not (_is_own(actor, old) or old.service_account_id):
            raise KeyNotFound
        if old.service_account is not None:
            held = account_permissions(old.service_account) & set(old.scopes)
            authorize(policies.may_hand_out(actor, held, narrowest(old, old.service_account)))
        _may_rotate(old)
        life = max(1, round((old.expires_at - old.created_at) / dt.timedelta(days=1)))
        text, end = new_key(), min(old.expires_at, now() + dt.timedelta(hours=overlap_hours))
        # One that is replaced at once is revoked, so that its holder is told so.
        if overlap_hours:
            old.expires_at = end
        else:
            old.revoked_at = now()
        old.save(update_fields=["expires_at", "revoked_at", "updated_at"])
        key = ApiKey.objects.create(
            tenant_id=tenant_id, kind=old.kind, user_id=old.user_id, service_account_id=old.service_account_id,
            name=old.name, note=old.note, prefix=text.prefix, secret_hash=text.hashed, scopes=old.scopes,
            project_ids=old.project_ids, replaces=old,
            expires_at=now() + dt.timedelta(days=min(life, key_days_max(tenant_id))),
        )  # fmt: skip
        told = events.ApiKeyRotated(
            tenant_id, old.id, old.name, key.id, end.isoformat(), key.expires_at.isoformat(), old.user_id,
            old.service_account_id,
        )  # fmt: skip
        emit(actor, told)
    return key, text.whole


def _may_rotate(old: ApiKey) -> None:
    if ApiKey.objects.filter(replaces=old).exists():
        raise Conflict("This key was rotated already. Rotate its successor once the old key has ended.")
    before = old.replaces
    if before is not None and before.revoked_at is None and before.expires_at > now():
        raise Conflict(
            f"The key before this one works until {before.expires_at:%-d %B %Y, %H:%M} UTC. Revoke it, or wait for that, "
            "before you rotate again."
        )
    if old.expires_at <= now():
        raise Conflict("This key has expired. Make a new one instead.")


def revoke_api_key(actor: Actor, key_id: uuid.UUID) -> None:
    """Revoke a key: one's own, a service account's that one manages, or any of the tenant for who manages its team.

    It stops working at once. Safe to repeat. Raises KeyNotFound, PermissionDenied.
    """
    key = _managed(actor, require_tenant(actor), key_id)
    with transaction.atomic():
        if ApiKey.objects.filter(id=key_id, revoked_at=None).update(revoked_at=now()):
            emit(actor, events.ApiKeyRevoked(key.tenant_id, key.id, key.name, key.user_id, key.service_account_id))


def _is_own(actor: Actor, key: ApiKey) -> bool:
    return key.user_id is not None and key.user_id == actor.user_id


def _managed(actor: Actor, tenant_id: uuid.UUID, key_id: uuid.UUID, *, lock: bool = False) -> ApiKey:
    """Return a key that the actor has a say over, and check that no key asks.

    Raises KeyNotFound, PermissionDenied.
    """
    rows = ApiKey.objects.select_for_update(of=("self",)) if lock else ApiKey.objects.all()
    rows = rows.select_related("service_account", "replaces")
    key = rows.filter(id=key_id, tenant_id=tenant_id, **({"revoked_at": None} if lock else {})).first()
    if key is None:
        raise KeyNotFound
    account = key.service_account
    managed = account is not None and policies.may_see_account(actor, account.project_ids)
    if not (_is_own(actor, key) or managed or policies.may_oversee_keys(actor) is True):
        raise KeyNotFound
    authorize(policies.may_manage_key(actor, actor.person))
    return key


def set_key_policy(actor: Actor, *, days_max: int | None) -> None:
    """Set the longest life of new keys in the tenant, in days; None takes the rule away. Keys that exist stay.

    Raises PermissionDenied, ValidationFailed.
    """
    tenant_id = require_tenant(actor)
    authorize(policies.may_rule_keys(actor))
    if days_max is not None and not 1 <= days_max <= KEY_DAYS_MAX:
        raise ValidationFailed({"days_max": [f"Give 1 to {KEY_DAYS_MAX} days, or nothing for no rule."]})
    with transaction.atomic():
        Tenant.objects.select_for_update().get(id=tenant_id)
        rows = KeyPolicy.objects.filter(tenant_id=tenant_id)
        before = rows.values_list("days_max", flat=True).first()
        if before == days_max:
            return
        if days_max is None:
            rows.delete()
        else:
            KeyPolicy.objects.update_or_create(tenant_id=tenant_id, defaults={"days_max": days_max})
        emit(actor, events.KeyPolicyChanged(tenant_id, before, days_max))


def mint_ci_key(
    *,
    tenant_id: uuid.UUID,
    name: str,
    permissions: frozenset[str],
    project_ids: frozenset[uuid.UUID],
    minutes: int,
    identity: Mapping[str, str],
    actor: Actor,
) -> tuple[ApiKey, str]:
    """Return a key for one CI run, and its text: bound to projects, minutes long, without renewal.

    For the exchange, which has verified `identity` against a rule of the tenant; its `repository` and `ref` name the run in
    records. `actor` is the system or someone not signed in. Raises PermissionDenied, ValidationFailed.
    """
    authorize(policies.may_mint_ci_key(actor))
    wanted = _Wanted(name, sorted(permissions), 1, project_ids, "")
    wrong = _check(wanted, 1)
    if not 1 <= minutes <= CI_MINUTES_MAX:
        wrong["minutes"] = [f"A CI token lives 1 to {CI_MINUTES_MAX} minutes."]
    if wrong:
        raise ValidationFailed(wrong)
    text, said = new_key(), {str(k)[:60]: str(v)[:300] for k, v in list(identity.items())[:20]}
    with transaction.atomic():
        key = ApiKey.objects.create(
            tenant_id=tenant_id, kind=KeyKind.CI, name=name.strip(), prefix=text.prefix, secret_hash=text.hashed,
            scopes=wanted.permissions, project_ids=wanted.projects, identity=said,
            expires_at=now() + dt.timedelta(minutes=minutes),
        )  # fmt: skip
        projects = [str(p) for p in key.project_ids or []]
        told = events.CiKeyIssued(
            tenant_id, key.id, key.name, key.scopes, projects, key.expires_at.isoformat(), said
        )  # fmt: skip
        emit(actor, told)
    return key, text.whole
