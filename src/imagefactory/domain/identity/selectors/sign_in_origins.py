"""Through which provider a session came, and what follows: which tenants it opens, and whether it still holds."""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid

from imagefactory.domain.identity.errors import TenantNotFound
from imagefactory.domain.identity.models import ExternalIdentity, RoleBinding, Tenant, User
from imagefactory.domain.identity.permissions import Role
from imagefactory.kernel.errors import Unauthorized


@dataclasses.dataclass(frozen=True)
class Origin:
    """Where a sign-in came from. `provider_id` None: a password. `bound_to`: the only tenant that it opens.

    `of_tenant`: the provider is that tenant's own, confirmed by the person or not; None for one of the installation.
    """

    provider_id: uuid.UUID | None = None
    of_tenant: uuid.UUID | None = None
    bound_to: uuid.UUID | None = None


PASSWORD = Origin()
UNASKED = Origin()  # nobody signed in: work that goes on for someone


def origin_of(identity_id: uuid.UUID, user_id: uuid.UUID, opened_at: dt.datetime) -> Origin:
    """Return the origin of a session that came through a provider, as things stand now.

    Raises Unauthorized when the link, the provider or the person's place in the directory is gone since.
    """
    found = ExternalIdentity.objects.filter(id=identity_id, user_id=user_id).select_related("provider").first()
    if found is None or found.ended_at is not None or not found.provider.enabled:
        raise Unauthorized("The sign-in that you came through has ended. Sign in again.")
    if found.sessions_since is not None and opened_at < found.sessions_since:
        raise Unauthorized("Your directory or an owner ended this sign-in. Sign in again.")
    tenant_id = found.provider.tenant_id
    return Origin(found.provider_id, tenant_id, tenant_id if found.confirmed_at is None else None)


def tenant_for(user: User, wanted: str | None, origin: Origin) -> str | None:
    """Return which tenant to look for: a bound sign-in has only its own.

    Raises TenantNotFound for any other, as for one that does not exist.
    """
    if origin.bound_to is None:
        return wanted
    slug = Tenant.objects.filter(id=origin.bound_to).values_list("slug", flat=True).first()
    if wanted and wanted not in {slug, str(origin.bound_to)}:
        raise TenantNotFound
    return str(origin.bound_to)


def satisfies(user: User, tenant: Tenant, origin: Origin) -> bool:
    """Whether this sign-in is good enough for the tenant.

    Owners may always use their password: a broken provider must not lock all of them out.
    """
    if not tenant.requires_sso or (origin.provider_id is not None and origin.of_tenant in {None, tenant.id}):
        return True
    return RoleBinding.objects.filter(user=user, tenant=tenant, role=Role.OWNER).exists()
