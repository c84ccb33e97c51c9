"""Making, changing and removing identity providers, and the rule that members must come through one."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import IntegrityError, transaction

from imagefactory.domain.identity import events, policies
from imagefactory.domain.identity.errors import ProviderNotFound
from imagefactory.domain.identity.models import (
    ExternalIdentity,
    IdentityProvider,
    ProviderGrant,
    ProviderRole,
    RoleBinding,
    Tenant,
)
from imagefactory.domain.identity.permissions import Role
from imagefactory.domain.identity.selectors import require_tenant
from imagefactory.domain.identity.selectors.providers import MOST, RoleRow, provider_row
from imagefactory.domain.identity.services import provider_settings
from imagefactory.domain.identity.states import ProviderKind
from imagefactory.kernel import secrets
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.clock import now
from imagefactory.kernel.errors import Conflict, ValidationFailed
from imagefactory.kernel.outbox.emit import emit

MAX_ROLES = 200
MAX_SECRET = 4000  # characters


@dataclasses.dataclass(frozen=True)
class ProviderForm:
    """What a person says about a provider. `secret` None keeps the stored one; it is never given back."""

    name: str
    configuration: Mapping[str, Any]
    domains: Sequence[str] = ()
    roles: Sequence[RoleRow] = ()
    creates_people: bool = False
    enabled: bool = True
    secret: str | None = None


def create_provider(actor: Actor, kind: str, form: ProviderForm, *, of_installation: bool = False) -> uuid.UUID:
    """Make a provider of the actor's tenant, or of the installation, and return its id.

    Raises PermissionDenied, ValidationFailed with all fields at once.
    """
    tenant_id = None if of_installation else require_tenant(actor)
    authorize(policies.may_manage_providers(actor, tenant_id))
    if kind not in {str(k) for k in ProviderKind}:
        raise ValidationFailed({"kind": ["Choose oidc, saml or ldap."]})
    settings, domains = provider_settings.cleaned(kind, form.configuration), _domains(form.domains)
    _check(kind, form, settings, domains, tenant_id)
    if kind == ProviderKind.OIDC and not form.secret:
        raise ValidationFailed({"secret": ["Give the client secret that the provider made."]})
    with transaction.atomic():
        if IdentityProvider.objects.filter(tenant=tenant_id).count() >= MOST:
            raise Conflict(f"There are {MOST} sign-in providers already. Delete one that is not used.")
        row = IdentityProvider.objects.create(
            tenant_id=tenant_id,
            kind=kind,
            name=_free_name(tenant_id, form.name),
            enabled=form.enabled,
            configuration=settings,
            secret=secrets.encrypt(form.secret) if form.secret else None,
            domains=domains,
            domains_confirmed=tenant_id is None,
            creates_people=form.creates_people,
        )
        _set_roles(row, form.roles)
        emit(actor, events.IdentityProviderCreated(tenant_id, row.id, row.name, kind))
    return row.id


def update_provider(actor: Actor, provider_id: uuid.UUID, form: ProviderForm, *, if_version: int | None = None) -> None:
    """Change a provider. Other domains than before want to be confirmed by an administrator again.

    Raises ProviderNotFound, PermissionDenied, ValidationFailed, Conflict when someone else changed it meanwhile.
    """
    row = provider_row(actor, provider_id)
    authorize(policies.may_manage_providers(actor, row.tenant_id))
    settings, domains = provider_settings.cleaned(row.kind, form.configuration), _domains(form.domains)
    _check(row.kind, form, settings, domains, row.tenant_id)
    with transaction.atomic():
        row = IdentityProvider.objects.select_for_update().get(id=row.id)
        if if_version is not None and if_version != row.version:
            raise Conflict("Someone else changed this provider meanwhile. Look at the new values and try again.")
        before = _facts(row)
        if settings.get("issuer") != row.configuration.get("issuer") or settings.get(
            "entity_id"
        ) != row.configuration.get("entity_id"):
            # Names of people are names within one issuer: another one may call someone else by the same.
            ExternalIdentity.objects.filter(provider=row).delete()
        row.name = _free_name(row.tenant_id, form.name, besides=row.id)
        row.configuration, row.enabled, row.creates_people = settings, form.enabled, form.creates_people
        if row.tenant_id is not None and set(domains) - set(row.domains):
            row.domains_confirmed = False
        row.domains = domains
        if form.secret:
            row.secret = secrets.encrypt(form.secret)
        row.version += 1
        row.save()
        _set_roles(row, form.roles)
        changed = _difference(before, _facts(row))
        if form.secret:
            changed = ({**changed[0], "secret": "set"}, {**changed[1], "secret": "set anew"})
        emit(actor, events.IdentityProviderChanged(row.tenant_id, row.id, row.name, *changed))


def delete_provider(actor: Actor, provider_id: uuid.UUID) -> None:
    """Remove a provider: what it gave goes with it, and whoever came through it is signed out at their next request.

    Raises ProviderNotFound, PermissionDenied.
    """
    row = provider_row(actor, provider_id)
    authorize(policies.may_manage_providers(actor, row.tenant_id))
    with transaction.atomic():
        for grant in ProviderGrant.objects.filter(provider=row).exclude(role=Role.OWNER):
            RoleBinding.objects.filter(
                tenant_id=grant.tenant_id, user_id=grant.user_id, project_id=grant.project_id, role=grant.role
            ).delete()
        if row.tenant_id and not IdentityProvider.objects.filter(tenant_id=row.tenant_id).exclude(id=row.id).exists():
            Tenant.objects.filter(id=row.tenant_id).update(requires_sso=False)
        emit(actor, events.IdentityProviderDeleted(row.tenant_id, row.id, row.name, row.kind))
        row.delete()


def require_sso(actor: Actor, *, required: bool) -> None:
    """Say whether members must come through a provider of this tenant or of the installation. Safe to repeat.

    Raises PermissionDenied, Conflict when there is no enabled provider, so that nobody locks the team out.
    """
    tenant_id = require_tenant(actor)
    authorize(policies.may_manage_providers(actor, tenant_id))
    with transaction.atomic():
        tenant = Tenant.objects.select_for_update().get(id=tenant_id)
        if required and not IdentityProvider.objects.filter(tenant_id=tenant_id, enabled=True).exists():
            raise Conflict("Set up a provider first and try it; with none, no member could come in.")
        if tenant.requires_sso == required:
            return
        Tenant.objects.filter(id=tenant_id).update(requires_sso=required)
        emit(
            actor,
            events.IdentityProviderChanged(
                tenant_id, tenant_id, "sign-in of the team", {"required": not required}, {"required": required}
            ),
        )


def confirm_domains(actor: Actor, provider_id: uuid.UUID) -> None:
    """Say that a tenant owns the domains of its provider: an address typed at the sign-in page then leads there.

    Raises PermissionDenied, ProviderNotFound.
    """
    authorize(policies.may_manage_providers(actor, None))
    with transaction.atomic():
        row = IdentityProvider.objects.select_for_update().filter(id=provider_id).first()
        if row is None:
            raise ProviderNotFound
        if not row.domains_confirmed:
            IdentityProvider.objects.filter(id=row.id).update(domains_confirmed=True, version=row.version + 1)
            change = {"domains_confirmed": False}, {"domains_confirmed": True, "domains": row.domains}
            emit(actor, events.IdentityProviderChanged(row.tenant_id, row.id, row.name, *change))


def end_identity(actor: Actor, provider_id: uuid.UUID, user_id: uuid.UUID) -> None:
    """End every session that someone has through a provider, and unlink them; for its managers. Safe to repeat.

    Raises ProviderNotFound, PermissionDenied.
    """
    row = provider_row(actor, provider_id)
    authorize(policies.may_manage_providers(actor, row.tenant_id))
    with transaction.atomic():
        if ExternalIdentity.objects.filter(provider=row, user_id=user_id).delete()[0]:
            emit(actor, events.IdentityUnlinked(row.tenant_id, user_id, row.id, row.name, "manager"))


def unlink(actor: Actor, identity_id: uuid.UUID) -> None:
    """Remove a link of one's own; sessions through it end at once. Safe to repeat.

    Raises PermissionDenied from a key or a sign-in that the provider itself opened.
    """
    authorize(policies.may_act_as_person(actor))
    with transaction.atomic():
        row = ExternalIdentity.objects.filter(id=identity_id, user_id=actor.person).select_related("provider").first()
        if row is not None:
            provider = row.provider
            emit(actor, events.IdentityUnlinked(provider.tenant_id, actor.person, provider.id, provider.name, "person"))
            row.delete()


def _domains(given: Sequence[str]) -> list[str]:
    return sorted({d.strip().lower().removeprefix("@") for d in given if d.strip()})


def _free_name(tenant_id: uuid.UUID | None, name: str, besides: uuid.UUID | None = None) -> str:
    name = name.strip()
    taken = IdentityProvider.objects.filter(tenant=tenant_id, name=name).values_list("id", flat=True).first()
    if taken is not None and taken != besides:
        raise ValidationFailed({"name": [f"There is a provider named {name} already. Choose another name."]})
    return name


def _check(
    kind: str, form: ProviderForm, settings: Mapping[str, Any], domains: list[str], tenant_id: uuid.UUID | None
) -> None:
    wrong = provider_settings.configuration_errors(kind, settings)
    if not 1 <= len(form.name.strip()) <= 80 or not form.name.isprintable():
        wrong["name"] = ["Give it the name that stands on the sign-in button, in at most 80 characters."]
    if about := provider_settings.domain_errors(domains):
        wrong["domains"] = about
    elif not domains:
        wrong["domains"] = ["Name at least one e-mail domain; the provider is believed about no other address."]
    if form.secret and len(form.secret) > MAX_SECRET:
        wrong["secret"] = [f"This is longer than {MAX_SECRET:,} characters."]
    if about := _role_errors(form.roles, tenant_id):
        wrong["roles"] = about
    if wrong:
        raise ValidationFailed(wrong)


def _role_errors(roles: Sequence[RoleRow], tenant_id: uuid.UUID | None) -> list[str]:
    if len(roles) > MAX_ROLES:
        return [f"At most {MAX_ROLES} rows of groups and roles."]
    for row in roles:
        where = f"the group {row.group}" if row.group else "everyone"
        if row.role not in {str(r) for r in Role}:
            return [f"Choose the role of {where}: owner, admin, member or viewer."]
        if (row.role == Role.OWNER) != (row.project_id is None):
            return [f"Owner holds in the whole team and every other role in one project; correct the row of {where}."]
        if len(row.group) > 400 or (tenant_id is not None and row.tenant_id != tenant_id):
            return [
                f"The row of {where} is not valid: a group's name has at most 400 characters, and its team is yours."
            ]
        if not row.group and row.role == Role.OWNER:
            return ["Not everyone of a provider can be an owner; give that role to a group."]
    return []


def _set_roles(row: IdentityProvider, roles: Sequence[RoleRow]) -> None:
    ProviderRole.objects.filter(provider=row).delete()
    unique = {(r.tenant_id, r.group.strip(), r.project_id): r.role for r in roles}
    try:
        with transaction.atomic():
            ProviderRole.objects.bulk_create(
                ProviderRole(provider=row, tenant_id=tenant, group=group, project_id=project, role=role)
                for (tenant, group, project), role in unique.items()
            )
    except IntegrityError:
        raise ValidationFailed({"roles": ["One of the teams in these rows does not exist."]}) from None


def _facts(row: IdentityProvider) -> dict[str, Any]:
    roles = ProviderRole.objects.filter(provider=row).order_by("group", "role", "id")
    return {
        "name": row.name, "enabled": row.enabled, "domains": list(row.domains), "creates_people": row.creates_people,
        "domains_confirmed": row.domains_confirmed, **row.configuration,
        "roles": [f"{r.group or '*'}: {r.role}{f'@{r.project_id}' if r.project_id else ''}" for r in roles],
    }  # fmt: skip


def _difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    changed = [k for k in after if before.get(k) != after[k]]
    return {k: before.get(k) for k in changed}, {k: after[k] for k in changed}


def sessions_ended(provider_id: uuid.UUID, identity_ids: Sequence[uuid.UUID], actor: Actor) -> int:
    """End the sessions of people whom a directory no longer knows, take what it gave them, and return how many."""
    from imagefactory.domain.identity.services.provider_roles import apply_roles

    ended = 0
    for identity_id in identity_ids:
        with transaction.atomic():
            row = ExternalIdentity.objects.select_for_update().filter(id=identity_id, ended_at=None).first()
            if row is None:
                continue
            provider = IdentityProvider.objects.get(id=provider_id)
            ExternalIdentity.objects.filter(id=row.id).update(ended_at=now())
            apply_roles(actor, provider, row.user_id, None)
            emit(
                actor,
                events.IdentityUnlinked(
                    provider.tenant_id, row.user_id, provider.id, provider.name, "left the directory"
                ),
            )
            ended += 1
    return ended
