"""Sign up, sign in, sign out, roles and keys: every change to who someone is and what they may do."""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid
import zoneinfo
from collections.abc import Mapping, Sequence

from django.contrib.auth import password_validation
from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models import Q

from imagefactory.domain.identity import events, policies
from imagefactory.domain.identity.errors import KeyNotFound, SignUpClosed, WrongCredentials
from imagefactory.domain.identity.models import ApiKey, AuthSession, Membership, RoleBinding, Tenant, User
from imagefactory.domain.identity.permissions import Permission, Role
from imagefactory.domain.identity.selectors import require_tenant, user_with_email
from imagefactory.domain.identity.states import TokenKind
from imagefactory.kernel import env, ids
from imagefactory.kernel.actor import Actor, ActorKind
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.clock import now
from imagefactory.kernel.errors import TokenExpired, Unauthorized, ValidationFailed
from imagefactory.kernel.outbox.emit import emit
from imagefactory.kernel.throttle.check import count_attempt, forget, origin

ACCESS_LIFE = dt.timedelta(hours=1)
REFRESH_LIFE = dt.timedelta(days=30)
KEY_LIFE_DAYS_MAX = 366
MAX_PASSWORD = 1000  # characters; hashing a longer one would be a way to keep the factory busy


@dataclasses.dataclass(frozen=True)
class SignedUp:
    user_id: uuid.UUID
    tenant_id: uuid.UUID
    tenant_slug: str


def _person_errors(name: str, zone: str) -> dict[str, list[str]]:
    wrong: dict[str, list[str]] = {}
    if not 1 <= len(name.strip()) <= 120:
        wrong["name"] = ["Give your name, in at most 120 characters."]
    if zone not in zoneinfo.available_timezones():
        wrong["time_zone"] = ["There is no such time zone. Choose one from the list, such as Europe/Stockholm."]
    return wrong


def _email_errors(email: str) -> list[str]:
    if len(email) > 254:
        return ["This e-mail address is longer than 254 characters."]
    try:
        validate_email(email)
    except ValidationError:
        return ["This is not an e-mail address. It looks like name@example.com."]
    if user_with_email(email) is not None:
        return ["There is an account with this e-mail address. Sign in instead."]
    return []


def _password_errors(password: str, user: User) -> list[str]:
    if len(password) > MAX_PASSWORD:
        return [f"This password is longer than {MAX_PASSWORD:,} characters."]
    try:
        password_validation.validate_password(password, user)
    except ValidationError as error:
        return list(error.messages)
    return []


def _tenant_errors(name: str, slug: str) -> dict[str, list[str]]:
    if not 1 <= len(name.strip()) <= 120:
        return {"name": ["Give the team a name, in at most 120 characters."]}
    if not ids.is_slug(slug):
        return {"slug": [f"The short name is {ids.SLUG_RULE}. Choose one that stands in addresses and image names."]}
    if slug in ids.RESERVED_SLUGS or Tenant.objects.filter(slug=slug).exists():
        return {"slug": [f"The short name {slug} is taken. Choose another."]}
    return {}


