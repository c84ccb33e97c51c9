"""The relay: hands committed events to the reactions, in batches, each exactly once."""

from __future__ import annotations

import logging
import threading
import time

import psycopg
from django.db import OperationalError, close_old_connections, connection, transaction

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


def deliver_batch() -> int:
    """Deliver up to BATCH waiting events and return how many.

    One relay at a time holds an advisory lock, so that events leave in order; the rest of the batch and the marks commit
    together. When a reaction fails, its batch is delivered one by one; the event at fault stays, is logged, and is tried
    again with every batch until its reaction works.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("select pg_try_advisory_xact_lock(%s)", [pg.Lock.OUTBOX_RELAY])
            if not cursor.fetchone()[0]:
                return 0
        rows = list(OutboxEvent.objects.filter(delivered_at=None).order_by("seq")[:BATCH])
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
        OutboxEvent.objects.filter(seq__in=[r.seq for r in rows]).update(delivered_at=now())
    return len(rows)


def _alone(row: OutboxEvent) -> bool:
    try:
        with transaction.atomic():
            react([_envelope(row)])
    except OperationalError:
        raise
    except Exception:
        log.exception("event %s (%s) stays undelivered and is tried again", row.id, row.type)
        return False
    return True


def _envelope(r: OutboxEvent) -> Envelope:
    return Envelope(
        r.seq, r.id, r.type, r.occurred_at, r.tenant_id, r.actor_id, r.actor_kind, r.actor_name, r.address,
        r.request_id, r.payload,
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
