"""Hand queued e-mails to the mail server: each at most once, again later while the server is away, and then never.

A mail is claimed by compare-and-set, and that is committed, before anything is said to the server; when a worker is killed
after it, the mail becomes `uncertain` and is not sent again. What remains: a mail that was claimed and not yet handed over is
then lost. The reverse, which would send such mails twice, was not chosen; whoever waits for a link can have another sent.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import uuid

from django.db.models import F

from imagefactory.adapters.mail.base import Mailer, MailRefused, MailUnavailable
from imagefactory.domain.notifications.compose import compose
from imagefactory.domain.notifications.models import Mail
from imagefactory.domain.notifications.services import BAD_ADDRESS, NO_SERVER
from imagefactory.domain.notifications.states import MailStatus
from imagefactory.kernel import secrets
from imagefactory.kernel.clock import now
from imagefactory.kernel.errors import Unavailable
from imagefactory.kernel.pg import outlast

log = logging.getLogger(__name__)
# Minutes after each attempt; after the last, a good day in all, the mail has failed.
BACK_OFF_MINUTES = (1, 2, 5, 15, 60, 180, 480, 720)
MAX_ATTEMPTS = len(BACK_OFF_MINUTES) + 1
# Longer than a mail can take: the server may use its timeout for each of about ten answers.
CLAIM_LIFE = dt.timedelta(minutes=15)
AWAY_IN_A_ROW = 3
_CLAIM_LOST = "The worker ended while this mail was handed over, so it is not known whether it was sent."


def send_mail(mail_id: uuid.UUID, mailer: Mailer | None) -> MailStatus | None:
    """Send one mail if it is due and nobody else does; None when there was nothing to do.

    Call it outside a transaction: the claim must be committed before the server hears of the mail. `mailer` is None when no
    server is configured any more.
    """
    mail = _claim(mail_id)
    if mail is None:
        return None
    if mailer is None:
        return _finish(mail, MailStatus.NOT_SENT, NO_SERVER)
    try:
        body = json.loads(secrets.decrypt(bytes(mail.body or b"")))
        message = compose(
            event_id=mail.event_id, kind=mail.kind, address=mail.address, name=mail.name, subject=mail.subject,
            paragraphs=body["paragraphs"], action=body["action"], has_account=mail.user_id is not None,
        )  # fmt: skip
    except Unavailable as error:
        return _later(mail, error.message)
    except ValueError:
        return _finish(mail, MailStatus.FAILED, BAD_ADDRESS)
    try:
        mailer.send(message)
    except MailRefused as error:
        return _finish(mail, MailStatus.FAILED, str(error))
    except MailUnavailable as error:
        return _later(mail, str(error))
    return _finish(mail, MailStatus.SENT, "")


def send_due(mailer: Mailer | None, limit: int = 200) -> int:
    """Send the mails whose time has come again, and give up those whose worker was killed. Returns how many were tried.

    Ends early when the server is away for several in a row: the others wait for the next run.
    """
    give_up_lost_claims()
    due = Mail.objects.filter(status=MailStatus.QUEUED, not_before__lte=now()).order_by("not_before")
    tried = away = 0
    for mail_id in list(due.values_list("id", flat=True)[:limit]):
        status = send_mail(mail_id, mailer)
        tried += status is not None
        away = away + 1 if status is MailStatus.QUEUED else 0
        if away >= AWAY_IN_A_ROW:
            break
    return tried


def give_up_lost_claims() -> int:
    """Mark mails whose worker ended in the middle as uncertain, and return how many there were."""
    lost = Mail.objects.filter(status=MailStatus.SENDING, claimed_at__lt=now() - CLAIM_LIFE)
    return lost.update(status=MailStatus.UNCERTAIN, body=None, last_error=_CLAIM_LOST)


@outlast
def _claim(mail_id: uuid.UUID) -> Mail | None:
    moment = now()
    mine = Mail.objects.filter(id=mail_id, status=MailStatus.QUEUED, not_before__lte=moment)
    if not mine.update(status=MailStatus.SENDING, claimed_at=moment, attempts=F("attempts") + 1):
        return None
    return Mail.objects.get(id=mail_id)


def _later(mail: Mail, problem: str) -> MailStatus:
    if mail.attempts >= MAX_ATTEMPTS:
        return _finish(mail, MailStatus.FAILED, problem)
    wait = dt.timedelta(minutes=BACK_OFF_MINUTES[mail.attempts - 1])
    _write(mail, status=MailStatus.QUEUED, not_before=now() + wait, last_error=problem[:500])
    return MailStatus.QUEUED


def _finish(mail: Mail, status: MailStatus, problem: str) -> MailStatus:
    """Write how it ended and wipe the body."""
    sent_at = now() if status is MailStatus.SENT else None
    _write(mail, status=status, body=None, sent_at=sent_at, last_error=problem[:500])
    if problem:
        log.warning("mail %s of event %s is %s: %s", mail.id, mail.event_id, status, problem)
    return status


@outlast
def _write(mail: Mail, **fields: object) -> None:
    """Write the end of this claim, unless it was given up meanwhile."""
    Mail.objects.filter(id=mail.id, status=MailStatus.SENDING, claimed_at=mail.claimed_at).update(**fields)
