"""Every change to who someone is and what they may do: one file for each subject."""

from __future__ import annotations

from imagefactory.domain.identity.services.account import change_password as change_password
from imagefactory.domain.identity.services.account import remember_tenant as remember_tenant
from imagefactory.domain.identity.services.account import update_profile as update_profile
from imagefactory.domain.identity.services.assertions import Accepted as Accepted
from imagefactory.domain.identity.services.assertions import Assertion as Assertion
from imagefactory.domain.identity.services.assertions import accept_assertion as accept_assertion
from imagefactory.domain.identity.services.assertions import check_own_password as check_own_password
from imagefactory.domain.identity.services.assertions import is_confirmed as is_confirmed
from imagefactory.domain.identity.services.assertions import link_identity as link_identity
from imagefactory.domain.identity.services.assertions import record_refusal as record_refusal
from imagefactory.domain.identity.services.assertions import spend as spend
from imagefactory.domain.identity.services.checks import MAX_PASSWORD as MAX_PASSWORD
from imagefactory.domain.identity.services.keys import create_api_key as create_api_key
from imagefactory.domain.identity.services.keys import revoke_api_key as revoke_api_key
from imagefactory.domain.identity.services.members import drop_project_roles as drop_project_roles
from imagefactory.domain.identity.services.members import set_project_role as set_project_role
from imagefactory.domain.identity.services.providers import ProviderForm as ProviderForm
from imagefactory.domain.identity.services.providers import confirm_domains as confirm_domains
from imagefactory.domain.identity.services.providers import create_provider as create_provider
from imagefactory.domain.identity.services.providers import delete_provider as delete_provider
from imagefactory.domain.identity.services.providers import end_identity as end_identity
from imagefactory.domain.identity.services.providers import require_sso as require_sso
from imagefactory.domain.identity.services.providers import sessions_ended as sessions_ended
from imagefactory.domain.identity.services.providers import unlink as unlink
from imagefactory.domain.identity.services.providers import update_provider as update_provider
from imagefactory.domain.identity.services.sessions import Tokens as Tokens
from imagefactory.domain.identity.services.sessions import close_session as close_session
from imagefactory.domain.identity.services.sessions import open_session as open_session
from imagefactory.domain.identity.services.sessions import refresh_session as refresh_session
from imagefactory.domain.identity.services.sign_in import verify_password as verify_password
from imagefactory.domain.identity.services.sign_up import SignedUp as SignedUp
from imagefactory.domain.identity.services.sign_up import create_tenant as create_tenant
from imagefactory.domain.identity.services.sign_up import sign_up as sign_up
