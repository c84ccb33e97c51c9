"""PostgreSQL beyond the ORM: the address, hints by NOTIFY, and the table of advisory locks."""

from __future__ import annotations

import enum
import functools
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from imagefactory.kernel import env

OUTAGE_SECONDS = 300.0
_PAUSE_SECONDS = 0.5
# Classes and codes of PostgreSQL's appendix A: the connection failed, the server stops, starts, or has no place left.
_AWAY = ("08", "57P", "53300")
P = ParamSpec("P")
R = TypeVar("R")


class Lock(enum.IntEnum):
    """Keys of `pg_advisory_lock`, all in one place so that no two uses collide."""

    MIGRATE = 7_001
    OUTBOX_RELAY = 7_002
    ADMINISTRATORS = 7_003  # who loses a system role or an account, so that one administrator is left
    AUDIT_WRITE = 7_009
    AUDIT_CHECKPOINT = 7_010


# Which processes see all tenants, and which one makes tables; all others are bound by the tenants' wall (kernel/wall.py).
_ROLES = {"worker": "system", "dispatcher": "system", "command": "system", "migrate": "owner"}


def url(process: str = "") -> str:
    """Return the database's address for a process, by default this one: the setting's, or the embedded server's."""
    settings = env.get()
    role = _ROLES.get(process or os.environ.get("IMAGEFACTORY_PROCESS", ""), "app")
    others = {"system": settings.database_system_url, "owner": settings.database_owner_url}
    if settings.database_url:
        return others.get(role) or settings.database_url
    return embedded_url(settings.data_dir, role)


def embedded_url(data_dir: Path, role: str = "app") -> str:
    """Return the address of the embedded server; its password stays in a passfile and is not in the address."""
    run = data_dir / "run" / "pg"
    passfile = data_dir / "secrets" / "pgpass"
    return f"postgresql://{role}@/imagefactory?host={run}&passfile={passfile}"


def parameters(address: str) -> dict[str, str]:
    """Return libpq's connection parameters of a postgresql:// address (libpq, "Connection URIs")."""
    parts = urlsplit(address)
    found = {
        "host": parts.hostname or "",
        "port": str(parts.port or ""),
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "dbname": unquote(parts.path.lstrip("/")),
        **dict(parse_qsl(parts.query)),
    }
    return {name: value for name, value in found.items() if value}


def conninfo() -> str:
    """Return the address as psycopg takes it, for the processes that do without Django."""
    from psycopg.conninfo import make_conninfo

    return make_conninfo("", **parameters(os.environ.get("IMAGEFACTORY_TEST_DATABASE_URL") or url()))


def hint(channel: str, *payloads: str) -> None:
    """Wake whoever listens on `channel`, once this transaction is committed; lost hints only cost a poll.

    Many payloads take one statement, and arrive in their order.

    It is sent outside the transaction, because NOTIFY inside one serialises all commits (535/s instead of 1950/s).
    """
    from django.db import connection, transaction

    def send() -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "select pg_notify(%s, p) from unnest(%s::text[]) with ordinality u(p, n) order by n",
                [channel, list(payloads)],
            )

    transaction.on_commit(send, robust=True)  # noqa: TID251 - a hint is not work that must happen; the poll is the truth


def is_away(error: BaseException) -> bool:
    """Return whether this error of Django's says that the database is not there, rather than that it refuses."""
    state: str | None = getattr(error.__cause__, "sqlstate", None)
    return state is None or state.startswith(_AWAY)


def outlast(work: Callable[P, R]) -> Callable[P, R]:
    """Repeat `work` while the database is away, for at most OUTAGE_SECONDS; then the error is raised.

    Only for work that may be done twice: when the answer to a commit is lost, it is done again. Inside a transaction of the
    caller's nothing is repeated, since what went before is lost too.
    """

    @functools.wraps(work)
    def patient(*args: P.args, **kwargs: P.kwargs) -> R:
        from django.db import InterfaceError, OperationalError, connection

        deadline = time.monotonic() + OUTAGE_SECONDS
        while True:
            inside = connection.in_atomic_block
            try:
                return work(*args, **kwargs)
            except (OperationalError, InterfaceError) as error:
                if inside or not is_away(error) or time.monotonic() > deadline:
                    raise
            connection.close()
            time.sleep(_PAUSE_SECONDS)

    return patient
