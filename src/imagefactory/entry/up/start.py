"""Start the factory: check, prepare the data directory, then one process after the other, each when it can
work.
"""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx

from imagefactory.adapters.postgres import embedded
from imagefactory.entry.up import (
    builds_directory,
    checks,
    data_directory,
    front_door,
    isolation,
    processes,
    registry,
    second_wall,
    stop,
    supervision,
)
from imagefactory.entry.up import site as sites
from imagefactory.entry.up.errors import StartError
from imagefactory.entry.up.site import Site
from imagefactory.kernel import ids, pg
from imagefactory.kernel import secrets as secret_files

# `step("Starting the database")` is a context that shows the text, then the time it took.
Step = Callable[[str], AbstractContextManager[None]]

FRONT_DOOR_SECONDS = 60.0
RUNNING_SECONDS = 20.0
RECOVERY_SECONDS = 300.0
MIGRATION_SECONDS = 600
_OPEN_FILES = 65_536


def up(site: Site, step: Step, warn: Callable[[str], None]) -> subprocess.Popen[bytes] | None:
    """Start everything and wait until the front door answers. Returns the supervisor, or None when it ran
    already.

    Raises StartError with every problem found; then nothing that was started is left running.
    """
    # Before the lock, which writes: a refused data directory stays as it was.
    if supervision.pid(site) is None and data_directory.problems(site):
        raise StartError("\n".join(checks.all_problems(site)))
    with sites.locked(site):
        if supervision.pid(site) is not None:
            _start_stopped(site, step)
            return None
        with step("Checking this machine"):
            left = stop.orphans(site)
            if left:
                stop.end(left)
            if problems := checks.all_problems(site):
                raise StartError("\n".join(problems))
        for sentence in checks.strange_settings():
            warn(sentence)
        if site.settings.executor == "local" and (told := isolation.warning(isolation.choose(site.settings))):
            warn(told)
        with step("Preparing the data directory"):
            try:
                prepare(site, database=not site.settings.database_url, builds=True)
            except OSError as error:
                raise StartError(
                    f"Cannot prepare the data directory {site.data}: {error.strerror}: {error.filename}. "
                    "Start as its owner, or set IMAGEFACTORY_DATA_DIR to a directory of your own."
                ) from error
        boss = supervision.start(site)
        try:
            _start_all(site, boss, step)
        except BaseException:
            with contextlib.suppress(StartError):
                stop.down(site, lambda _text: None)
            raise
        if told := second_wall.missing(pg.url("web")):
            warn(told)
        return boss


def prepare(site: Site, *, database: bool, builds: bool) -> None:
    """Bring directories, keys and generated configuration in order.

    With `database` also the stopped embedded one, and with `builds` the directory of a stopped runner helper.
    """
    sites.prepare(site)
    if builds:
        builds_directory.prepare(site)
    if database:
        embedded.prepare(site.data, site.account)
    table = processes.table(site)
    upload_secret = _secret(site, "registry-http.key")
    _secret(site, "django.key")
    _registry_keys(site)
    sites.write(site.run / "registry.yml", registry.configuration(site, upload_secret), site.account)
    sites.write(site.run / "Caddyfile", front_door.configuration(site), site.account)
    sites.write(site.supervisor / "supervisord.conf", supervision.configuration(site, table), None)
    for path in site.secrets.iterdir():
        if site.account is not None:
            os.chown(path, site.account.uid, site.account.gid, follow_symlinks=False)
    _raise_open_files()


def _secret(site: Site, name: str) -> str:
    return secret_files.read_or_make(site.secrets / name, ids.token(32).encode()).decode().strip()


def _registry_keys(site: Site) -> None:
    from imagefactory.adapters.registries import tokens

    tokens.ensure_keys(site.secrets)


def _raise_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _start_all(site: Site, boss: subprocess.Popen[bytes], step: Step) -> None:
    with step("Starting the supervisor"):
        _await_supervisor(site, boss)
    names = [process.name for process in processes.table(site)]
    with step("Starting the database"):
        if "postgres" in names:
            supervision.begin(site, "postgres")
            _await_database(site)
    early = [name for name in names if name in {"registry", "helper"}]
    with step("Bringing the database's tables up to date"):
        # They need no tables, so they start meanwhile.
        for name in early:
            supervision.begin(site, name)
        migrate(site)
    with step("Starting registry, web, live streams, jobs and dispatcher"):
        for name in names:
            supervision.begin(site, name)
    with step("Waiting for the first answer through the front door"):
        _await_front_door(site)
        _await_running(site)


