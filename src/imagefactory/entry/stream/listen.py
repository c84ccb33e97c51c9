"""The factory's one LISTEN connection: hears that logs grew and pages changed, and comes back when the
database does.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import psycopg
from psycopg import sql

from imagefactory.adapters.logs import notify
from imagefactory.kernel import live

log = logging.getLogger(__name__)

_FIRST = 0.1
_MAX_BACK_OFF = 5.0
_PROBE = 20.0  # seconds of silence after which the connection is asked whether it still lives


class Listener:
    """Listens on `log` and `live` until cancelled."""

    def __init__(
        self,
        conninfo: str,
        on_log: Callable[[str], None],
        on_live: Callable[[str], None],
        on_back: Callable[[], None],
    ) -> None:
        """`on_back` is called whenever listening (re)starts: what was said before may have been missed."""
        self._conninfo = conninfo
        self._on = {notify.CHANNEL: on_log, live.CHANNEL: on_live}
        self._on_back = on_back
        self.listening = asyncio.Event()

    async def run(self) -> None:
        """Connect, listen, and start over whenever the connection is lost."""
        wait = _FIRST
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    self._conninfo, autocommit=True, connect_timeout=5
                ) as connection:
                    for channel in self._on:
                        await connection.execute(sql.SQL("listen {}").format(sql.Identifier(channel)))
                    self.listening.set()
                    self._on_back()
                    wait = _FIRST
                    await self._hear(connection)
            except (psycopg.Error, OSError) as error:
                said = str(error).strip().split("\n")[0]
                log.warning("Live updates wait for the database: %s", said)
            finally:
                self.listening.clear()
            await asyncio.sleep(wait)
            wait = min(wait * 2, _MAX_BACK_OFF)

    async def _hear(self, connection: psycopg.AsyncConnection[tuple[object, ...]]) -> None:
        while True:
            async for notice in connection.notifies(timeout=_PROBE):
                try:
                    self._on[notice.channel](notice.payload)
                except Exception:
                    log.exception("A notice on %s was not understood.", notice.channel)
            await connection.execute("select 1")
