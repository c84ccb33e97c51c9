"""Telling readers that a log grew: one NOTIFY for many appends, on a connection of its own.

A notice is a hint. It may be late or lost (readers also look by themselves), it never holds up a writer, and
it survives a restart of the database.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from typing import Final

import psycopg

CHANNEL: Final = "log"
INTERVAL: Final = 0.02  # seconds; 20 ms keeps 8,000 appends a second at 50 statements
_MAX_PAYLOAD: Final = 7000  # bytes; PostgreSQL refuses 8000 and more
_MAX_WAITING: Final = 10_000
_MAX_BACK_OFF: Final = 2.0

log = logging.getLogger(__name__)


class LogNotifier:
    """Sends `NOTIFY log, '<execution id> <execution id> ...'` from a thread of its own."""

    def __init__(self, conninfo: str, *, interval: float = INTERVAL) -> None:
        """Remember the address; the thread starts and connects with the first notice."""
        self._conninfo = conninfo
        self._interval = interval
        self._waiting: set[str] = set()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def touch(self, execution_id: str) -> None:
        """Say that this log grew or ended.

        Returns at once, from any thread; never raises for the database's sake.
        """
        with self._lock:
            if len(self._waiting) < _MAX_WAITING:
                self._waiting.add(execution_id)
            if self._thread is None and not self._stop.is_set():
                self._thread = threading.Thread(target=self._run, name="log-notifier", daemon=True)
                self._thread.start()
        self._wake.set()

    def close(self, timeout: float = 2.0) -> None:
        """Send what waits, for at most `timeout` seconds, and end the thread. May be called twice."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        connection: psycopg.Connection[tuple[object, ...]] | None = None
        back_off = 0.05
        while True:
            self._wake.wait()
            self._wake.clear()
            with self._lock:
                ids, self._waiting = self._waiting, set()
            try:
                if ids:
                    if connection is None or connection.closed:
                        connection = psycopg.connect(self._conninfo, autocommit=True, connect_timeout=5)
                    for payload in payloads(sorted(ids)):
                        connection.execute("select pg_notify(%s, %s)", (CHANNEL, payload))
                back_off = 0.05
            except psycopg.Error as error:
                log.warning("Log notices wait for the database: %s", str(error).strip().split("\n")[0])
                if connection is not None:
                    connection.close()
                connection = None
                with self._lock:
                    self._waiting |= ids
                self._wake.set()
                if self._stop.wait(back_off):
                    return
                back_off = min(back_off * 2, _MAX_BACK_OFF)
                continue
            if self._stop.is_set() and not self._waiting:
                break
            time.sleep(self._interval)
        if connection is not None:
            connection.close()


def payloads(ids: Iterable[str]) -> list[str]:
    """Join ids with spaces into payloads that PostgreSQL takes (fewer than 8000 bytes, NOTIFY in its
    manual).
    """
    found: list[str] = []
    for one in ids:
        if found and len(found[-1]) + 1 + len(one) <= _MAX_PAYLOAD:
            found[-1] += f" {one}"
        else:
            found.append(one)
    return found