def _await_database(site: Site) -> None:
    """Wait for the database, as long as its process stays: recovery after a crash may take its time."""
    deadline = time.monotonic() + RECOVERY_SECONDS
    while why := embedded.ready(site.data):
        state = next((state for state in supervision.states(site) if state.name == "postgres"), None)
        lost = state is None or state.restarts > 2 or state.state == "fatal"
        if lost or time.monotonic() > deadline:
            raise StartError(f"The database does not answer: {why}. {_last_words(site, ['postgres'])}")
        time.sleep(0.05)


def _start_stopped(site: Site, step: Step) -> None:
    """The supervisor runs: start what it gave up on, so that `up` also mends."""
    idle = [state.name for state in supervision.states(site) if state.state not in {"running", "starting"}]
    if idle:
        with step(f"Starting what had stopped: {', '.join(idle)}"):
            for name in idle:
                supervision.begin(site, name)
            _await_front_door(site)
            _await_running(site)


def _await_supervisor(site: Site, boss: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while supervision.pid(site) is None:
        if boss.poll() is not None or time.monotonic() > deadline:
            said = " ".join(tail(site.supervisor / "start.log", 5))
            raise StartError(f"The supervisor did not start: {said or 'it said nothing'}.")
        time.sleep(0.03)


def migrate(site: Site) -> None:
    """Bring the tables up to date as their owner, for at most MIGRATION_SECONDS.

    Raises StartError with the last lines that were said.
    """
    environment = {**processes.environment(site), "IMAGEFACTORY_PROCESS": "migrate"}
    # A lock that is not given within ten seconds is somebody's long transaction; waiting would stop everybody
    # else.
    environment["PGOPTIONS"] = "-c lock_timeout=10s"
    who: dict[str, Any] = {}
    if site.account is not None:
        who = {"user": site.account.uid, "group": site.account.gid, "extra_groups": []}
    log = site.logs / "migrate.log"
    with log.open("wb") as out:
        try:
            code: int | None = subprocess.run(
                [sys.executable, "-m", "django", "migrate", "--noinput", "--verbosity", "1"],
                env=environment, cwd="/", stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, check=False,
                timeout=MIGRATION_SECONDS, **who,
            ).returncode  # fmt: skip
        except subprocess.TimeoutExpired:
            code = None
    if code != 0:
        late = f"it took longer than {MIGRATION_SECONDS} seconds" if code is None else ""
        said = ": ".join(filter(None, [late, " ".join(tail(log, 3))]))
        raise StartError(
            f"The database's tables could not be brought up to date: {said}. What was done before is kept, "
            "and the next "
            f"`imagefactory up` goes on from there. All that was said is in {log}."
        )


def tail(path: Path, lines: int) -> list[str]:
    """Return the last lines of a log file, at most 8 KiB."""
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - 8192))
            text = stream.read().decode("utf-8", "replace")
    except OSError:
        return []
    return [line.strip() for line in text.splitlines() if line.strip()][-lines:]


def health(site: Site) -> str:
    """Ask /healthz through the front door. Returns an empty text when it says 200, else what came instead."""
    settings = site.settings
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.bind, settings.bind)  # noqa: S104 - compared, not bound
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    scheme = "https" if settings.tls_certificate else "http"
    try:
        # The certificate is of the public name, and the question is whether the process behind answers.
        answer = httpx.get(
            f"{scheme}://{host}:{settings.port}/healthz",
            headers={"Host": settings.host},
            timeout=10,
            verify=False,  # noqa: S501
            trust_env=False,
        )
    except httpx.HTTPError as error:
        return f"{type(error).__name__}: {error}"
    return "" if answer.status_code == 200 else f"HTTP status {answer.status_code}"


def _await_front_door(site: Site) -> None:
    deadline = time.monotonic() + FRONT_DOOR_SECONDS
    while why := health(site):
        broken = [state.name for state in supervision.states(site) if state.state == "fatal"]
        if time.monotonic() > deadline or broken:
            names = broken or [s.name for s in supervision.states(site) if s.state != "running"] or ["web"]
            raise StartError(
                f"The factory does not answer ({why}). Not running as it should: {_last_words(site, names)}"
            )
        time.sleep(0.05)


def _await_running(site: Site) -> None:
    """Wait until every process has stayed up for a second: the front door's answer says nothing of the
    dispatcher.
    """
    deadline = time.monotonic() + RUNNING_SECONDS
    while late := [state.name for state in supervision.states(site) if state.state != "running"]:
        if time.monotonic() > deadline:
            raise StartError(f"Not running as it should: {_last_words(site, late)}")
        time.sleep(0.1)


def _last_words(site: Site, names: list[str]) -> str:
    return "; ".join(f"{name} ({site.log(name)}): {' '.join(tail(site.log(name), 2))}" for name in names)
