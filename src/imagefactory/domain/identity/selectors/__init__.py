"""Who is this, where do they belong, what may they do? Reads only: one file for each subject."""

from __future__ import annotations

from imagefactory.domain.identity.selectors.actors import actor_for_token as actor_for_token
from imagefactory.domain.identity.selectors.actors import actor_for_user as actor_for_user
from imagefactory.domain.identity.selectors.actors import require_tenant as require_tenant
from imagefactory.domain.identity.selectors.keys import KeyView as KeyView
from imagefactory.domain.identity.selectors.keys import keys_of as keys_of
from imagefactory.domain.identity.selectors.people import Person as Person
from imagefactory.domain.identity.selectors.people import owners_of as owners_of
from imagefactory.domain.identity.selectors.people import person as person
from imagefactory.domain.identity.selectors.people import person_by_email as person_by_email
from imagefactory.domain.identity.selectors.people import time_zones as time_zones
from imagefactory.domain.identity.selectors.people import user_with_email as user_with_email
from imagefactory.domain.identity.selectors.tenants import TenantView as TenantView
from imagefactory.domain.identity.selectors.tenants import last_tenant_slug as last_tenant_slug
from imagefactory.domain.identity.selectors.tenants import tenant_slug as tenant_slug
from imagefactory.domain.identity.selectors.tenants import tenant_with_slug as tenant_with_slug
from imagefactory.domain.identity.selectors.tenants import tenants_of as tenants_of
