"""What happens to people, tenants and keys: one file for each subject."""

from __future__ import annotations

from imagefactory.domain.identity.events.keys import ApiKeyCreated as ApiKeyCreated
from imagefactory.domain.identity.events.keys import ApiKeyRevoked as ApiKeyRevoked
from imagefactory.domain.identity.events.sign_in import PasswordChanged as PasswordChanged
from imagefactory.domain.identity.events.sign_in import SignedIn as SignedIn
from imagefactory.domain.identity.events.sign_in import SignedOut as SignedOut
from imagefactory.domain.identity.events.sign_in import SignInRefused as SignInRefused
from imagefactory.domain.identity.events.team import MemberJoined as MemberJoined
from imagefactory.domain.identity.events.team import MemberRoleSet as MemberRoleSet
from imagefactory.domain.identity.events.tenants import TenantCreated as TenantCreated
