"""Turn events into messages: the composer of an event says who is told what."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from django.db import OperationalError, transaction

from imagefactory.domain.notifications.services import notify
from imagefactory.reactions.envelope import Envelope
from imagefactory.reactions.messages.table import COMPOSERS

log = logging.getLogger(__name__)


def tell_people(envelopes: Sequence[Envelope]) -> None:
    """Send what each event's composer has to say.

    A composer that fails is logged, and its event goes on without a message: a mistake in a text must not hold up the audit
    entry and the live page of the same event.
    """
    for e in envelopes:
        if e.type not in COMPOSERS:
            continue
        try:
            with transaction.atomic():
                for notice in COMPOSERS[e.type](e):
                    notify(
                        event_id=e.id,
                        kind=notice.kind,
                        tenant_id=e.tenant_id,
                        to=notice.recipients,
                        message=notice.message,
                        channels=notice.channels,
                    )
        except OperationalError:
            raise
        except Exception:
            log.exception("nobody is told of event %s (%s)", e.id, e.type)
