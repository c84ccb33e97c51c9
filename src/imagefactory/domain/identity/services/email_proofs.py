"""What a link in a mail proves: a new account's address, a new address, or the right to set a new password."""

from __future__ import annotations

import dataclasses
import uuid

from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction

from imagefactory.domain.identity import events, policies
from imagefactory.domain.identity.errors import LinkOver, WrongCode
from imagefactory.domain.identity.models import EmailProof, User
from imagefactory.domain.identity.selectors import user_with_email
from imagefactory.domain.identity.selectors.proofs import is_open, open_proof
from imagefactory.domain.identity.services.checks import MAX_PASSWORD, address_errors, email_errors, password_errors
from imagefactory.domain.identity.services.session_ends import end_all_of
from imagefactory.domain.identity.states import ProofPurpose
from imagefactory.kernel import env, secrets
from imagefactory.kernel.actor import Actor, ActorKind
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.clock import now
from imagefactory.kernel.errors import RateLimited, ValidationFailed
from imagefactory.kernel.outbox.emit import emit
from imagefactory.kernel.throttle.check import count_attempt, forget, origin

_MAILS, _HOUR = 5, 3600  # mails of one kind to one person within seconds


def new_proof(user: User, purpose: ProofPurpose, email: str) -> EmailProof:
    """Return the row of a new link, in the caller's transaction; earlier links for the same purpose stop working."""
    User.objects.select_for_update().get(id=user.id)
    proof = EmailProof.objects.filter(user=user, purpose=purpose).first() or EmailProof(
        user=user, purpose=purpose, version=0
    )
    proof.email, proof.asked_at, proof.used_at, proof.version = email, now(), None, proof.version + 1
    proof.save()
    return proof


def end_links_of(user_id: uuid.UUID) -> None:
    """End what an intruder may have begun: links that change the address or set a password; in the caller's transaction.

    Called when a new password is set. The link that confirms a new account's address stays.
    """
    began = [ProofPurpose.CHANGE_EMAIL, ProofPurpose.RESET_PASSWORD]
    EmailProof.objects.filter(user_id=user_id, purpose__in=began, used_at=None).update(used_at=now())


def _use(proof: EmailProof) -> None:
    """Use a link up; of two at once, one is too late."""
    unused = EmailProof.objects.filter(id=proof.id, version=proof.version, used_at=None)
    if not unused.update(used_at=now()):
        raise LinkOver


def _as(actor: Actor, user: User) -> Actor:
    return dataclasses.replace(actor, kind=ActorKind.USER, user_id=user.id, name=user.name, email=user.email)


def ask_confirmation(actor: Actor, user_id: uuid.UUID) -> None:
    """Send the link that confirms a new account's address once more; nothing happens when it is confirmed.

    Raises RateLimited after 5 within an hour.
    """
    user = User.objects.filter(id=user_id, is_active=True, email_confirmed=False).first()
    count_attempt("have a confirmation sent", str(user_id), limit=_MAILS, window_seconds=_HOUR)
    if user is None:
        return
    with transaction.atomic():
        proof = new_proof(user, ProofPurpose.CONFIRM_EMAIL, user.email)
        emit(_as(actor, user), events.EmailConfirmationAsked(None, user.id, proof.id, proof.version))


def confirm_email(actor: Actor, token: str) -> uuid.UUID:
    """Confirm the address that this link was sent to, and return whose it is.

    Raises LinkOver.
    """
    proof = open_proof(ProofPurpose.CONFIRM_EMAIL, token)
    if proof is None:
        raise LinkOver
    _confirm(actor, proof)
    return proof.user_id


def confirm_email_by_code(actor: Actor, user_id: uuid.UUID, code: str) -> None:
    """Confirm a person's address by the code of the same mail.

    Raises WrongCode, RateLimited after 10 wrong ones within an hour.
    """
    count_attempt("enter the code of a mail", str(user_id), limit=10, window_seconds=_HOUR)
    proof = (
        EmailProof.objects.filter(user_id=user_id, purpose=ProofPurpose.CONFIRM_EMAIL, user__is_active=True)
        .select_related("user").first()
    )  # fmt: skip
    typed = "".join(code.split())[:20]
    if proof is None or not is_open(proof) or typed != secrets.signed_code(proof.purpose, proof.id, proof.version):
        raise WrongCode
    _confirm(actor, proof)
    forget("enter the code of a mail", str(user_id))


def _confirm(actor: Actor, proof: EmailProof) -> None:
    with transaction.atomic():
        _use(proof)
        # The mail went to this address; another one that stands there by now is not what it proves.
        if not User.objects.filter(id=proof.user_id, email=proof.email).update(email_confirmed=True, email_proven=True):
            raise LinkOver
        emit(_as(actor, proof.user), events.EmailConfirmed(None, proof.user_id, proof.email))


