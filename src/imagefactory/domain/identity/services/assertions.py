"""What a provider says about someone, and whom that lets in: the rules of docs/decisions/0012."""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid
from collections.abc import Sequence
from typing import NoReturn

from allauth.mfa.models import Authenticator
from django.db import IntegrityError, transaction

from imagefactory.domain.identity import events, policies
from imagefactory.domain.identity.errors import ProviderNotFound, ProviderRefused
from imagefactory.domain.identity.models import ExternalIdentity, IdentityProvider, Membership, SpentToken, Tenant, User
from imagefactory.domain.identity.selectors import user_with_email
from imagefactory.domain.identity.selectors.invitations import same_address
from imagefactory.domain.identity.services import provider_settings
from imagefactory.domain.identity.services.email_proofs import end_links_of
from imagefactory.domain.identity.services.provider_roles import apply_roles, join_tenant
from imagefactory.domain.identity.services.session_ends import end_all_of
from imagefactory.kernel.actor import Actor, ActorKind
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.clock import now
from imagefactory.kernel.ids import digest
from imagefactory.kernel.outbox.emit import emit
from imagefactory.kernel.throttle.check import count_attempt, origin


@dataclasses.dataclass(frozen=True)
class Assertion:
    """What a provider said, after its signature was checked. `groups` None: it says nothing about groups."""

    subject: str
    email: str
    email_verified: bool
    name: str = ""
    groups: Sequence[str] | None = None


@dataclasses.dataclass(frozen=True)
class Accepted:
    """Who may come in, and through which link."""

    user_id: uuid.UUID
    identity_id: uuid.UUID


_SENTENCES = {
    "off": "This way to sign in is switched off. Use another, or ask an owner of your team.",
    "subject": "The provider did not say who you are. Ask whoever runs it.",
    "email": "The provider did not send an e-mail address that it has verified. Ask whoever runs it.",
    "domain": "The provider may not speak for the domain of your e-mail address. Ask an owner of your team to look at its settings.",
    "not_a_member": "You do not belong to this team. Ask an owner for an invitation, accept it with an account of your own, "
    "and link this sign-in in your account.",
    "unknown": "There is no account for you yet. Ask an owner of your team for an invitation.",
    "other_subject": "Your account is linked to another person at this provider. Ask an owner of your team to end that link.",
    "inactive": "This account is no longer active. Ask an owner of your team.",
    "taken": "This sign-in belongs to another account already. Sign in there, or ask an owner to end that link.",
}


def accept_assertion(actor: Actor, provider_id: uuid.UUID, said: Assertion, *, proven_address: str = "") -> Accepted:
    """Return whom the assertion lets in; links, people and roles are made as the provider's settings say.

    `proven_address` is an address that this browser proved by the link of a mail (an invitation): for it alone an account
    is made where the provider itself may make none. Raises ProviderRefused, ProviderNotFound, RateLimited.
    """
    count_attempt("sign in from here", origin(actor.address), limit=100, window_seconds=900)
    try:
        with transaction.atomic():
            provider = IdentityProvider.objects.select_for_update().filter(id=provider_id).first()
            if provider is None:
                raise ProviderNotFound
            # Who is being removed from the team is not let in and made a member again in the same moment.
            if provider.tenant_id is not None:
                Tenant.objects.select_for_update().get(id=provider.tenant_id)
            user, link = _person(actor, provider, said, proven_address)
            author = dataclasses.replace(actor, kind=ActorKind.USER, user_id=user.id, name=user.name, email=user.email)
            if said.groups is not None or provider.creates_people:
                apply_roles(author, provider, user.id, said.groups or ())
            ExternalIdentity.objects.filter(id=link.id).update(last_sign_in_at=now(), ended_at=None)
            return Accepted(user.id, link.id)
    except ProviderRefused as refused:
        record_refusal(actor, provider_id, refused.reason, email=said.email)
        raise


def record_refusal(actor: Actor, provider_id: uuid.UUID, reason: str, detail: str = "", *, email: str = "") -> None:
    """State that a sign-in through a provider was refused, for the record; in a transaction of its own."""
    found = IdentityProvider.objects.filter(id=provider_id).first()
    if found is not None:
        with transaction.atomic():
            told = (found.id, found.name, email[:254], f"{reason}: {detail}" if detail else reason)
            emit(actor, events.ProviderSignInRefused(found.tenant_id, *told))


def is_confirmed(identity_id: uuid.UUID) -> bool:
    """Whether the person linked this identity themselves."""
    return ExternalIdentity.objects.filter(id=identity_id, confirmed_at__isnull=False).exists()


def _refuse(reason: str) -> NoReturn:
    raise ProviderRefused(reason, _SENTENCES[reason])


