"""The networks that a tenant lets requests come from."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction

from imagefactory.domain.identity import events, policies
from imagefactory.domain.identity.errors import TenantNotFound
from imagefactory.domain.identity.models import IpList, Tenant
from imagefactory.domain.identity.selectors import require_tenant
from imagefactory.domain.identity.selectors.ip_lists import is_within, read_network
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.errors import Conflict, ValidationFailed
from imagefactory.kernel.outbox.emit import emit

MAX_NETWORKS = 100
MAX_NOTE = 120  # characters


def parse_lines(text: str) -> list[tuple[str, str]]:
    """Return the networks of a text with one in each line, and what stands behind each as its note."""
    lines = [line.strip() for line in text.splitlines()[: MAX_NETWORKS * 3] if line.strip()]
    return [(cidr, note.strip(" \t#")) for cidr, _, note in (line.replace("\t", " ").partition(" ") for line in lines)]


def set_ip_list(
    actor: Actor,
    *,
    networks: Sequence[tuple[str, str]],
    for_sessions: bool,
    confirmed: bool = False,
    if_version: int | None = None,
) -> None:
    """Replace the tenant's list of (CIDR, note); an empty one lets everyone in. It holds for keys, and for people's
    sessions too when `for_sessions`.

    A list for sessions without the actor's own address is refused; one for keys only has to be `confirmed`.
    Raises PermissionDenied, ValidationFailed, Conflict when someone changed it since `if_version`.
    """
    tenant_id = require_tenant(actor)
    authorize(policies.may_set_networks(actor))
    wanted = _checked(networks)
    if wanted and not is_within(actor.address, wanted):
        _refuse_lockout(actor.address, for_sessions=for_sessions, confirmed=confirmed)
    with transaction.atomic():
        found = _locked(tenant_id)
        if if_version is not None and if_version != (found.version if found else 0):
            raise Conflict(
                "Someone changed the list since you opened it. Reload the page to see it, and change it again."
            )
        _write(actor, tenant_id, found, wanted, for_sessions=for_sessions)


def clear_ip_list(actor: Actor, tenant: str) -> None:
    """Empty the list of any tenant, by its slug or id, for one that shut everyone out. Safe to repeat.

    Raises PermissionDenied, TenantNotFound.
    """
    authorize(policies.may_clear_networks(actor))
    rows = Tenant.objects.filter(slug=tenant)
    with contextlib.suppress(ValueError):
        rows |= Tenant.objects.filter(id=uuid.UUID(tenant))
    with transaction.atomic():
        found = rows.first()
        if found is None:
            raise TenantNotFound
        _write(actor, found.id, _locked(found.id), [], for_sessions=False)


def _locked(tenant_id: uuid.UUID) -> IpList | None:
    Tenant.objects.select_for_update().get(id=tenant_id)  # there may be no row of the list to lock yet
    return IpList.objects.filter(tenant_id=tenant_id).first()


def _write(
    actor: Actor, tenant_id: uuid.UUID, found: IpList | None, networks: list[dict[str, str]], *, for_sessions: bool
) -> None:
    row = found or IpList(tenant_id=tenant_id, version=0)
    before, after = _told(row), {"networks": networks, "for_sessions": for_sessions}
    if before == after:
        return
    row.networks, row.for_sessions, row.version = networks, for_sessions, row.version + 1
    row.save()
    emit(actor, events.IpListChanged(tenant_id, before, after))


def _told(row: IpList) -> dict[str, Any]:
    return {"networks": row.networks, "for_sessions": row.for_sessions}


def _checked(networks: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    wrong: list[str] = []
    found: dict[str, str] = {}
    if len(networks) > MAX_NETWORKS:
        raise ValidationFailed({"networks": [f"The list has {len(networks)} networks; {MAX_NETWORKS} are the most."]})
    for cidr, note in networks:
        try:
            network = str(read_network(cidr))
        except ValueError:
            hint = "an address or a network such as 192.0.2.0/24 or 2001:db8::/32, with no bits set behind its length"
            wrong.append(f"{cidr[:60]} is not {hint}.")
            continue
        if len(note) > MAX_NOTE:
            wrong.append(f"The note of {network} is longer than {MAX_NOTE} characters.")
        if network in found:
            wrong.append(f"{network} is on the list twice.")
        found[network] = note
    if wrong:
        raise ValidationFailed({"networks": wrong[:20]})
    return [{"cidr": cidr, "note": note} for cidr, note in found.items()]


def _refuse_lockout(address: str, *, for_sessions: bool, confirmed: bool) -> None:
    if for_sessions:
        raise ValidationFailed(
            {"networks": [f"Your own address {address} is not on this list, so you would be shut out. Add it first."]}
        )
    if not confirmed:
        raise ValidationFailed(
            {"confirmed": [f"Keys used from your own address {address} would stop working. Confirm that, or add it."]}
        )


def note_of(entry: Mapping[str, str]) -> str:
    """Return an entry of the list as a line of text, as `parse_lines` reads it."""
    return f"{entry['cidr']} {entry['note']}".strip()
