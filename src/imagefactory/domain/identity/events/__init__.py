"""What happens to people, tenants and keys: one file for each subject."""

from __future__ import annotations

from imagefactory.domain.identity.events.ip_lists import IpListChanged as IpListChanged
from imagefactory.domain.identity.events.keys import ApiKeyCreated as ApiKeyCreated
from imagefactory.domain.identity.events.keys import ApiKeyExpiring as ApiKeyExpiring
from imagefactory.domain.identity.events.keys import ApiKeyRevoked as ApiKeyRevoked
from imagefactory.domain.identity.events.keys import ApiKeyRotated as ApiKeyRotated
from imagefactory.domain.identity.events.keys import CiKeyIssued as CiKeyIssued
from imagefactory.domain.identity.events.keys import KeyPolicyChanged as KeyPolicyChanged
from imagefactory.domain.identity.events.providers import CiTrustChanged as CiTrustChanged
from imagefactory.domain.identity.events.providers import DirectoryRolesApplied as DirectoryRolesApplied
from imagefactory.domain.identity.events.providers import IdentityLinked as IdentityLinked
from imagefactory.domain.identity.events.providers import IdentityProviderChanged as IdentityProviderChanged
from imagefactory.domain.identity.events.providers import IdentityProviderCreated as IdentityProviderCreated
from imagefactory.domain.identity.events.providers import IdentityProviderDeleted as IdentityProviderDeleted
from imagefactory.domain.identity.events.providers import IdentityUnlinked as IdentityUnlinked
from imagefactory.domain.identity.events.providers import ProviderSignInRefused as ProviderSignInRefused
from imagefactory.domain.identity.events.service_accounts import ServiceAccountChanged as ServiceAccountChanged
from imagefactory.domain.identity.events.service_accounts import ServiceAccountCreated as ServiceAccountCreated
from imagefactory.domain.identity.events.service_accounts import ServiceAccountDeleted as ServiceAccountDeleted
from imagefactory.domain.identity.events.service_accounts import ServiceAccountDisabled as ServiceAccountDisabled
from imagefactory.domain.identity.events.service_accounts import ServiceAccountEnabled as ServiceAccountEnabled
from imagefactory.domain.identity.events.sign_in import EmailChangeAsked as EmailChangeAsked
from imagefactory.domain.identity.events.sign_in import EmailChanged as EmailChanged
from imagefactory.domain.identity.events.sign_in import EmailConfirmationAsked as EmailConfirmationAsked
from imagefactory.domain.identity.events.sign_in import EmailConfirmed as EmailConfirmed
from imagefactory.domain.identity.events.sign_in import PasswordChanged as PasswordChanged
from imagefactory.domain.identity.events.sign_in import PasswordChangeForced as PasswordChangeForced
from imagefactory.domain.identity.events.sign_in import PasswordResetAsked as PasswordResetAsked
from imagefactory.domain.identity.events.sign_in import ProfileChanged as ProfileChanged
from imagefactory.domain.identity.events.sign_in import RecoveryCodesMade as RecoveryCodesMade
from imagefactory.domain.identity.events.sign_in import SecondFactorAdded as SecondFactorAdded
from imagefactory.domain.identity.events.sign_in import SecondFactorPolicySet as SecondFactorPolicySet
from imagefactory.domain.identity.events.sign_in import SecondFactorRemoved as SecondFactorRemoved
from imagefactory.domain.identity.events.sign_in import SecondFactorRenamed as SecondFactorRenamed
from imagefactory.domain.identity.events.sign_in import SessionsEnded as SessionsEnded
from imagefactory.domain.identity.events.sign_in import SignedIn as SignedIn
from imagefactory.domain.identity.events.sign_in import SignedOut as SignedOut
from imagefactory.domain.identity.events.sign_in import SignInRefused as SignInRefused
from imagefactory.domain.identity.events.sign_in import SignInUnlocked as SignInUnlocked
from imagefactory.domain.identity.events.sign_in import SignUpRepeated as SignUpRepeated
from imagefactory.domain.identity.events.team import MemberJoined as MemberJoined
from imagefactory.domain.identity.events.team import MemberRoleSet as MemberRoleSet
from imagefactory.domain.identity.events.tenants import TenantCreated as TenantCreated