def _found_tenant(actor: Actor, name: str, slug: str, zone: str) -> Tenant:
    """Make a tenant that the actor owns, and tell it; inside the caller's transaction."""
    tenant = Tenant.objects.create(slug=slug, name=name.strip(), time_zone=zone)
    Membership.objects.create(tenant=tenant, user_id=actor.person)
    RoleBinding.objects.create(tenant=tenant, user_id=actor.person, role=Role.OWNER)
    emit(
        actor,
        events.TenantCreated(tenant.id, slug, tenant.name),
        events.MemberJoined(tenant.id, actor.person, actor.email, Role.OWNER),
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

    Raises SignUpClosed, RateLimited (20 an hour from one address), ValidationFailed with all fields at once.
    """
    if env.get().sign_up == "closed" and actor.kind is not ActorKind.SYSTEM:
        raise SignUpClosed
    count_attempt("sign up", origin(actor.address), limit=20, window_seconds=3600)
    email, slug = email.strip(), (tenant_slug or ids.slugify(tenant_name)).strip()
    wrong = _person_errors(name, time_zone)
    wrong |= {f"tenant_{field}": sentences for field, sentences in _tenant_errors(tenant_name, slug).items()}
    if about := _email_errors(email):
        wrong["email"] = about
    if about := _password_errors(password, User(email=email, name=name)):
        wrong["password"] = about
    if wrong:
        raise ValidationFailed(wrong)
    try:
        with transaction.atomic():
            user = User.objects.create_user(email, password, name=name.strip(), time_zone=time_zone)
            author = dataclasses.replace(actor, kind=ActorKind.USER, user_id=user.id, name=user.name, email=user.email)
            tenant = _found_tenant(author, tenant_name, slug, time_zone)
            User.objects.filter(id=user.id).update(last_tenant_id=tenant.id)
    except IntegrityError:  # someone took the name or the address in this moment
        raise ValidationFailed(
            {"email": ["This e-mail address or short name was taken just now. Choose another."]}
        ) from None
    return SignedUp(user.id, tenant.id, slug)


def create_tenant(actor: Actor, *, name: str, slug: str = "") -> Tenant:
    """Create one more tenant, owned by the signed-in actor.

    Raises PermissionDenied from a key, SignUpClosed, RateLimited (20 an hour by one person), ValidationFailed.
    """
    authorize(policies.may_act_as_person(actor))
    if env.get().sign_up == "closed" and not actor.is_system_admin:
        raise SignUpClosed
    slug = slug or ids.slugify(name)
    count_attempt("create a tenant", str(actor.user_id), limit=20, window_seconds=3600)
    if wrong := _tenant_errors(name, slug):
        raise ValidationFailed(wrong)
    try:
        with transaction.atomic():
            return _found_tenant(actor, name, slug, "UTC")
    except IntegrityError:
        raise ValidationFailed({"slug": [f"The short name {slug} was taken just now. Choose another."]}) from None


def verify_password(actor: Actor, *, email: str, password: str) -> uuid.UUID:
    """Return the id of the person with this e-mail address and password.

    Raises WrongCredentials, or RateLimited after 10 failures for one address and person, or 100 for one address, in 15
    minutes. Takes the same time whether the person exists or not.
    """
    email, address = email.strip().lower()[:254], origin(actor.address)
    count_attempt("sign in from here", address, limit=100, window_seconds=900)
    user = user_with_email(email)
    # By the account where there is one: the database takes some letters for the same that Python does not.
    attempt = f"{address}\0{user.pk if user else email}"
    count_attempt("sign in", attempt, limit=10, window_seconds=900)
    if user is None or not user.is_active or len(password) > MAX_PASSWORD:
        make_password(password[:MAX_PASSWORD])  # as slow as a check
    elif user.check_password(password):
        forget("sign in", attempt)
        with transaction.atomic():
            emit(
                dataclasses.replace(actor, kind=ActorKind.USER, user_id=user.id, name=user.name),
                events.SignedIn(None, user.id, "password"),
            )
        return user.id
    with transaction.atomic():
        emit(actor, events.SignInRefused(None, email))
    raise WrongCredentials


@dataclasses.dataclass(frozen=True)
class Tokens:
    """The only time that the two tokens of an API session are seen."""

    access: str
    access_expires_in: int
    refresh: str
    refresh_expires_in: int


def open_session(actor: Actor, user_id: uuid.UUID) -> Tokens:
    """Return new tokens for a person whose password was just checked."""
    tokens = _new_tokens()
    AuthSession.objects.create(user_id=user_id, address=actor.address[:64], **_token_fields(tokens))
    return tokens


def _new_tokens() -> Tokens:
    return Tokens(
        f"{TokenKind.ACCESS}_{ids.token()}",
        int(ACCESS_LIFE.total_seconds()),
        f"{TokenKind.REFRESH}_{ids.token()}",
        int(REFRESH_LIFE.total_seconds()),
    )


def _token_fields(tokens: Tokens) -> Mapping[str, object]:
    return {
        "access_hash": ids.digest(tokens.access),
        "access_expires_at": now() + ACCESS_LIFE,
        "refresh_hash": ids.digest(tokens.refresh),
        "refresh_expires_at": now() + REFRESH_LIFE,
    }


def refresh_session(actor: Actor, refresh_token: str) -> Tokens:
    """Exchange a refresh token for new tokens; it works once.

    Raises Unauthorized or TokenExpired.
    """
    old = ids.digest(refresh_token)
    session = AuthSession.objects.filter(refresh_hash=old, revoked_at=None, user__is_active=True).first()
    if session is None or not refresh_token.startswith(f"{TokenKind.REFRESH}_"):
        raise Unauthorized("This is not a valid refresh token. Sign in again.")
    if session.refresh_expires_at <= now():
        raise TokenExpired("This refresh token has expired. Sign in again.")
    tokens = _new_tokens()
    if not AuthSession.objects.filter(id=session.id, refresh_hash=old, revoked_at=None).update(**_token_fields(tokens)):
        raise Unauthorized("This refresh token was used already. Sign in again.")
    return tokens


def close_session(actor: Actor, token: str) -> None:
    """Sign out: both tokens of the session stop working at once. Safe to repeat."""
    hashed = ids.digest(token)
    with transaction.atomic():
        closed = AuthSession.objects.filter(
            Q(access_hash=hashed) | Q(refresh_hash=hashed), user_id=actor.person, revoked_at=None
        ).update(revoked_at=now())
        if closed and actor.user_id:
            emit(actor, events.SignedOut(None, actor.user_id))


def change_password(actor: Actor, *, old: str, new: str) -> None:
    """Set a new password; every API session ends, browser sessions end by Django's session hash.

    Raises PermissionDenied from a key, RateLimited (10 in 15 minutes), ValidationFailed.
    """
    authorize(policies.may_act_as_person(actor))
    count_attempt("change the password", str(actor.user_id), limit=10, window_seconds=900)
    user = User.objects.get(id=actor.person)
    if not user.check_password(old[:MAX_PASSWORD]):
        raise ValidationFailed({"old_password": ["This is not your present password."]})
    if wrong := _password_errors(new, user):
        raise ValidationFailed({"new_password": wrong})
    with transaction.atomic():
        user.set_password(new)
        user.save(update_fields=["password"])
        AuthSession.objects.filter(user=user, revoked_at=None).update(revoked_at=now())
        emit(actor, events.PasswordChanged(None, user.id))


def update_profile(actor: Actor, *, name: str, time_zone: str) -> None:
    """Change one's own name and time zone.

    Raises PermissionDenied from a key, ValidationFailed.
    """
    authorize(policies.may_act_as_person(actor))
    if wrong := _person_errors(name, time_zone):
        raise ValidationFailed(wrong)
    User.objects.filter(id=actor.person).update(name=name.strip(), time_zone=time_zone)


def remember_tenant(actor: Actor) -> None:
    """Keep which tenant the person worked in last, so that `/` leads there."""
    User.objects.filter(id=actor.person).exclude(last_tenant_id=actor.tenant_id).update(last_tenant_id=actor.tenant_id)


def set_project_role(actor: Actor, user_id: uuid.UUID, project_id: uuid.UUID, role: Role | None) -> None:
    """Give a member of the tenant a role in one project, or take it away with None.

    Raises PermissionDenied, ValidationFailed.
    """
    authorize(policies.may(actor, Permission.TEAM_MANAGE, project_id))
    tenant_id = require_tenant(actor)
    if role is Role.OWNER or not Membership.objects.filter(tenant_id=tenant_id, user_id=user_id).exists():
        raise ValidationFailed({"role": ["Give a member of this team the role admin, member or viewer."]})
    with transaction.atomic():
        mine = RoleBinding.objects.select_for_update().filter(
            tenant_id=tenant_id, user_id=user_id, project_id=project_id
        )
        before = mine.first()
        if role is None:
            mine.delete()
        else:
            RoleBinding.objects.update_or_create(
                tenant_id=tenant_id, user_id=user_id, project_id=project_id, defaults={"role": role}
            )
        emit(
            actor,
            events.MemberRoleSet(tenant_id, user_id, project_id, before.role if before else "", role or ""),
        )


def drop_project_roles(tenant_id: uuid.UUID, project_id: uuid.UUID) -> None:
    """Remove all bindings of a project that is being deleted; called in that transaction."""
    RoleBinding.objects.filter(tenant_id=tenant_id, project_id=project_id).delete()


def create_api_key(
    actor: Actor, *, name: str, scopes: Sequence[str] | None = None, days: int = 90
) -> tuple[ApiKey, str]:
    """Return a new key of the actor in this tenant, and its text, which is shown this once.

    Raises PermissionDenied from a key, ValidationFailed.
    """
    tenant_id = require_tenant(actor)
    authorize(policies.may_manage_key(actor, actor.person))
    wanted = [str(p) for p in Permission] if scopes is None else sorted(set(scopes))
    wrong: dict[str, list[str]] = {}
    if not 1 <= len(name.strip()) <= 80:
        wrong["name"] = ["Give the key a name that says what uses it, in at most 80 characters."]
    if unknown := [s for s in wanted if s not in {str(p) for p in Permission}]:
        wrong["scopes"] = [f"There is no scope {', '.join(unknown[:5])}. Choose from the permissions in the reference."]
    if not wanted:
        wrong["scopes"] = ["Choose at least one scope; a key without any can do nothing."]
    if not 1 <= days <= KEY_LIFE_DAYS_MAX:
        wrong["days"] = [f"A key lives 1 to {KEY_LIFE_DAYS_MAX} days."]
    if wrong:
        raise ValidationFailed(wrong)
    prefix, secret = ids.token(6), ids.token(24)
    with transaction.atomic():
        key = ApiKey.objects.create(
            tenant_id=tenant_id,
            user_id=actor.person,
            name=name.strip(),
            prefix=prefix,
            secret_hash=ids.digest(secret),
            scopes=wanted,
            expires_at=now() + dt.timedelta(days=days),
        )
        emit(actor, events.ApiKeyCreated(tenant_id, key.id, key.name, wanted, key.expires_at.isoformat()))
    return key, f"{TokenKind.API_KEY}_{prefix}_{secret}"


def revoke_api_key(actor: Actor, key_id: uuid.UUID) -> None:
    """Revoke one of the actor's own keys; it stops working at once. Safe to repeat.

    Raises KeyNotFound, PermissionDenied.
    """
    key = ApiKey.objects.filter(id=key_id, tenant_id=require_tenant(actor), user_id=actor.person).first()
    if key is None:
        raise KeyNotFound
    authorize(policies.may_manage_key(actor, key.user_id))
    with transaction.atomic():
        if ApiKey.objects.filter(id=key_id, revoked_at=None).update(revoked_at=now()):
            emit(actor, events.ApiKeyRevoked(key.tenant_id, key.id, key.name))
