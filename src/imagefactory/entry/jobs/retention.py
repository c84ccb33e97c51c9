"""Rows that have served their time: delivered events, old counters, finished jobs."""

from __future__ import annotations

import datetime as dt

from django.db import connection

from imagefactory.kernel.clock import now

KEEP = dt.timedelta(days=7)
BATCH = 5000


def forget_old_rows() -> int:
    """Delete a bounded number of old rows of each kind and return how many went; safe to run at any time."""
    before, gone = now() - KEEP, 0
    statements = (
        "delete from outbox_outboxevent where seq in "
        "(select seq from outbox_outboxevent where delivered_at < %s order by delivered_at limit %s)",
        "delete from throttle_attempts where key in "
        "(select key from throttle_attempts where window_started_at < %s limit %s)",
        "delete from procrastinate_jobs where id in (select j.id from procrastinate_jobs j where j.status = 'succeeded' "
        "and not exists (select 1 from procrastinate_events e where e.job_id = j.id and e.at >= %s) limit %s)",
    )
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement, [before, BATCH])
            gone += cursor.rowcount
    return gone
