"""Every change to who someone is and what they may do: one file for each subject."""

from __future__ import annotations

from imagefactory.domain.identity.services.account import change_password as change_password
from imagefactory.domain.identity.services.account import remember_tenant as remember_tenant
from imagefactory.domain.identity.services.account import update_profile as update_profile
from imagefactory.domain.identity.services.administration import end_sessions as end_sessions
from imagefactory.domain.identity.services.administration import restore_account as restore_account
from imagefactory.domain.identity.services.administration import suspend_account as suspend_account
from imagefactory.domain.identity.services.capabilities import request_capability as request_capability
from imagefactory.domain.identity.services.capabilities import set_capabilities as set_capabilities
from imagefactory.domain.identity.services.checks import MAX_PASSWORD as MAX_PASSWORD
from imagefactory.domain.identity.services.exports import expire_exports as expire_exports
from imagefactory.domain.identity.services.exports import exports_for_owner as exports_for_owner
from imagefactory.domain.identity.services.exports import fail_export as fail_export
from imagefactory.domain.identity.services.exports import finish_export as finish_export
from imagefactory.domain.identity.services.exports import open_export as open_export
from imagefactory.domain.identity.services.exports import request_export as request_export
from imagefactory.domain.identity.services.keys import create_api_key as create_api_key
from imagefactory.domain.identity.services.keys import revoke_api_key as revoke_api_key
from imagefactory.domain.identity.services.members import drop_project_roles as drop_project_roles
from imagefactory.domain.identity.services.members import set_project_role as set_project_role
from imagefactory.domain.identity.services.sessions import Tokens as Tokens
from imagefactory.domain.identity.services.sessions import close_session as close_session
from imagefactory.domain.identity.services.sessions import open_session as open_session
from imagefactory.domain.identity.services.sessions import refresh_session as refresh_session
from imagefactory.domain.identity.services.sign_in import verify_password as verify_password
from imagefactory.domain.identity.services.sign_up import SignedUp as SignedUp
from imagefactory.domain.identity.services.sign_up import create_tenant as create_tenant
from imagefactory.domain.identity.services.sign_up import create_tenant_for as create_tenant_for
from imagefactory.domain.identity.services.sign_up import sign_up as sign_up
from imagefactory.domain.identity.services.system_roles import grant_system_role as grant_system_role
from imagefactory.domain.identity.services.system_roles import revoke_system_role as revoke_system_role
from imagefactory.domain.identity.services.tenant_profile import MAX_LOGO_BYTES as MAX_LOGO_BYTES
from imagefactory.domain.identity.services.tenant_profile import remove_logo as remove_logo
from imagefactory.domain.identity.services.tenant_profile import set_logo as set_logo
from imagefactory.domain.identity.services.tenant_profile import update_tenant as update_tenant
from imagefactory.domain.identity.services.tenant_removal import due_for_removal as due_for_removal
from imagefactory.domain.identity.services.tenant_removal import finish_removal as finish_removal
from imagefactory.domain.identity.services.tenant_removal import remove_people as remove_people
from imagefactory.domain.identity.services.tenant_states import approve_tenant as approve_tenant
from imagefactory.domain.identity.services.tenant_states import delete_tenant as delete_tenant
from imagefactory.domain.identity.services.tenant_states import lift_suspension as lift_suspension
from imagefactory.domain.identity.services.tenant_states import refuse_tenant as refuse_tenant
from imagefactory.domain.identity.services.tenant_states import stop_deletion as stop_deletion
from imagefactory.domain.identity.services.tenant_states import suspend_tenant as suspend_tenant
