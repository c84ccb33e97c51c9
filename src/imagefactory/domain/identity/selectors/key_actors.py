"""An API key becomes an actor: its owner, a service account, or a CI run."""

from __future__ import annotations

import datetime as dt
import uuid

from imagefactory.domain.identity.errors import TenantNotFound
from imagefactory.domain.identity.models import ApiKey, Membership, ServiceAccount, Tenant
from imagefactory.domain.identity.permissions import READ_ONLY, ROLE_PERMISSIONS, Role
from imagefactory.domain.identity.selectors.actor_parts import actor_from
from imagefactory.domain.identity.selectors.ip_lists import check_address
from imagefactory.domain.identity.selectors.rights import Rights, capabilities_of
from imagefactory.domain.identity.states import KeyKind, TenantState
from imagefactory.kernel.actor import Actor, ActorKind
from imagefactory.kernel.clock import now
from imagefactory.kernel.errors import TokenExpired, Unauthorized
from imagefactory.kernel.keys import read_key

USED_EVERY = dt.timedelta(minutes=1)  # the last use is written at most so often: a hot row otherwise
_JOINED = ("user", "service_account", "tenant__ip_list")


def actor_for_key(text: str, tenant: str | None, request_id: str, address: str) -> Actor:
    """Return the actor of an API key.

    Raises Unauthorized, TokenExpired, TenantNotFound, AddressNotAllowed.
    """
    shown = read_key(text)
    if shown is None:
        raise Unauthorized(
            "This API key is mistyped or cut off: its characters do not fit together. Copy the whole key again."
        )
    key = ApiKey.objects.filter(prefix=shown.prefix).select_related(*_JOINED).first()
    # The comparison runs for an unknown prefix too, so that the time says nothing.
    if not shown.fits(key.secret_hash if key else "") or key is None:
        raise Unauthorized("This API key is not valid, or was revoked. Make a new one in your account.")
    return _actor(key, tenant, request_id, address)


def actor_for_key_id(key_id: uuid.UUID, *, address: str = "") -> Actor:
    """Return the actor of a key that was shown before, when it still works; for tokens that were given for it.

    Raises what actor_for_key raises.
    """
    key = ApiKey.objects.filter(id=key_id).select_related(*_JOINED).first()
    if key is None:
        raise Unauthorized("The API key behind this token is gone. Sign in with another.")
    return _actor(key, None, "", address)


def actor_for_starter(starter_id: uuid.UUID, tenant: str) -> Actor | None:
    """Return the actor of a key that started something in this tenant which goes on without it, with its rights of now.

    A key that ran out since then still counts, as it did its work in time; one that was revoked does not. None when there
    is no such key.
    """
    key = ApiKey.objects.filter(id=starter_id, tenant__slug=tenant, revoked_at=None).select_related(*_JOINED).first()
    if key is None:
        return None
    _holder_works(key)
    return _with_rights(key)


def program_name(subject_id: uuid.UUID) -> tuple[ActorKind, str] | None:
    """Return how a service account or a CI run is called in records; None for neither."""
    if account := ServiceAccount.objects.filter(id=subject_id).first():
        return ActorKind.SERVICE_ACCOUNT, service_account_label(account.name)
    if key := ApiKey.objects.filter(id=subject_id, kind=KeyKind.CI).first():
        return ActorKind.CI, ci_label(key)
    return None


def service_account_label(name: str) -> str:
    return f"{name} (service account)"


def ci_label(key: ApiKey) -> str:
    """Return what ran and from which ref, or the rule's name where the provider did not say."""
    said = " ".join(str(key.identity[k]) for k in ("repository", "ref") if key.identity.get(k))
    return f"{said or key.name} (CI)"[:200]


def _actor(key: ApiKey, tenant: str | None, request_id: str, address: str) -> Actor:
    if key.revoked_at is not None:
        raise Unauthorized(f"This API key was revoked on {key.revoked_at:%-d %B %Y}. Make a new one, or ask for one.")
    if key.expires_at <= now():
        raise TokenExpired(f"This API key expired on {key.expires_at:%-d %B %Y}. Make a new one in your account.")
    _holder_works(key)
    if tenant and tenant not in {key.tenant.slug, str(key.tenant_id)}:
        raise TenantNotFound
    check_address(key.tenant, address, program=True)
    _remember_use(key, address)
    return _with_rights(key, request_id, address)


def _holder_works(key: ApiKey) -> None:
    account, user = key.service_account, key.user
    if user is not None and not user.is_active:
        raise Unauthorized("This API key is not valid, or was revoked. Make a new one in your account.")
    if user is not None and not Membership.objects.filter(user=user, tenant=key.tenant).exists():
        raise Unauthorized("The owner of this API key no longer belongs to its tenant.")
    if account is not None and (account.disabled_at or account.deleted_at):
        raise Unauthorized(f"The service account {account.name} is switched off or deleted. Ask who looks after it.")


def _with_rights(key: ApiKey, request_id: str = "", address: str = "") -> Actor:
    if key.user is not None:
        return actor_from(
            key.user, key.tenant, request_id=request_id, address=address,
            key_id=key.id, scopes=key.scopes, project_ids=key.project_ids,
        )  # fmt: skip
    account = key.service_account
    if account is not None:
        kind, name = ActorKind.SERVICE_ACCOUNT, service_account_label(account.name)
        held = account_permissions(account) & frozenset(key.scopes)
        rights = _held(key.tenant, held, narrowest(key, account), account.role)
    else:
        kind, name = ActorKind.CI, ci_label(key)
        rights = _held(key.tenant, frozenset(key.scopes), key.project_ids or [])
    return Actor(
        kind=kind, name=name, key_id=key.id, service_account_id=account.id if account else None,
        tenant_id=key.tenant_id, tenant_slug=key.tenant.slug, tenant_state=key.tenant.state, role=rights.role,
        tenant_permissions=rights.everywhere, project_permissions=rights.by_project,
        capabilities=capabilities_of(key.tenant), request_id=request_id, address=address,
    )  # fmt: skip


def _remember_use(key: ApiKey, address: str) -> None:
    # A clock that was set back must not stop this until it has caught up.
    if key.last_used_at is None or abs(now() - key.last_used_at) > USED_EVERY:
        ApiKey.objects.filter(id=key.id).update(last_used_at=now(), last_used_address=address[:64])


def account_permissions(account: ServiceAccount) -> frozenset[str]:
    """Return the permissions of a service account: those of its role, or its own."""
    return frozenset(map(str, ROLE_PERMISSIONS[Role(account.role)])) if account.role else frozenset(account.permissions)


def _held(tenant: Tenant, permissions: frozenset[str], projects: list[uuid.UUID] | None, role: str = "") -> Rights:
    found = Rights(permissions, {}, role).within(projects)
    return found if tenant.state == TenantState.ACTIVE else found.limited_to(READ_ONLY)


def narrowest(key: ApiKey, account: ServiceAccount) -> list[uuid.UUID] | None:
    """Return the projects of a service account's key: never more than its account has now."""
    if key.project_ids is None or account.project_ids is None:
        return account.project_ids if key.project_ids is None else key.project_ids
    return [p for p in key.project_ids if p in set(account.project_ids)]
