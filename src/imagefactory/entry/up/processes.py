"""The table of processes: what each is for, its command, its order, and how it is stopped."""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path

from imagefactory.entry.up import front_door, isolation, registry
from imagefactory.entry.up.errors import StartError
from imagefactory.entry.up.site import SERVICE_USER, Site
from imagefactory.entry.up.tools import SEARCH

_UNPRIVILEGED_PORT = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
# What children get from the environment of `up`, besides the factory's own settings.
_PASSED_ON = ("LANG", "TZ", "PYTHONPATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO")
_PROXIES = ("http_proxy", "https_proxy", "no_proxy")
SUPERVISED = "IMAGEFACTORY_SUPERVISED"


@dataclasses.dataclass(frozen=True)
class Process:
    """One process: `order` is that of the start, and backwards that of the stop."""

    name: str
    what: str
    argv: tuple[str, ...]
    order: int
    stop_signal: str = "TERM"
    stop_seconds: int = 10
    as_root: bool = False


def table(site: Site) -> list[Process]:
    """Return the factory's processes on this machine, in the order in which they start."""
    settings = site.settings
    found = [
        Process("registry", "keeps images", _with_socket(site, "registry", registry.argv(site)), 20),
        Process("web", "pages and API", _with_socket(site, "web", _web(site)), 30),
        Process("stream", "live logs", _with_socket(site, "stream", _stream(site)), 30, stop_seconds=5),
        Process("worker", "jobs: events, clean-up, clocks", _launch("worker"), 40, stop_seconds=15),
        Process(
            "dispatcher",
            "claims builds and runs them",
            _launch("dispatcher"),
            50,
            stop_seconds=site.settings.drain_seconds + 10,
        ),  # fmt: skip
        _front_door(site),
    ]
    if not settings.database_url:
        found.append(Process("postgres", "the database", _launch("postgres"), 10, stop_signal="INT", stop_seconds=30))
    helper = _helper(site)
    if helper is not None:
        found.append(helper)
    return sorted(found, key=lambda process: process.order)


def names() -> list[str]:
    """Return every process that can be named, whatever the settings."""
    return ["postgres", "registry", "helper", "web", "stream", "worker", "dispatcher", "caddy"]


def find(site: Site, name: str) -> Process:
    """Return one process of the table. Raises StartError when this machine or these settings have none of
    that name.
    """
    for process in table(site):
        if process.name == name:
            return process
    why = {
        "postgres": "IMAGEFACTORY_DATABASE_URL names another database, so the embedded one is not used",
        "helper": "IMAGEFACTORY_EXECUTOR=fake runs no builds, so there is nothing to prepare",
    }.get(name, f"there is no process of that name; there are {', '.join(names())}")
    raise StartError(f"Cannot run {name}: {why}.")


def environment(site: Site) -> dict[str, str]:
    """Return what all processes get: the settings given to `up`, locale, proxies, certificates; nothing else.

    It is handed over as an environment and written to no file, since settings may hold secrets.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("IMAGEFACTORY_", "LC_")) or name in _PASSED_ON or name.lower() in _PROXIES
    }
    if path := kept.get("PYTHONPATH"):
        # Children start in the root directory.
        kept["PYTHONPATH"] = os.pathsep.join(str(Path(part).absolute()) for part in path.split(os.pathsep) if part)
    home = str(site.data) if site.account else os.environ.get("HOME", str(site.data))
    return {
        "LANG": "C.UTF-8",
        **kept,
        "PATH": f"{Path(sys.executable).parent}:{SEARCH}",
        "HOME": home,
        "DJANGO_SETTINGS_MODULE": "imagefactory.settings.django",
        "IMAGEFACTORY_DATA_DIR": str(site.data),
        "PYTHONUNBUFFERED": "1",
        # Caddy's own state would land in the home directory.
        "XDG_DATA_HOME": str(site.run / "caddy"),
        "XDG_CONFIG_HOME": str(site.run / "caddy"),
    }


def _helper(site: Site) -> Process | None:
    if site.settings.executor == "fake":
        return None
    choice = isolation.choose(site.settings)
    if choice.way == "root":
        return Process("helper", _JAIL, _launch("helper"), 20, as_root=True, stop_seconds=20)
    if choice.way == "sudo":
        # It ends when its pipe closes, so sudo needs no signal that an ordinary user may not send.
        argv: tuple[str, ...] = (sys.executable, "-m", "imagefactory.entry.up.through_sudo")
        return Process("helper", _JAIL, argv, 20, stop_seconds=20)
    places = ["--socket", str(site.settings.helper), "--builds", str(site.data / "builds")]
    argv = (sys.executable, "-m", "imagefactory.executors.local.keeper", *places)
    return Process("helper", "DEGRADED: prepares builds without their jail", argv, 20, stop_seconds=20)


_JAIL = "prepares the jail of a build; the one process of root"


def _launch(name: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "imagefactory.entry.up.launch", name)


def _with_socket(site: Site, name: str, argv: list[str]) -> tuple[str, ...]:
    script = Path(__file__).with_name("fresh_socket.py")
    return (sys.executable, "-I", "-S", str(script), str(site.run / f"{name}.sock"), *argv)


def _granian(site: Site, name: str, interface: str, *more: str) -> list[str]:
    level = site.settings.log_level.replace("warning", "warn")
    return [
        sys.executable, "-m", "granian", "--interface", interface, "--uds", str(site.run / f"{name}.sock"),
        "--uds-permissions", "0o600", "--no-ws", "--log-level", level,
        "--respawn-failed-workers", "--respawn-interval", "1", "--workers-kill-timeout", "3", *more,
    ]  # fmt: skip


def _web(site: Site) -> list[str]:
    workers, threads = str(site.settings.web_workers), str(site.settings.web_threads)
    more = ["--workers", workers, "--blocking-threads", threads]
    return _granian(site, "web", "wsgi", *more, "imagefactory.entry.wsgi:application")


def _stream(site: Site) -> list[str]:
    return _granian(site, "stream", "asgi", "imagefactory.entry.stream.app:app")


def _front_door(site: Site) -> Process:
    argv: list[str] = front_door.argv(site)
    as_root = False
    if site.settings.port < _first_free_port() and site.account is not None:
        # Ports below 1024 need one capability, which the service user gets for this one program.
        argv = [
            "/usr/bin/setpriv", "--reuid", SERVICE_USER, "--regid", SERVICE_USER, "--init-groups",
            "--inh-caps", "+net_bind_service", "--ambient-caps", "+net_bind_service", *argv,
        ]  # fmt: skip
        as_root = True
    return Process("caddy", "the front door: one port for all", tuple(argv), 60, as_root=as_root)


def _first_free_port() -> int:
    try:
        return int(_UNPRIVILEGED_PORT.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 1024


def may_listen(site: Site) -> bool:
    """Return whether the front door's port is open to the user that starts it."""
    return os.geteuid() == 0 or site.settings.port >= _first_free_port()
