"""What people are told of their own sign-in; a mail with a link in it goes to nobody's notices, which are kept as they are."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from imagefactory.domain.identity import selectors as identity
from imagefactory.domain.notifications.message import Message, Recipient
from imagefactory.reactions.envelope import Envelope
from imagefactory.reactions.messages.notice import Notice

_MAIL = ("email",)
_NOT_YOU = "Was it not you? Change your password, which ends all other sign-ins, and look through your sign-ins."


def _person(e: Envelope) -> Recipient | None:
    found = identity.person(uuid.UUID(str(e.payload["user_id"])))
    return Recipient(found.email, found.name, found.id) if found else None


def _letter(e: Envelope) -> identity.Letter | None:
    return identity.letter(uuid.UUID(str(e.payload["proof_id"])), int(e.payload["version"]))


def _linked(
    e: Envelope, kind: str, subject: str, before: str, after: str, label: str, *, code: bool = False
) -> Iterator[Notice]:
    """Send a link to the address that it proves; nothing when a newer one was asked for, or it was used."""
    letter = _letter(e)
    if letter is None:
        return
    paragraphs = [before, *([f"Or type this code where you signed up: {letter.code}"] if code else []), after]
    yield Notice(
        kind, [Recipient(letter.email, letter.name)], Message(subject, paragraphs, (label, letter.path)), _MAIL
    )


def confirmation_asked(e: Envelope) -> Iterator[Notice]:
    yield from _linked(
        e, "security.confirm_email", "Confirm your e-mail address",
        "Open this link within 24 hours to confirm your address and begin.",
        "Did you not sign up? Then do nothing: the account stays closed.", "Confirm address", code=True,
    )  # fmt: skip


def reset_asked(e: Envelope) -> Iterator[Notice]:
    yield from _linked(
        e, "security.reset_password", "Set a new password",
        "Someone asked for a new password for your account. The link works once, within one hour.",
        "Was it not you? Then do nothing: your password stays as it is.", "Set a new password",
    )  # fmt: skip


def email_change_asked(e: Envelope) -> Iterator[Notice]:
    """Send the link to the new address, and tell the old one."""
    yield from _linked(
        e, "security.change_email", "Confirm your new e-mail address",
        "Open this link within 24 hours to make this the address of your account.",
        "Did you not ask for it? Then do nothing.", "Confirm address",
    )  # fmt: skip
    if person := _person(e):
        text = f"Someone signed in to your account asked to change its address to {e.payload['after']}."
        message = Message("Your e-mail address is about to change", [text, _NOT_YOU], ("Your sign-ins", "/me/sessions"))
        yield Notice("security.email_change_asked", [person], message, _MAIL)


def email_changed(e: Envelope) -> Iterator[Notice]:
    """Tell the old address, which no longer signs in."""
    text = f"The address of your account was changed to {e.payload['after']}. Sign in with it from now on."
    message = Message("Your e-mail address was changed", [text, "Was it not you? Ask a system administrator for help."])
    yield Notice("security.email_changed", [Recipient(str(e.payload["before"]))], message, _MAIL)


def sign_up_repeated(e: Envelope) -> Iterator[Notice]:
    if person := _person(e):
        text = (
            "Someone, perhaps you, signed up with your address. You have an account already, so no other one was made."
        )
        paragraphs = [text, "Sign in with it, or ask for a new password on the sign-in page."]
        yield Notice(
            "security.sign_up_repeated",
            [person],
            Message("You have an account already", paragraphs, ("Sign in", "/login")),
            _MAIL,
        )


def _told(e: Envelope, kind: str, subject: str, text: str, place: str = "/me/security") -> Iterator[Notice]:
    if person := _person(e):
        yield Notice(kind, [person], Message(subject, [text, _NOT_YOU], ("Your account", place)))


def signed_in(e: Envelope) -> Iterator[Notice]:
    """Tell of a sign-in from a device that was not seen in the last 90 days."""
    if not e.payload.get("new_device"):
        return
    text = f"Your account was signed in to from {e.payload['device']}, address {e.address or 'unknown'}."
    yield from _told(e, "security.new_device", "Sign-in from a new device", text, "/me/sessions")


def password_changed(e: Envelope) -> Iterator[Notice]:
    how = "by a link that was sent to you" if e.payload.get("how") == "reset" else "by someone who knew the old one"
    text = f"The password of your account was changed {how}. Other sign-ins have ended."
    yield from _told(e, "security.password_changed", "Your password was changed", text)


_FACTORS = {"totp": "An authenticator app", "webauthn": "A security key"}


def factor_added(e: Envelope) -> Iterator[Notice]:
    what = _FACTORS.get(str(e.payload["kind"]), "A second factor")
    name = f" ({e.payload['name']})" if e.payload.get("name") else ""
    yield from _told(
        e, "security.factor_added", "A second factor was added", f"{what}{name} was added to your account."
    )


def factor_removed(e: Envelope) -> Iterator[Notice]:
    what = _FACTORS.get(str(e.payload["kind"]), "A second factor")
    name = f" ({e.payload['name']})" if e.payload.get("name") else ""
    yield from _told(
        e, "security.factor_removed", "A second factor was removed", f"{what}{name} was removed from your account."
    )


def codes_made(e: Envelope) -> Iterator[Notice]:
    text = "New recovery codes were made for your account; the old ones no longer work."
    yield from _told(e, "security.codes_made", "New recovery codes", text)
