"""Who is this, where do they belong, what may they do? Reads only: one file for each subject."""

from __future__ import annotations

from imagefactory.domain.identity.selectors.actors import actor_for_session as actor_for_session
from imagefactory.domain.identity.selectors.actors import actor_for_token as actor_for_token
from imagefactory.domain.identity.selectors.actors import actor_for_user as actor_for_user
from imagefactory.domain.identity.selectors.actors import session_of_token as session_of_token
from imagefactory.domain.identity.selectors.ci_trust import CiTrustView as CiTrustView
from imagefactory.domain.identity.selectors.ci_trust import get_ci_trust as get_ci_trust
from imagefactory.domain.identity.selectors.ci_trust import list_ci_trust as list_ci_trust
from imagefactory.domain.identity.selectors.ip_lists import IpListView as IpListView
from imagefactory.domain.identity.selectors.ip_lists import ip_list as ip_list
from imagefactory.domain.identity.selectors.key_actors import actor_for_key_id as actor_for_key_id
from imagefactory.domain.identity.selectors.key_actors import actor_for_starter as actor_for_starter
from imagefactory.domain.identity.selectors.key_actors import program_name as program_name
from imagefactory.domain.identity.selectors.keys import KeyView as KeyView
from imagefactory.domain.identity.selectors.keys import ci_keys_of_tenant as ci_keys_of_tenant
from imagefactory.domain.identity.selectors.keys import key_days_max as key_days_max
from imagefactory.domain.identity.selectors.keys import key_of_tenant as key_of_tenant
from imagefactory.domain.identity.selectors.keys import keys_of as keys_of
from imagefactory.domain.identity.selectors.keys import keys_of_account as keys_of_account
from imagefactory.domain.identity.selectors.keys import keys_of_tenant as keys_of_tenant
from imagefactory.domain.identity.selectors.keys import own_key as own_key
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
from imagefactory.domain.identity.selectors.providers import LinkView as LinkView
from imagefactory.domain.identity.selectors.providers import ProviderButton as ProviderButton
from imagefactory.domain.identity.selectors.providers import ProviderConnection as ProviderConnection
from imagefactory.domain.identity.selectors.providers import ProviderView as ProviderView
from imagefactory.domain.identity.selectors.providers import RoleRow as RoleRow
from imagefactory.domain.identity.selectors.providers import buttons_for_address as buttons_for_address
from imagefactory.domain.identity.selectors.providers import buttons_for_tenant as buttons_for_tenant
from imagefactory.domain.identity.selectors.providers import connection as connection
from imagefactory.domain.identity.selectors.providers import directories as directories
from imagefactory.domain.identity.selectors.providers import get_provider as get_provider
from imagefactory.domain.identity.selectors.providers import installation_buttons as installation_buttons
from imagefactory.domain.identity.selectors.providers import linkable as linkable
from imagefactory.domain.identity.selectors.providers import links_of as links_of
from imagefactory.domain.identity.selectors.providers import list_providers as list_providers
from imagefactory.domain.identity.selectors.providers import people_known_to as people_known_to
from imagefactory.domain.identity.selectors.providers import requires_sso as requires_sso
from imagefactory.domain.identity.selectors.providers import tenant_named as tenant_named
from imagefactory.domain.identity.selectors.providers import waiting_domains as waiting_domains
from imagefactory.domain.identity.selectors.second_factors import factors_of as factors_of
from imagefactory.domain.identity.selectors.second_factors import has_second_factor as has_second_factor
from imagefactory.domain.identity.selectors.second_factors import is_fresh as is_fresh
from imagefactory.domain.identity.selectors.second_factors import second_factors as second_factors
from imagefactory.domain.identity.selectors.second_factors import (
    tenants_that_want_a_factor as tenants_that_want_a_factor,
)
from imagefactory.domain.identity.selectors.service_accounts import ServiceAccountView as ServiceAccountView
from imagefactory.domain.identity.selectors.service_accounts import account_contact as account_contact
from imagefactory.domain.identity.selectors.service_accounts import service_account as service_account
from imagefactory.domain.identity.selectors.service_accounts import service_accounts as service_accounts
from imagefactory.domain.identity.selectors.sessions import sessions_of as sessions_of
from imagefactory.domain.identity.selectors.sessions import sign_in_history as sign_in_history
from imagefactory.domain.identity.selectors.sign_in_origins import PASSWORD as PASSWORD
from imagefactory.domain.identity.selectors.sign_in_origins import Origin as Origin
from imagefactory.domain.identity.selectors.sign_in_origins import origin_of as origin_of
from imagefactory.domain.identity.selectors.tenants import TenantView as TenantView
from imagefactory.domain.identity.selectors.tenants import last_tenant_slug as last_tenant_slug
from imagefactory.domain.identity.selectors.tenants import require_tenant as require_tenant
from imagefactory.domain.identity.selectors.tenants import tenant_slug as tenant_slug
from imagefactory.domain.identity.selectors.tenants import tenant_slugs as tenant_slugs
from imagefactory.domain.identity.selectors.tenants import tenant_with_slug as tenant_with_slug
from imagefactory.domain.identity.selectors.tenants import tenants_of as tenants_of
from imagefactory.domain.identity.selectors.tenants import tenants_open_to as tenants_open_to
