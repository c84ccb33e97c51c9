"""Sign up, and making one more tenant."""

from __future__ import annotations

import dataclasses
import uuid

from django.db import IntegrityError, transaction

from imagefactory.domain.identity import events, policies
from imagefactory.domain.identity.errors import SignUpClosed
from imagefactory.domain.identity.models import Membership, RoleBinding, Tenant, User
from imagefactory.domain.identity.permissions import Role
from imagefactory.domain.identity.selectors import Person, person_by_email, user_with_email
from imagefactory.domain.identity.services.checks import (
    address_errors,
    email_errors,
    password_errors,
    person_errors,
    tenant_errors,
)
from imagefactory.domain.identity.services.email_proofs import new_proof, tell_repeated_sign_up
from imagefactory.domain.identity.states import ProofPurpose, TenantState
from imagefactory.kernel import env, ids
from imagefactory.kernel.actor import Actor, ActorKind
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.errors import ValidationFailed
from imagefactory.kernel.outbox.emit import emit
from imagefactory.kernel.throttle.check import count_attempt, origin


@dataclasses.dataclass(frozen=True)
class SignedUp:
    """Who was made; while `pending`, the address has to be confirmed first, and the ids may be nobody's."""

    user_id: uuid.UUID
    tenant_id: uuid.UUID
    tenant_slug: str
    pending: bool = False


def _found_tenant(actor: Actor, name: str, slug: str, zone: str, owner: Person | None = None) -> Tenant:
    """Make a tenant that the actor, or else `owner`, owns, and tell it; inside the caller's transaction."""
    owner_id, email = (owner.id, owner.email) if owner else (actor.person, actor.email)
    waits = env.get().sign_up == "approval" and actor.kind is not ActorKind.SYSTEM and not actor.is_system_admin
    state = TenantState.AWAITING_APPROVAL if waits else TenantState.ACTIVE
    tenant = Tenant.objects.create(slug=slug, name=name.strip(), time_zone=zone, state=state)
    Membership.objects.create(tenant=tenant, user_id=owner_id)
    RoleBinding.objects.create(tenant=tenant, user_id=owner_id, role=Role.OWNER)
    emit(
        actor,
        events.TenantCreated(tenant.id, slug, tenant.name, str(state)),
        events.MemberJoined(tenant.id, owner_id, email, Role.OWNER),
    )
    return tenant


def sign_up(
    actor: Actor,
    *,
    name: str,
    email: str,
    password: str,
    tenant_name: str,
    tenant_slug: str = "",
    time_zone: str = "UTC",
) -> SignedUp:
    """Create a person, their tenant and their ownership of it.

    Where addresses are confirmed, the answer is the same whether there is an account with this one; its owner is told by mail.

    Raises SignUpClosed, RateLimited (20 an hour from one address), ValidationFailed with all fields at once.
    """
    if env.get().sign_up == "closed" and actor.kind is not ActorKind.SYSTEM:
        raise SignUpClosed
    count_attempt("sign up", origin(actor.address), limit=20, window_seconds=3600)
    email, slug = email.strip(), (tenant_slug or ids.slugify(tenant_name)).strip()
    wrong = person_errors(name, time_zone)
    wrong |= {f"tenant_{field}": sentences for field, sentences in tenant_errors(tenant_name, slug).items()}
    confirms = env.get().confirms_email and actor.kind is not ActorKind.SYSTEM
    if about := address_errors(email) if confirms else email_errors(email):
        wrong["email"] = about
    if about := password_errors(password, User(email=email, name=name)):
        wrong["password"] = about
    if wrong:
        raise ValidationFailed(wrong)
    if confirms and (there := user_with_email(email)) is not None:
        tell_repeated_sign_up(actor, there, password)
        return SignedUp(ids.uuid7(), ids.uuid7(), slug, pending=True)
    try:
        with transaction.atomic():
            user = User.objects.create_user(
                email, password, name=name.strip(), time_zone=time_zone, email_confirmed=not confirms
            )
            author = dataclasses.replace(actor, kind=ActorKind.USER, user_id=user.id, name=user.name, email=user.email)
            tenant = _found_tenant(author, tenant_name, slug, time_zone)
            User.objects.filter(id=user.id).update(last_tenant_id=tenant.id)
            if confirms:
                proof = new_proof(user, ProofPurpose.CONFIRM_EMAIL, email)
                emit(author, events.EmailConfirmationAsked(None, user.id, proof.id, proof.version))
    except IntegrityError:  # someone took the name or the address in this moment
        raise ValidationFailed(
            {"email": ["This e-mail address or short name was taken just now. Choose another."]}
        ) from None
    return SignedUp(user.id, tenant.id, slug, pending=confirms)


def create_tenant(actor: Actor, *, name: str, slug: str = "") -> Tenant:
    """Create one more tenant, owned by the signed-in actor; where sign-up is by approval, it waits for it.

    Raises PermissionDenied from a key, SignUpClosed, RateLimited (20 an hour by one person), ValidationFailed.
    """
    authorize(policies.may_act_as_person(actor))
    if env.get().sign_up == "closed" and not actor.is_system_admin:
        raise SignUpClosed
    slug = slug or ids.slugify(name)
    count_attempt("create a tenant", str(actor.user_id), limit=20, window_seconds=3600)
    if wrong := tenant_errors(name, slug):
        raise ValidationFailed(wrong)
    try:
        with transaction.atomic():
            return _found_tenant(actor, name, slug, "UTC")
    except IntegrityError:
        raise ValidationFailed({"slug": [f"The short name {slug} was taken just now. Choose another."]}) from None


def create_tenant_for(actor: Actor, *, name: str, slug: str = "", owner_email: str) -> Tenant:
    """Create a tenant that someone else owns, who has an account already; it is active at once.

    Raises PermissionDenied, ValidationFailed.
    """
    authorize(policies.may_change_installation(actor))
    slug = slug or ids.slugify(name)
    wrong = tenant_errors(name, slug)
    owner = person_by_email(owner_email.strip()[:254])
    if owner is None:
        wrong["owner_email"] = [
            "Nobody has an account with this e-mail address. Make the team yours and invite them to it, or ask them to sign "
            "up first."
        ]
    if wrong:
        raise ValidationFailed(wrong)
    try:
        with transaction.atomic():
            return _found_tenant(actor, name, slug, "UTC", owner)
    except IntegrityError:
        raise ValidationFailed({"slug": [f"The short name {slug} was taken just now. Choose another."]}) from None