def ask_reset(actor: Actor, email: str) -> None:
    """Send a link to set a new password, if there is such an account; the answer is the same when there is none.

    Raises ValidationFailed for what is no address, RateLimited: 20 from one place, 5 for one address within an hour.
    """
    email = email.strip()
    if wrong := address_errors(email):
        raise ValidationFailed({"email": wrong})
    count_attempt("ask for a new password from here", origin(actor.address), limit=20, window_seconds=_HOUR)
    user = user_with_email(email)
    key = str(user.pk) if user else email.lower()
    count_attempt("ask for a new password", key, limit=_MAILS, window_seconds=_HOUR)
    with transaction.atomic():
        # Someone whom an identity provider signs in has no password, and none is made by a mail.
        if user is not None and user.is_active and user.has_usable_password():
            proof = new_proof(user, ProofPurpose.RESET_PASSWORD, user.email)
            emit(actor, events.PasswordResetAsked(None, user.id, proof.id, proof.version))


def reset_password(actor: Actor, token: str, new: str) -> None:
    """Set a new password by a link of the last hour, once; every sign-in of the account ends, and its address is confirmed.

    A second factor stays. Raises LinkOver, ValidationFailed.
    """
    proof = open_proof(ProofPurpose.RESET_PASSWORD, token)
    if proof is None or proof.email != proof.user.email:
        raise LinkOver
    if wrong := password_errors(new, proof.user):
        raise ValidationFailed({"new_password": wrong})
    with transaction.atomic():
        _use(proof)
        user = User.objects.select_for_update().get(id=proof.user_id)
        user.set_password(new)
        user.must_change_password, user.email_confirmed, user.email_proven = False, True, True
        user.save(update_fields=["password", "must_change_password", "email_confirmed", "email_proven"])
        end_all_of(user.id)
        end_links_of(user.id)
        emit(_as(actor, user), events.PasswordChanged(None, user.id, "reset"))


def change_email(actor: Actor, email: str) -> bool:
    """Begin to change the actor's own address; returns whether it has to be confirmed by a link to the new one.

    Without a mail server it is changed at once. Callers ask `prove_again` first. Whether another account has the address is
    told only where no mail can tell it. Raises PermissionDenied from a key, ValidationFailed, RateLimited.
    """
    authorize(policies.may_act_as_person(actor))
    email = email.strip()
    count_attempt("change the e-mail address", str(actor.user_id), limit=_MAILS, window_seconds=_HOUR)
    user = User.objects.get(id=actor.person)
    if email == user.email:
        raise ValidationFailed({"email": ["This is your address already."]})
    other = user_with_email(email)
    confirms = env.get().has_mail
    wrong = address_errors(email) if confirms or other == user else email_errors(email)
    if wrong:
        raise ValidationFailed({"email": wrong})
    with transaction.atomic():
        if not confirms:
            _set_email(actor, user, email, proven=False)
        elif other in {None, user}:
            proof = new_proof(user, ProofPurpose.CHANGE_EMAIL, email)
            emit(actor, events.EmailChangeAsked(None, user.id, user.email, email, proof.id, proof.version))
    return confirms


def confirm_new_email(actor: Actor, token: str) -> str:
    """Change an account's address to the one that this link was sent to, and return it.

    Raises LinkOver, also when another account took the address meanwhile.
    """
    proof = open_proof(ProofPurpose.CHANGE_EMAIL, token)
    if proof is None:
        raise LinkOver
    with transaction.atomic():
        _use(proof)
        _set_email(_as(actor, proof.user), proof.user, proof.email, proven=True)
    return proof.email


def _set_email(actor: Actor, user: User, email: str, *, proven: bool) -> None:
    try:
        with transaction.atomic():
            User.objects.filter(id=user.id).update(email=email, email_confirmed=True, email_proven=proven)
    except IntegrityError:
        raise LinkOver from None
    emit(actor, events.EmailChanged(None, user.id, user.email, email))


def tell_repeated_sign_up(actor: Actor, user: User, password: str) -> None:
    """Tell the owner of an account that someone signed up with its address, as slowly as an account is made."""
    make_password(password[:MAX_PASSWORD])
    try:
        count_attempt("sign up again", str(user.id), limit=3, window_seconds=_HOUR)
    except RateLimited:
        return  # they have been told; whoever asks is answered as always
    with transaction.atomic():
        emit(actor, events.SignUpRepeated(None, user.id))
