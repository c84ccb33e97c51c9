"""Who is this, where do they belong, what may they do? Reads only: one file for each subject."""

from __future__ import annotations

from imagefactory.domain.identity.selectors.actors import actor_for_token as actor_for_token
from imagefactory.domain.identity.selectors.actors import actor_for_user as actor_for_user
from imagefactory.domain.identity.selectors.actors import outside_tenants as outside_tenants
from imagefactory.domain.identity.selectors.actors import require_tenant as require_tenant
from imagefactory.domain.identity.selectors.installation import Figures as Figures
from imagefactory.domain.identity.selectors.installation import PersonDetail as PersonDetail
from imagefactory.domain.identity.selectors.installation import PersonRow as PersonRow
from imagefactory.domain.identity.selectors.installation import SessionRow as SessionRow
from imagefactory.domain.identity.selectors.installation import TenantRow as TenantRow
from imagefactory.domain.identity.selectors.installation import administrators as administrators
from imagefactory.domain.identity.selectors.installation import all_people as all_people
from imagefactory.domain.identity.selectors.installation import all_tenants as all_tenants
from imagefactory.domain.identity.selectors.installation import figures as figures
from imagefactory.domain.identity.selectors.installation import get_person as get_person
from imagefactory.domain.identity.selectors.installation import members_of_tenant as members_of_tenant
from imagefactory.domain.identity.selectors.keys import KeyView as KeyView
from imagefactory.domain.identity.selectors.keys import keys_of as keys_of
from imagefactory.domain.identity.selectors.people import Person as Person
from imagefactory.domain.identity.selectors.people import owners_of as owners_of
from imagefactory.domain.identity.selectors.people import person as person
from imagefactory.domain.identity.selectors.people import person_by_email as person_by_email
from imagefactory.domain.identity.selectors.people import time_zones as time_zones
from imagefactory.domain.identity.selectors.people import user_with_email as user_with_email
from imagefactory.domain.identity.selectors.tenant_profiles import DecisionView as DecisionView
from imagefactory.domain.identity.selectors.tenant_profiles import ExportView as ExportView
from imagefactory.domain.identity.selectors.tenant_profiles import TenantProfile as TenantProfile
from imagefactory.domain.identity.selectors.tenant_profiles import count_members as count_members
from imagefactory.domain.identity.selectors.tenant_profiles import exports_left_waiting as exports_left_waiting
from imagefactory.domain.identity.selectors.tenant_profiles import exports_of as exports_of
from imagefactory.domain.identity.selectors.tenant_profiles import history_of as history_of
from imagefactory.domain.identity.selectors.tenant_profiles import logo_of as logo_of
from imagefactory.domain.identity.selectors.tenant_profiles import may_run_builds as may_run_builds
from imagefactory.domain.identity.selectors.tenant_profiles import members_to_export as members_to_export
from imagefactory.domain.identity.selectors.tenant_profiles import tenant_id_of as tenant_id_of
from imagefactory.domain.identity.selectors.tenant_profiles import tenant_of_waiting_export as tenant_of_waiting_export
from imagefactory.domain.identity.selectors.tenant_profiles import tenant_profile as tenant_profile
from imagefactory.domain.identity.selectors.tenants import TenantView as TenantView
from imagefactory.domain.identity.selectors.tenants import last_tenant_slug as last_tenant_slug
from imagefactory.domain.identity.selectors.tenants import tenant_slug as tenant_slug
from imagefactory.domain.identity.selectors.tenants import tenant_with_slug as tenant_with_slug
from imagefactory.domain.identity.selectors.tenants import tenants_of as tenants_of
