"""The relay: hands committed events to the reactions, in batches, each exactly once."""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time

import psycopg
from django.db import OperationalError, close_old_connections, connection, transaction
from django.db.models import F, Q

from imagefactory.kernel import pg
from imagefactory.kernel.clock import now
from imagefactory.kernel.outbox.emit import CHANNEL
from imagefactory.kernel.outbox.models import OutboxEvent
from imagefactory.reactions.envelope import Envelope
from imagefactory.reactions.table import react

log = logging.getLogger(__name__)
BATCH = 200
POLL_SECONDS = 1.0
BACK_OFF_SECONDS = 2.0
# An event that failed waits 2, 4, 8 … seconds, at most an hour, and holds up nothing that comes after it.
LONGEST_WAIT_SECONDS = 3600


def deliver_batch() -> int:
    """Deliver up to BATCH waiting events and return how many.

    One relay at a time holds an advisory lock, so that events leave in order; the rest of the batch and the marks commit
    together. When a reaction fails, its batch is delivered one by one; the event at fault stays, is logged, and is tried
    again later, each time later than before (`stuck.stuck_events` shows it), while the others go on.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("select pg_try_advisory_xact_lock(%s)", [pg.Lock.OUTBOX_RELAY])
            if not cursor.fetchone()[0]:
                return 0
        due = Q(not_before=None) | Q(not_before__lte=now())
        rows = list(OutboxEvent.objects.filter(due, delivered_at=None).order_by("seq")[:BATCH])
        if not rows:
            return 0
        try:
            with transaction.atomic():
                react([_envelope(r) for r in rows])
        except OperationalError:
            raise
        except Exception:
            log.exception("a reaction failed; delivering its batch one by one")
            rows = [r for r in rows if _alone(r)]
        OutboxEvent.objects.filter(seq__in=[r.seq for r in rows]).update(delivered_at=now(), not_before=None)
    return len(rows)


def _alone(row: OutboxEvent) -> bool:
    try:
        with transaction.atomic():
            react([_envelope(row)])
    except OperationalError:
        raise
    except Exception as error:
        wait = min(2 ** min(row.attempts + 1, 12), LONGEST_WAIT_SECONDS)
        log.exception("event %s (%s) stays undelivered and is tried again in %s s", row.id, row.type, wait)
        said = " ".join(f"{type(error).__name__}: {error}".replace("\0", "").split())[:500]
        OutboxEvent.objects.filter(seq=row.seq).update(
            attempts=F("attempts") + 1, not_before=now() + dt.timedelta(seconds=wait), last_error=said
        )
        return False
    return True


def _envelope(r: OutboxEvent) -> Envelope:
    return Envelope(
        r.seq, r.id, r.type, r.occurred_at, r.tenant_id, r.actor_id, r.actor_kind, r.actor_name, r.address,
        r.request_id, r.payload, r.actor_email, r.key_id, r.correlation_id,
    )  # fmt: skip


def relay(stop: threading.Event) -> None:
    """Deliver until told to stop: woken by notices, and once a second in case one was lost."""
    while not stop.is_set():
        try:
            with psycopg.connect(pg.conninfo(), autocommit=True, application_name="outbox-relay") as listener:
                listener.execute(f"listen {CHANNEL}")
                while not stop.is_set():
                    started = time.monotonic()
                    if deliver_batch() < BATCH:
                        for _ in listener.notifies(timeout=POLL_SECONDS, stop_after=1):
                            pass
                    if time.monotonic() - started > 60:
                        close_old_connections()
        except (psycopg.OperationalError, OperationalError) as error:
            log.warning("database away, the relay waits: %s", str(error).splitlines()[0] if str(error) else error)
            close_old_connections()
            stop.wait(BACK_OFF_SECONDS)
        except Exception:
            log.exception("the relay stumbled and goes on")
            stop.wait(BACK_OFF_SECONDS)
