"""Which CI jobs a tenant believes: rows of issuer, audience, claims, and what a key for such a job may do."""

from __future__ import annotations

import dataclasses
import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from django.db import transaction

from imagefactory.domain.identity import events, policies
from imagefactory.domain.identity.errors import CiTrustNotFound
from imagefactory.domain.identity.models import CiTrust
from imagefactory.domain.identity.permissions import Permission
from imagefactory.domain.identity.selectors import require_tenant
from imagefactory.domain.identity.services.provider_settings import web_address_wrong
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.errors import Conflict, ValidationFailed
from imagefactory.kernel.outbox.emit import emit

MAX_RULES, MAX_CLAIMS, MAX_MINUTES = 100, 20, 60
_CLAIM = re.compile(r"[A-Za-z_][A-Za-z0-9_.:/-]{0,99}")


@dataclasses.dataclass(frozen=True)
class CiTrustForm:
    """What a person says about a rule. `claims`: claim -> pattern, where `*` stands for any characters but "/"."""

    name: str
    issuer: str
    audience: str
    claims: Mapping[str, str]
    project_ids: Sequence[uuid.UUID]
    permissions: Sequence[str]
    minutes: int = 15
    enabled: bool = True


def create_ci_trust(actor: Actor, form: CiTrustForm) -> uuid.UUID:
    """Make a rule of the actor's tenant and return its id.

    Raises PermissionDenied, ValidationFailed with all fields at once, Conflict at the limit.
    """
    tenant_id = require_tenant(actor)
    authorize(policies.may_manage_providers(actor, tenant_id))
    fields = _fields(form)
    with transaction.atomic():
        rows = CiTrust.objects.filter(tenant_id=tenant_id)
        if rows.count() >= MAX_RULES:
            raise Conflict(f"There are {MAX_RULES} rules already. Delete one that is not used.")
        _free(rows, form.name)
        row = CiTrust.objects.create(tenant_id=tenant_id, **fields)
        emit(actor, events.CiTrustChanged(tenant_id, row.id, row.name, {}, fields))
    return row.id


def update_ci_trust(actor: Actor, trust_id: uuid.UUID, form: CiTrustForm) -> None:
    """Change a rule; keys that were made by it live out their minutes.

    Raises CiTrustNotFound, PermissionDenied, ValidationFailed.
    """
    tenant_id = require_tenant(actor)
    authorize(policies.may_manage_providers(actor, tenant_id))
    fields = _fields(form)
    with transaction.atomic():
        row = CiTrust.objects.select_for_update().filter(id=trust_id, tenant_id=tenant_id).first()
        if row is None:
            raise CiTrustNotFound
        _free(CiTrust.objects.filter(tenant_id=tenant_id).exclude(id=row.id), form.name)
        before = {name: getattr(row, name) for name in fields}
        changed = [name for name in fields if before[name] != fields[name]]
        CiTrust.objects.filter(id=row.id).update(**fields)
        told = {n: before[n] for n in changed}, {n: fields[n] for n in changed}
        emit(actor, events.CiTrustChanged(tenant_id, row.id, row.name, *told))


def delete_ci_trust(actor: Actor, trust_id: uuid.UUID) -> None:
    """Remove a rule: its jobs get no more keys.

    Raises CiTrustNotFound, PermissionDenied.
    """
    tenant_id = require_tenant(actor)
    authorize(policies.may_manage_providers(actor, tenant_id))
    with transaction.atomic():
        row = CiTrust.objects.filter(id=trust_id, tenant_id=tenant_id).first()
        if row is None:
            raise CiTrustNotFound
        emit(
            actor, events.CiTrustChanged(tenant_id, row.id, row.name, {"issuer": row.issuer, "claims": row.claims}, {})
        )
        row.delete()


def _free(rows: Any, name: str) -> None:
    if rows.filter(name=name.strip()).exists():
        raise ValidationFailed({"name": [f"There is a rule named {name.strip()} already. Choose another name."]})


def _fields(form: CiTrustForm) -> dict[str, Any]:
    claims = {k.strip(): v.strip() for k, v in form.claims.items() if k.strip()}
    wrong: dict[str, list[str]] = {}
    if not 1 <= len(form.name.strip()) <= 80 or not form.name.isprintable():
        wrong["name"] = ["Give the rule a name that says which jobs it is for, in at most 80 characters."]
    if web_address_wrong(form.issuer.strip()) or len(form.issuer) > 500:
        wrong["issuer"] = ["Give the issuer's https address, such as https://token.actions.githubusercontent.com."]
    if not 1 <= len(form.audience.strip()) <= 200:
        wrong["audience"] = ["Say which audience the token must be made for, such as this factory's address."]
    if about := _claims_wrong(claims) or _anyones(form.issuer, claims):
        wrong["claims"] = [about]
    if not form.project_ids or len(form.project_ids) > 100:
        wrong["projects"] = ["Choose at least one project that the jobs work in."]
    known = {str(p) for p in Permission}
    if not form.permissions or set(form.permissions) - known:
        wrong["permissions"] = ["Choose what the jobs may do, out of the permissions in the reference."]
    if not 1 <= form.minutes <= MAX_MINUTES:
        wrong["minutes"] = [f"A key for a job lives 1 to {MAX_MINUTES} minutes."]
    if wrong:
        raise ValidationFailed(wrong)
    return {
        "name": form.name.strip(), "enabled": form.enabled, "issuer": form.issuer.strip(),
        "audience": form.audience.strip(), "claims": claims, "project_ids": sorted({str(p) for p in form.project_ids}),
        "permissions": sorted(set(form.permissions)), "minutes": form.minutes,
    }  # fmt: skip


def _claims_wrong(claims: Mapping[str, str]) -> str:
    if not claims:
        return "Name at least one claim, such as repository = team/app; without one, everyone's jobs there would be believed."
    if len(claims) > MAX_CLAIMS:
        return f"At most {MAX_CLAIMS} claims."
    for name, pattern in claims.items():
        if not _CLAIM.fullmatch(name) or not 1 <= len(pattern) <= 400:
            return f"The line of {name[:50]} is not valid; write claim = pattern."
    # Public issuers sign for everyone's jobs: the one claim that says whose this is must not be open.
    if all(not pattern.strip("*/") for pattern in claims.values()):
        return "At least one claim must say more than *: which repository or which group the jobs belong to."
    return ""


# These sign for the jobs of everyone in the world, for any audience that a job asks for.
_PUBLIC = frozenset({"token.actions.githubusercontent.com", "gitlab.com"})
_WHOSE = (
    "sub", "repository", "repository_id", "repository_owner", "repository_owner_id", "project_path", "project_id",
    "namespace_path", "namespace_id", "job_workflow_ref",
)  # fmt: skip


def _anyones(issuer: str, claims: Mapping[str, str]) -> str:
    """Return what is wrong with claims that a stranger's job at a public issuer can fit as well, or nothing."""
    if (urlsplit(issuer.strip()).hostname or "") not in _PUBLIC or any(_names_one(claims.get(c, "")) for c in _WHOSE):
        return ""
    return (
        "Everyone's jobs are signed by this issuer. Name whose jobs these are, with the owner written out: "
        "repository = team/app or team/*, or project_path = group/app."
    )


def _names_one(pattern: str) -> bool:
    """Whether a pattern holds for one owner only: there is no * in it, or only behind the owner's name."""
    before, star, _ = pattern.partition("*")
    return bool(pattern) and (not star or "/" in before.lstrip("/"))
