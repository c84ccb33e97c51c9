"""What happens to people, tenants and keys: one file for each subject."""

from __future__ import annotations

from imagefactory.domain.identity.events.keys import ApiKeyCreated as ApiKeyCreated
from imagefactory.domain.identity.events.keys import ApiKeyRevoked as ApiKeyRevoked
from imagefactory.domain.identity.events.sign_in import PasswordChanged as PasswordChanged
from imagefactory.domain.identity.events.sign_in import SignedIn as SignedIn
from imagefactory.domain.identity.events.sign_in import SignedOut as SignedOut
from imagefactory.domain.identity.events.sign_in import SignInRefused as SignInRefused
from imagefactory.domain.identity.events.team import AccessDecided as AccessDecided
from imagefactory.domain.identity.events.team import AccessRequested as AccessRequested
from imagefactory.domain.identity.events.team import InvitationAccepted as InvitationAccepted
from imagefactory.domain.identity.events.team import InvitationAskedAgain as InvitationAskedAgain
from imagefactory.domain.identity.events.team import InvitationCancelled as InvitationCancelled
from imagefactory.domain.identity.events.team import InvitationCreated as InvitationCreated
from imagefactory.domain.identity.events.team import InvitationExpired as InvitationExpired
from imagefactory.domain.identity.events.team import InvitationResent as InvitationResent
from imagefactory.domain.identity.events.team import MemberJoined as MemberJoined
from imagefactory.domain.identity.events.team import MemberRemoved as MemberRemoved
from imagefactory.domain.identity.events.team import MemberRoleSet as MemberRoleSet
from imagefactory.domain.identity.events.team import RoleChanged as RoleChanged
from imagefactory.domain.identity.events.team import RoleCreated as RoleCreated
from imagefactory.domain.identity.events.team import RoleDeleted as RoleDeleted
from imagefactory.domain.identity.events.tenants import TenantCreated as TenantCreated
