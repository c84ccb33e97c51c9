"""Launcher of the embedded server: make the data directory, say how to run it, wait for it, stop it.

The server runs as an unprivileged user, listens on a socket in a private directory only, and trusts nobody:
every role has a generated password, which lives in `secrets/pgpass` (libpq's password file) and in no
argument or log. Everything here may be called again after a failure or a crash at any point.
"""

from __future__ import annotations

import dataclasses
import os
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil

from imagefactory.adapters.postgres import binaries, configuration
from imagefactory.adapters.postgres.errors import PostgresError

DATABASE = "imagefactory"
# owner migrates, app serves (bound by row-level security), system sees all tenants (claims, clocks, dumps).
ROLES = ("owner", "app", "system")
SUPERUSER = "postgres"


@dataclasses.dataclass(frozen=True)
class Account:
    """The user that the server runs as, when the launcher itself is root."""

    uid: int
    gid: int


def data_path(data_dir: Path) -> Path:
    return data_dir / "postgres"


def socket_dir(data_dir: Path) -> Path:
    return data_dir / "run" / "pg"


def passfile(data_dir: Path) -> Path:
    return data_dir / "secrets" / "pgpass"


def embedded_url(data_dir: Path, role: str = "app", database: str = DATABASE) -> str:
    """Return the server's address for a role; no side effects, and the password stays in the passfile it
    names.
    """
    return f"postgresql://{role}@/{database}?host={socket_dir(data_dir)}&passfile={passfile(data_dir)}"


def argv(data_dir: Path) -> list[str]:
    """Return the command that runs the server in the foreground. SIGINT stops it fast and cleanly."""
    return [str(binaries.directory() / "postgres"), "-D", str(data_path(data_dir))]


def prepare(data_dir: Path, account: Account | None = None, *, durable: bool = True) -> bool:
    """Make the data directory when it is absent, and bring configuration, passwords and locks in order.

    Call it only while the server is down. `account` is the user to run as; None means the calling one.
    Returns whether a new data directory was made. Raises PostgresError for one that these programs cannot
    open.
    """
    _check_socket_path(data_dir)
    for path in (socket_dir(data_dir), passfile(data_dir).parent):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        _own(path, account)
    place = data_path(data_dir)
    fresh = not place.exists()
    if fresh:
        _create(data_dir, account, durable=durable)
    check_version(data_dir)
    _write(place / "factory.conf", _conf(data_dir, durable=durable), account)
    clear_stale_lock(data_dir)
    if not passfile(data_dir).exists():
        # The file was lost (a backup without it, a careless hand): the data is whole, so new passwords are
        # given.
        _set_passwords(place, data_dir, account, create=False)
    return fresh


def check_version(data_dir: Path) -> None:
    """Refuse a data directory of another major version, with the way forward. Minor versions just start."""
    marker = data_path(data_dir) / "PG_VERSION"
    try:
        found = int(marker.read_text(encoding="ascii").split(".")[0])
    except (OSError, ValueError):
        raise PostgresError(
            f"{marker.parent} is not a PostgreSQL data directory: {marker.name} is missing or unreadable. "
            "Put the "
            "directory back from a backup, or move it away to start with an empty factory."
        ) from None
    ours = binaries.major()
    if found < ours:
        raise PostgresError(
            f"{marker.parent} was written by PostgreSQL {found}, and this factory brings PostgreSQL {ours}. "
            "Nothing was changed. Either start the older factory again, or upgrade: the old programs are "
            "needed "
            f"once, on Debian the package postgresql-{found}. docs/operator.md, 'An older data directory', "
            "has the "
            "commands, for `pg_upgrade` in place and for dump and restore."
        )
    if found > ours:
        raise PostgresError(
            f"{marker.parent} was written by PostgreSQL {found}, newer than the {ours} that this factory "
            "brings. Install "
            "the newer factory again, or put back the backup made before the upgrade. Nothing was changed."
        )