def _person(
    actor: Actor, provider: IdentityProvider, said: Assertion, proven_address: str
) -> tuple[User, ExternalIdentity]:
    if not provider.enabled:
        _refuse("off")
    if not 1 <= len(said.subject) <= 500 or "\0" in said.subject:
        _refuse("subject")
    link = ExternalIdentity.objects.filter(provider=provider, subject=said.subject).select_related("user").first()
    if link is not None:
        if not link.user.is_active:
            _refuse("inactive")
        if provider.tenant_id is not None and not _is_member(provider.tenant_id, link.user_id):
            _refuse("not_a_member")
        return link.user, link
    email = _believed_address(provider, said)
    user = user_with_email(email)
    if user is None:
        user = _made(actor, provider, said, email, proven_address)
    elif not user.is_active:
        _refuse("inactive")
    elif provider.tenant_id is not None and not _is_member(provider.tenant_id, user.id):
        # Whoever runs a tenant's provider can say any name: it opens no account outside the tenant (decision 12).
        _refuse("not_a_member")
    if ExternalIdentity.objects.filter(provider=provider, user=user).exists():
        _refuse("other_subject")
    if provider.tenant_id is None and not user.email_proven:
        _claim(actor, user)
    link = ExternalIdentity.objects.create(provider=provider, user=user, subject=said.subject)
    emit(actor, events.IdentityLinked(provider.tenant_id, user.id, provider.id, provider.name, "first sign-in"))
    return user, link


def _claim(actor: Actor, user: User) -> None:
    """Give an account to the person of its address, who is here now, and take it from whoever made it and never was.

    What that one set up would let them in again: the password, other links, second factors, open sign-ins.
    """
    user.set_unusable_password()
    user.email_confirmed, user.email_proven, user.must_change_password = True, True, False
    user.save(update_fields=["password", "email_confirmed", "email_proven", "must_change_password"])
    ExternalIdentity.objects.filter(user=user).delete()
    Authenticator.objects.filter(user=user).delete()
    end_all_of(user.id)
    end_links_of(user.id)
    author = dataclasses.replace(actor, kind=ActorKind.USER, user_id=user.id, name=user.name, email=user.email)
    emit(author, events.EmailConfirmed(None, user.id, user.email))


def _is_member(tenant_id: uuid.UUID, user_id: uuid.UUID) -> bool:
    return Membership.objects.filter(tenant_id=tenant_id, user_id=user_id).exists()


def _believed_address(provider: IdentityProvider, said: Assertion) -> str:
    email = said.email.strip()
    local, _, domain = email.rpartition("@")
    if not said.email_verified or not local or len(email) > 254 or not email.isascii() or not email.isprintable():
        _refuse("email")
    if domain.lower() not in provider.domains or not provider_settings.DOMAIN.fullmatch(domain.lower()):
        _refuse("domain")
    return email


def _made(actor: Actor, provider: IdentityProvider, said: Assertion, email: str, proven_address: str) -> User:
    proven = bool(proven_address) and same_address(proven_address, email)
    # An address in a domain that nobody confirmed could be anyone's: no account is made in their name.
    if not proven and not (provider.creates_people and provider.domains_confirmed):
        _refuse("unknown")
    name = "".join(c for c in said.name if c.isprintable()).strip()[:120] or email.partition("@")[0]
    try:
        with transaction.atomic():
            user = User.objects.create_user(email, None, name=name, email_proven=provider.tenant_id is None)
    except IntegrityError:  # two first sign-ins at once
        _refuse("unknown")
    if provider.tenant_id is not None and not proven:
        author = dataclasses.replace(actor, kind=ActorKind.USER, user_id=user.id, name=user.name, email=user.email)
        join_tenant(author, provider.tenant_id, user.id, "")
    return user


def link_identity(actor: Actor, provider_id: uuid.UUID, said: Assertion) -> Accepted:
    """Link a provider to the account of the signed-in actor, who confirmed it with their own password just before.

    From then on it opens the whole account. Raises PermissionDenied from a key or a bound sign-in, ProviderRefused,
    ProviderNotFound.
    """
    authorize(policies.may_act_as_person(actor))
    with transaction.atomic():
        provider = IdentityProvider.objects.select_for_update().filter(id=provider_id).first()
        if provider is None:
            raise ProviderNotFound
        if not provider.enabled:
            _refuse("off")
        if not 1 <= len(said.subject) <= 500:
            _refuse("subject")
        link = ExternalIdentity.objects.filter(provider=provider, subject=said.subject).first()
        if link is not None and link.user_id != actor.person:
            _refuse("taken")
        # Another subject than before: the person says so themselves, so the newer one holds.
        ExternalIdentity.objects.filter(provider=provider, user_id=actor.person).exclude(subject=said.subject).delete()
        link, _ = ExternalIdentity.objects.update_or_create(
            provider=provider, subject=said.subject,
            defaults={"user_id": actor.person, "confirmed_at": now(), "ended_at": None},
        )  # fmt: skip
        emit(actor, events.IdentityLinked(provider.tenant_id, actor.person, provider.id, provider.name, "person"))
        return Accepted(actor.person, link.id)


def check_own_password(actor: Actor, password: str) -> bool:
    """Whether this is the actor's present password; 10 tries in 15 minutes.

    Raises RateLimited, PermissionDenied from a key or a bound sign-in.
    """
    authorize(policies.may_act_as_person(actor))
    count_attempt("confirm it is you", str(actor.person), limit=10, window_seconds=900)
    user = User.objects.get(id=actor.person)
    return user.has_usable_password() and user.check_password(password[:1000])


def spend(what: str, key: str, until: dt.datetime) -> bool:
    """Mark an assertion or a token as used until `until` and return whether this was the first time."""
    try:
        with transaction.atomic():
            SpentToken.objects.create(key=digest(f"{what}\0{key}"), expires_at=until)
    except IntegrityError:
        return False
    return True
