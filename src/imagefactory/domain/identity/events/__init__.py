"""What happens to people, tenants and keys: one file for each subject."""

from __future__ import annotations

from imagefactory.domain.identity.events.administration import AccountRestored as AccountRestored
from imagefactory.domain.identity.events.administration import AccountSuspended as AccountSuspended
from imagefactory.domain.identity.events.administration import SessionsEnded as SessionsEnded
from imagefactory.domain.identity.events.administration import SystemRoleGranted as SystemRoleGranted
from imagefactory.domain.identity.events.administration import SystemRoleRevoked as SystemRoleRevoked
from imagefactory.domain.identity.events.keys import ApiKeyCreated as ApiKeyCreated
from imagefactory.domain.identity.events.keys import ApiKeyRevoked as ApiKeyRevoked
from imagefactory.domain.identity.events.sign_in import PasswordChanged as PasswordChanged
from imagefactory.domain.identity.events.sign_in import SignedIn as SignedIn
from imagefactory.domain.identity.events.sign_in import SignedOut as SignedOut
from imagefactory.domain.identity.events.sign_in import SignInRefused as SignInRefused
from imagefactory.domain.identity.events.team import MemberJoined as MemberJoined
from imagefactory.domain.identity.events.team import MemberRoleSet as MemberRoleSet
from imagefactory.domain.identity.events.tenants import CapabilityChanged as CapabilityChanged
from imagefactory.domain.identity.events.tenants import CapabilityRequested as CapabilityRequested
from imagefactory.domain.identity.events.tenants import TenantApproved as TenantApproved
from imagefactory.domain.identity.events.tenants import TenantChanged as TenantChanged
from imagefactory.domain.identity.events.tenants import TenantCreated as TenantCreated
from imagefactory.domain.identity.events.tenants import TenantDeletionStarted as TenantDeletionStarted
from imagefactory.domain.identity.events.tenants import TenantDeletionStopped as TenantDeletionStopped
from imagefactory.domain.identity.events.tenants import TenantExportAsked as TenantExportAsked
from imagefactory.domain.identity.events.tenants import TenantExportDownloaded as TenantExportDownloaded
from imagefactory.domain.identity.events.tenants import TenantExportReady as TenantExportReady
from imagefactory.domain.identity.events.tenants import TenantRefused as TenantRefused
from imagefactory.domain.identity.events.tenants import TenantRemoved as TenantRemoved
from imagefactory.domain.identity.events.tenants import TenantStateChanged as TenantStateChanged
from imagefactory.domain.identity.events.tenants import TenantSuspended as TenantSuspended
from imagefactory.domain.identity.events.tenants import TenantSuspensionLifted as TenantSuspensionLifted