def server_pids(data_dir: Path) -> list[int]:
    """Return every process of the server in this data directory, the postmaster first if it lives."""
    place = str(data_path(data_dir).resolve())
    found = []
    for process in psutil.process_iter(["pid", "name"]):
        if "postgres" not in (process.info["name"] or ""):
            continue
        try:
            if process.cwd() == place:
                found.append(process.pid)
        except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    first = _postmaster(data_dir)
    return sorted(found, key=lambda pid: (pid != first, pid))


def clear_stale_lock(data_dir: Path) -> None:
    """Remove the lock files of a server that is gone when their pid has since been given to somebody else.

    PostgreSQL clears its own lock unless the pid in it lives again as another process of the same user, which
    happens after a reboot. Nothing is removed while any process of the old server is left: then the lock is
    what protects the data, and PostgreSQL itself waits for them.
    """
    if server_pids(data_dir):
        return
    (data_path(data_dir) / "postmaster.pid").unlink(missing_ok=True)
    name = f".s.PGSQL.{configuration.PORT}"
    for path in (socket_dir(data_dir) / name, socket_dir(data_dir) / f"{name}.lock"):
        path.unlink(missing_ok=True)


def ready(data_dir: Path, role: str = "app", database: str = DATABASE) -> str:
    """Ask the server once. Returns an empty text when it answers, else why not."""
    import psycopg

    try:
        with psycopg.connect(embedded_url(data_dir, role, database), connect_timeout=5) as connection:
            connection.execute("select 1")
    except psycopg.Error as error:
        return " ".join(str(error).split())
    return ""


def wait_ready(data_dir: Path, seconds: float = 60.0) -> None:
    """Wait until the server answers queries, at most `seconds`; recovery after a crash is part of that time.

    Raises PostgresError with the server's last answer.
    """
    deadline = time.monotonic() + seconds
    while why := ready(data_dir):
        if time.monotonic() > deadline:
            raise PostgresError(
                f"The embedded database did not answer within {seconds:.0f} seconds: {why}. Its log says "
                "more: "
                f"{data_dir / 'process-logs' / 'postgres.log'}."
            )
        time.sleep(0.05)


def stop(data_dir: Path, seconds: float = 30.0) -> bool:
    """Stop the server and whatever is left of it: fast first, then immediate (it recovers at the next start),
    then kill.

    Returns whether there was anything to stop. `seconds` bounds the first step; the others take 10 at most.
    """
    pids = server_pids(data_dir)
    if not pids:
        return False
    first = _postmaster(data_dir)
    steps = [(signal.SIGINT, seconds), (signal.SIGQUIT, 5.0)] if first in pids else []
    for sign, limit in steps:
        _send([first] if first else [], sign)
        if _gone(data_dir, limit):
            return True
    # The postmaster was killed: its children end by themselves within a moment.
    if not steps and _gone(data_dir, 5.0):
        return True
    _send(server_pids(data_dir), signal.SIGKILL)
    _gone(data_dir, 5.0)
    return True


