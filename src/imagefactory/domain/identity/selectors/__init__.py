"""Who is this, where do they belong, what may they do? Reads only: one file for each subject."""

from __future__ import annotations

from imagefactory.domain.identity.selectors.actors import actor_for_token as actor_for_token
from imagefactory.domain.identity.selectors.actors import actor_for_user as actor_for_user
from imagefactory.domain.identity.selectors.actors import require_tenant as require_tenant
from imagefactory.domain.identity.selectors.keys import KeyView as KeyView
from imagefactory.domain.identity.selectors.keys import keys_of as keys_of
from imagefactory.domain.identity.selectors.people import Person as Person
from imagefactory.domain.identity.selectors.people import email_is_confirmed as email_is_confirmed
from imagefactory.domain.identity.selectors.people import owners_of as owners_of
from imagefactory.domain.identity.selectors.people import person as person
from imagefactory.domain.identity.selectors.people import person_by_email as person_by_email
from imagefactory.domain.identity.selectors.people import time_zones as time_zones
from imagefactory.domain.identity.selectors.people import user_with_email as user_with_email
from imagefactory.domain.identity.selectors.proofs import Letter as Letter
from imagefactory.domain.identity.selectors.proofs import letter as letter
from imagefactory.domain.identity.selectors.proofs import link_works as link_works
from imagefactory.domain.identity.selectors.second_factors import factors_of as factors_of
from imagefactory.domain.identity.selectors.second_factors import has_second_factor as has_second_factor
from imagefactory.domain.identity.selectors.second_factors import is_fresh as is_fresh
from imagefactory.domain.identity.selectors.second_factors import second_factors as second_factors
from imagefactory.domain.identity.selectors.second_factors import (
    tenants_that_want_a_factor as tenants_that_want_a_factor,
)
from imagefactory.domain.identity.selectors.sessions import sessions_of as sessions_of
from imagefactory.domain.identity.selectors.sessions import sign_in_history as sign_in_history
from imagefactory.domain.identity.selectors.tenants import TenantView as TenantView
from imagefactory.domain.identity.selectors.tenants import last_tenant_slug as last_tenant_slug
from imagefactory.domain.identity.selectors.tenants import tenant_slug as tenant_slug
from imagefactory.domain.identity.selectors.tenants import tenant_slugs as tenant_slugs
from imagefactory.domain.identity.selectors.tenants import tenant_with_slug as tenant_with_slug
from imagefactory.domain.identity.selectors.tenants import tenants_of as tenants_of
