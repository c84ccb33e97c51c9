"""Every change to who someone is and what they may do: one file for each subject."""

from __future__ import annotations

from imagefactory.domain.identity.services.accepting import Joined as Joined
from imagefactory.domain.identity.services.accepting import accept_invitation as accept_invitation
from imagefactory.domain.identity.services.accepting import accept_with_new_account as accept_with_new_account
from imagefactory.domain.identity.services.accepting import ask_again as ask_again
from imagefactory.domain.identity.services.access_requests import decline_access as decline_access
from imagefactory.domain.identity.services.access_requests import grant_access as grant_access
from imagefactory.domain.identity.services.access_requests import request_access as request_access
from imagefactory.domain.identity.services.account import change_password as change_password
from imagefactory.domain.identity.services.account import remember_tenant as remember_tenant
from imagefactory.domain.identity.services.account import update_profile as update_profile
from imagefactory.domain.identity.services.checks import MAX_PASSWORD as MAX_PASSWORD
from imagefactory.domain.identity.services.invitations import Sent as Sent
from imagefactory.domain.identity.services.invitations import cancel_invitation as cancel_invitation
from imagefactory.domain.identity.services.invitations import invite as invite
from imagefactory.domain.identity.services.invitations import link_of as link_of
from imagefactory.domain.identity.services.invitations import resend_invitation as resend_invitation
from imagefactory.domain.identity.services.keys import create_api_key as create_api_key
from imagefactory.domain.identity.services.keys import revoke_api_key as revoke_api_key
from imagefactory.domain.identity.services.members import drop_project_roles as drop_project_roles
from imagefactory.domain.identity.services.members import leave_team as leave_team
from imagefactory.domain.identity.services.members import note_activity as note_activity
from imagefactory.domain.identity.services.members import remove_member as remove_member
from imagefactory.domain.identity.services.members import set_project_role as set_project_role
from imagefactory.domain.identity.services.members import set_roles as set_roles
from imagefactory.domain.identity.services.roles import create_role as create_role
from imagefactory.domain.identity.services.roles import delete_role as delete_role
from imagefactory.domain.identity.services.roles import update_role as update_role
from imagefactory.domain.identity.services.sessions import Tokens as Tokens
from imagefactory.domain.identity.services.sessions import close_session as close_session
from imagefactory.domain.identity.services.sessions import open_session as open_session
from imagefactory.domain.identity.services.sessions import refresh_session as refresh_session
from imagefactory.domain.identity.services.sign_in import verify_password as verify_password
from imagefactory.domain.identity.services.sign_up import SignedUp as SignedUp
from imagefactory.domain.identity.services.sign_up import create_tenant as create_tenant
from imagefactory.domain.identity.services.sign_up import sign_up as sign_up
