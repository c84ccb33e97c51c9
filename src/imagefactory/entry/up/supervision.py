"""The supervisor (the library `supervisor`): its configuration, and talking to it over its socket."""

from __future__ import annotations

import dataclasses
import http.client
import os
import re
import shlex
import subprocess
import sys
import xmlrpc.client
from pathlib import Path
from typing import Any, cast

from imagefactory.entry.up import processes
from imagefactory.entry.up.errors import StartError
from imagefactory.entry.up.processes import Process
from imagefactory.entry.up.site import SERVICE_USER, Site

_NO_ANSWER = (OSError, http.client.HTTPException, xmlrpc.client.ProtocolError)
# Linear back-off (1, 2, 3 ... seconds between starts) for half an hour; then it is given up and `status` says
# so.
_START_RETRIES = 60
_LOG_BYTES = 10 * 1024 * 1024


@dataclasses.dataclass(frozen=True)
class State:
    """What the supervisor says about one process. `started` is a Unix time in seconds, 0 if it never was."""

    name: str
    state: str
    pid: int
    started: int
    restarts: int
    detail: str


def configuration(site: Site, table: list[Process]) -> str:
    """Return `supervisord.conf`. Nothing starts by itself: `up` starts each process when what it needs is
    there.
    """
    place = site.supervisor
    parts = [
        "; Written by the factory at every start.",
        "[supervisord]",
        f"logfile = {_value(place / 'supervisord.log')}",
        "logfile_maxbytes = 5MB",
        "logfile_backups = 1",
        f"pidfile = {_value(place / 'supervisord.pid')}",
        "nodaemon = true",
        "silent = true",
        "umask = 027",
        "identifier = imagefactory",
        *(["user = root"] if site.account else []),
        "[unix_http_server]",
        f"file = {_value(place / 'supervisor.sock')}",
        "chmod = 0700",
        "[rpcinterface:supervisor]",
        "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface",
    ]
    for process in table:
        parts += _program(site, process)
    return "\n".join(parts) + "\n"


def _program(site: Site, process: Process) -> list[str]:
    return [
        f"[program:{process.name}]",
        f"command = {_value(shlex.join(process.argv))}",
        "directory = /",
        f'environment = IMAGEFACTORY_PROCESS="{process.name}"',
        *([f"user = {SERVICE_USER}"] if site.account and not process.as_root else []),
        f"priority = {process.order}",
        "autostart = false",
        "autorestart = true",
        "startsecs = 1",
        f"startretries = {_START_RETRIES}",
        f"stopsignal = {process.stop_signal}",
        f"stopwaitsecs = {process.stop_seconds}",
        # PostgreSQL and the dispatcher end their own children; killing is for what is left of the rest.
        "killasgroup = true",
        "redirect_stderr = true",
        f"stdout_logfile = {_value(site.log(process.name))}",
        f"stdout_logfile_maxbytes = {_LOG_BYTES}",
        "stdout_logfile_backups = 3",
    ]


def _value(value: object) -> str:
    """Escape what supervisor's configuration would expand."""
    return str(value).replace("%", "%%").replace(";", "\\;")


def start(site: Site) -> subprocess.Popen[bytes]:
    """Start the supervisor in a session of its own; it outlives the caller."""
    environment = {**processes.environment(site), processes.SUPERVISED: str(site.data)}
    command = [
        sys.executable,
        "-m",
        "supervisor.supervisord",
        "-c",
        str(site.supervisor / "supervisord.conf"),
    ]
    with (site.supervisor / "start.log").open("wb") as log:
        return subprocess.Popen(
            command,
            env=environment,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _rpc(site: Site) -> Any:
    from supervisor.xmlrpc import SupervisorTransport

    transport = SupervisorTransport(None, None, f"unix://{site.supervisor / 'supervisor.sock'}")
    return xmlrpc.client.ServerProxy("http://supervisor", transport=transport).supervisor


def pid(site: Site) -> int | None:
    """Return the running supervisor's pid, or None when none answers. Raises StartError when it is another
    user's.
    """
    if site.supervisor.exists() and not os.access(site.supervisor, os.X_OK):
        raise StartError(
            f"The factory in {site.data} belongs to another user. Use `sudo imagefactory ...`, or set "
            "IMAGEFACTORY_DATA_DIR to a directory of your own."
        )
    try:
        return int(_rpc(site).getPID())
    except _NO_ANSWER:
        return None


def begin(site: Site, name: str) -> None:
    """Ask for the start of one process; a running one stays as it is."""
    try:
        _rpc(site).startProcess(name, False)
    except xmlrpc.client.Fault as fault:
        if fault.faultCode != _ALREADY_STARTED:
            raise


_ALREADY_STARTED = 60
_NOT_RUNNING = 70


def end(site: Site, name: str) -> None:
    """Stop one process and wait for it; a stopped one stays as it is."""
    try:
        _rpc(site).stopProcess(name, True)
    except xmlrpc.client.Fault as fault:
        if fault.faultCode != _NOT_RUNNING:
            raise


def shut_down(site: Site) -> None:
    """Ask the supervisor to stop everything, last started first, and to end."""
    try:
        _rpc(site).shutdown()
    except _NO_ANSWER:
        return


def states(site: Site) -> list[State]:
    """Return the state of every process, in the order of the start; empty when no supervisor answers."""
    try:
        told = cast("list[dict[str, Any]]", _rpc(site).getAllProcessInfo())
    except _NO_ANSWER:
        return []
    starts = _starts(site.supervisor / "supervisord.log")
    order = {name: index for index, name in enumerate(processes.names())}
    found = [
        State(
            name=row["name"],
            state=row["statename"].lower(),
            pid=row["pid"],
            started=row["start"],
            restarts=max(0, starts.get(row["name"], 0) - 1),
            detail=row["description"] or row["spawnerr"],
        )
        for row in told
    ]
    return sorted(found, key=lambda state: order.get(state.name, 99))


def _starts(log: Path) -> dict[str, int]:
    """Count the starts of each process since the supervisor's own, from its log (it keeps no counter)."""
    counts: dict[str, int] = {}
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - 1_000_000))
            text = stream.read().decode("utf-8", "replace")
    except OSError:
        return counts
    for line in text.rsplit("supervisord started with pid", 1)[-1].splitlines():
        if spawned := re.search(r" INFO spawned: '([a-z-]+)' with pid", line):
            counts[spawned[1]] = counts.get(spawned[1], 0) + 1
    return counts
