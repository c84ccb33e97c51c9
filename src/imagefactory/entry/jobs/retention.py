"""Rows that have served their time: delivered events, counters, kept replies, ended sign-ins, jobs, notices, mails."""

from __future__ import annotations

import datetime as dt
import uuid

from django.db import connection

from imagefactory.kernel.clock import now
from imagefactory.kernel.ids import first_at

KEEP = dt.timedelta(days=7)
KEEP_NOTICES = dt.timedelta(days=90)
KEEP_MAILS = dt.timedelta(days=30)
BATCH = 5000
# 20 builds a second state 288,000 events an hour, and this runs once an hour: so many can go in one run.
_BATCHES = 200

# Each ends with the moment and the number of rows.
_STATEMENTS = (
    "delete from outbox_outboxevent where seq in "
    "(select seq from outbox_outboxevent where delivered_at < %s order by delivered_at limit %s)",
    "delete from throttle_attempts where key in "
    "(select key from throttle_attempts where window_started_at < %s limit %s)",
    "delete from replies_reply where key in (select key from replies_reply where created_at < %s limit %s)",
    # Browser and API sign-ins a week after they could last be used.
    "delete from django_session where session_key in "
    "(select session_key from django_session where expire_date < %s limit %s)",
    "delete from identity_authsession where id in "
    "(select id from identity_authsession where refresh_expires_at < %s limit %s)",
    # A person sees 90 days of their own sign-ins.
    "delete from identity_signinrecord where id in "
    "(select id from identity_signinrecord where created_at < %s - interval '83 days' limit %s)",
    # Keys of CI runs a week after their last minute; what they did stays in the audit trail.
    "delete from identity_apikey where id in "
    "(select id from identity_apikey where kind = 'ci' and expires_at < %s limit %s)",
    "delete from identity_spenttoken where key in (select key from identity_spenttoken where expires_at < %s limit %s)",
    "delete from procrastinate_jobs where id in (select j.id from procrastinate_jobs j where j.status = 'succeeded' "
    "and not exists (select 1 from procrastinate_events e where e.job_id = j.id and e.at >= %s) limit %s)",
)
# Each begins with the least id of what is kept (ids rise with the time of their making), and ends with the number of rows.
_BY_ID = (
    (
        "delete from notifications_notice where id in "
        "(select id from notifications_notice where id < %s order by id limit %s)",
        KEEP_NOTICES,
    ),
    (
        "delete from notifications_mail where id in (select id from notifications_mail where id < %s "
        "and status not in ('queued', 'sending') order by id limit %s)",
        KEEP_MAILS,
    ),
)


def forget_old_rows() -> int:
    """Delete old rows of each kind and return how many went; safe to run at any time.

    In small statements, each a transaction of its own outside one, and at most _BATCHES of each kind: a run is bounded.
    """
    at, gone = now(), 0
    work: list[tuple[str, dt.datetime | uuid.UUID]] = [(statement, at - KEEP) for statement in _STATEMENTS]
    work += [(statement, first_at(at - age)) for statement, age in _BY_ID]
    with connection.cursor() as cursor:
        for statement, before in work:
            for _ in range(_BATCHES):
                cursor.execute(statement, [before, BATCH])
                gone += cursor.rowcount
                if cursor.rowcount < BATCH:
                    break
    return gone