def _gone(data_dir: Path, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while server_pids(data_dir):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _send(pids: list[int], sign: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, sign)
        except ProcessLookupError:
            continue


def _postmaster(data_dir: Path) -> int | None:
    try:
        return int((data_path(data_dir) / "postmaster.pid").read_text(encoding="utf-8").split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def _create(data_dir: Path, account: Account | None, *, durable: bool) -> None:
    """Make the cluster under another name and rename it when it is whole, so that a crash leaves nothing
    half made.
    """
    draft = data_dir / "postgres.new"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700, parents=True)
    _own(draft, account)
    _run(
        [
            binaries.directory() / "initdb", "--pgdata", draft, "--username", SUPERUSER, "--encoding", "UTF8",
            "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--no-locale", "--no-instructions",
            "--auth-local", "reject", "--auth-host", "reject",
            *([] if durable else ["--no-sync"]),
        ],
        account,
        stdin="",
        doing="make the database's data directory",
    )  # fmt: skip
    with (draft / "postgresql.conf").open("a", encoding="utf-8") as conf:
        conf.write("\ninclude 'factory.conf'\ninclude_if_exists 'operator.conf'\n")
    _write(draft / "factory.conf", _conf(data_dir, durable=durable), account)
    _write(draft / "pg_hba.conf", configuration.HBA, account)
    _set_passwords(draft, data_dir, account, create=True)
    draft.rename(data_path(data_dir))


def _set_passwords(place: Path, data_dir: Path, account: Account | None, *, create: bool) -> None:
    """Give every role a new password by PostgreSQL's single-user mode, which needs no server and no
    password.
    """
    passwords = {role: secrets.token_urlsafe(32) for role in (SUPERUSER, *ROLES)}
    statements = [] if not create else [*_roles()]
    statements += [f"alter role {_name(role)} password '{word}'" for role, word in passwords.items()]
    if create:
        statements.append(f"create database {DATABASE} owner {_name('owner')} template template1")
    _run(
        [
            binaries.directory() / "postgres",
            "--single",
            "-D",
            place,
            "-c",
            "log_min_messages=fatal",
            "template1",
        ],
        account,
        stdin="".join(statement + "\n" for statement in statements),
        doing="make the database's roles",
        # Single-user mode ends with 0 even when a statement failed; it says so on standard error.
        forbidden="ERROR:",
    )
    lines = "".join(f"*:*:*:{role}:{word}\n" for role, word in passwords.items())
    _write(passfile(data_dir), lines, account)


def _roles() -> list[str]:
    """Return the statements that make the three roles; in template1, so that copies of it (tests) are
    alike.
    """
    statements = [f"create role {_name(role)} login" for role in ROLES]
    statements += [
        'alter role "system" bypassrls',
        # The factory's tests make databases as the owner of tables, and serve requests as `app` on its connection.
        'alter role "owner" createdb',
        'grant "app" to "owner"',
        "alter role \"app\" set statement_timeout = '60s'",
        "alter role \"app\" set transaction_timeout = '10min'",
    ]
    # The owner makes the tables; the two others read and write rows in them, and nothing else.
    for what, rights in (("tables", "select, insert, update, delete"), ("sequences", "usage, select")):
        statements.append(f'alter default privileges for role "owner" grant {rights} on {what} to "app", "system"')
    return statements


def _name(role: str) -> str:
    return f'"{role}"'


def _conf(data_dir: Path, *, durable: bool) -> str:
    return configuration.server(socket_dir(data_dir), configuration.memory_bytes(), durable=durable)


def _check_socket_path(data_dir: Path) -> None:
    path = socket_dir(data_dir) / f".s.PGSQL.{configuration.PORT}"
    if len(os.fsencode(path)) > configuration.LONGEST_SOCKET_PATH:
        spare = len(os.fsencode(path)) - configuration.LONGEST_SOCKET_PATH
        raise PostgresError(
            f"The data directory's name is too long: the database's socket {path} may have "
            f"{configuration.LONGEST_SOCKET_PATH} bytes. Set IMAGEFACTORY_DATA_DIR to a path {spare} bytes "
            "shorter."
        )


def _own(path: Path, account: Account | None) -> None:
    if account is not None:
        os.chown(path, account.uid, account.gid, follow_symlinks=False)


def _write(path: Path, text: str, account: Account | None) -> None:
    """Write a file with mode 0600 so that it appears whole, and never through a link somebody put there."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(fd)
    _own(draft, account)
    draft.replace(path)


def _run(command: list[Any], account: Account | None, *, stdin: str, doing: str, forbidden: str = "") -> None:
    who: dict[str, Any] = {"user": account.uid, "group": account.gid, "extra_groups": []} if account else {}
    try:
        ran = subprocess.run(
            [str(part) for part in command],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TZ": "UTC"},
            **who,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PostgresError(
            f"Could not {doing}: {error}. The user that the factory runs as must be able to read {command[0]}."
        ) from error
    if ran.returncode or (forbidden and forbidden in ran.stderr):
        told = " ".join(line for line in ran.stderr.splitlines()[-4:] if "password" not in line.lower())
        raise PostgresError(f"Could not {doing}: {told.strip() or f'exit status {ran.returncode}'}.")
