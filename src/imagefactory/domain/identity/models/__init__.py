"""Tables of people, tenants, memberships, role bindings, keys and sessions: one file for each."""

from __future__ import annotations

from imagefactory.domain.identity.models.access_requests import AccessRequest as AccessRequest
from imagefactory.domain.identity.models.invitations import Invitation as Invitation
from imagefactory.domain.identity.models.ip_lists import IpList as IpList
from imagefactory.domain.identity.models.keys import ApiKey as ApiKey
from imagefactory.domain.identity.models.keys import KeyPolicy as KeyPolicy
from imagefactory.domain.identity.models.members import Membership as Membership
from imagefactory.domain.identity.models.members import RoleBinding as RoleBinding
from imagefactory.domain.identity.models.people import User as User
from imagefactory.domain.identity.models.people import UserManager as UserManager
from imagefactory.domain.identity.models.proofs import EmailProof as EmailProof
from imagefactory.domain.identity.models.providers import CiTrust as CiTrust
from imagefactory.domain.identity.models.providers import ExternalIdentity as ExternalIdentity
from imagefactory.domain.identity.models.providers import IdentityProvider as IdentityProvider
from imagefactory.domain.identity.models.providers import ProviderGrant as ProviderGrant
from imagefactory.domain.identity.models.providers import ProviderRole as ProviderRole
from imagefactory.domain.identity.models.providers import SpentToken as SpentToken
from imagefactory.domain.identity.models.roles import CustomRole as CustomRole
from imagefactory.domain.identity.models.service_accounts import ServiceAccount as ServiceAccount
from imagefactory.domain.identity.models.sessions import AuthSession as AuthSession
from imagefactory.domain.identity.models.sessions import SignInRecord as SignInRecord
from imagefactory.domain.identity.models.tenants import RetiredSlug as RetiredSlug
from imagefactory.domain.identity.models.tenants import Tenant as Tenant
from imagefactory.domain.identity.models.tenants import TenantDecision as TenantDecision
from imagefactory.domain.identity.models.tenants import TenantExport as TenantExport
from imagefactory.domain.identity.models.tenants import TenantLogo as TenantLogo
