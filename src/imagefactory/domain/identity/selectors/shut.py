"""Which of a person's tenants are shut to the way in which they came: what those tell is not read by it either."""

from __future__ import annotations

from django.db.models import Q

from imagefactory.domain.identity.errors import AddressNotAllowed
from imagefactory.domain.identity.models import Tenant, User
from imagefactory.domain.identity.selectors.ip_lists import check_address
from imagefactory.domain.identity.selectors.sign_in_origins import Origin, satisfies
from imagefactory.domain.identity.selectors.standing import lacks_factor
from imagefactory.domain.identity.selectors.tenants import TenantView, tenants_open_to
from imagefactory.kernel.actor import Actor


def tenants_told_to(actor: Actor) -> list[TenantView]:
    """Return the tenants whose news this sign-in may read: without those that want a second factor, another way in or place."""
    mine = tenants_open_to(actor)
    rules = Q(requires_sso=True) | Q(second_factor_required=True) | Q(ip_list__for_sessions=True)
    rows = Tenant.objects.filter(rules, id__in=[t.id for t in mine]).select_related("ip_list")
    shut = {t.id for t in rows if _is_shut(actor, t)} if actor.key_id is None else set()
    return [t for t in mine if t.id not in shut]


def _is_shut(actor: Actor, tenant: Tenant) -> bool:
    user = User.objects.get(id=actor.person)
    try:
        check_address(tenant, actor.address, program=False)
    except AddressNotAllowed:
        return True
    if actor.provider_tenant_id != tenant.id and lacks_factor(user, tenant):
        return True
    return not satisfies(user, tenant, Origin(actor.provider_id, actor.provider_tenant_id, actor.bound_to))
