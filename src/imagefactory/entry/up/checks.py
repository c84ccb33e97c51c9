"""What `up` looks at before it starts anything: programs, the port, and whether the service user can read the
code.
"""

from __future__ import annotations

import errno
import socket
import sys
from pathlib import Path

import psutil

import imagefactory
from imagefactory.adapters.postgres import binaries
from imagefactory.adapters.postgres.errors import PostgresError
from imagefactory.entry.up import front_door, isolation, processes, registry
from imagefactory.entry.up import site as sites
from imagefactory.entry.up.errors import StartError
from imagefactory.entry.up.site import Site


def all_problems(site: Site) -> list[str]:
    """Return every reason not to start, a sentence each; empty when the factory can start."""
    problems = []
    for check in (sites.check, _programs, _code, _isolation, port_is_free):
        try:
            check(site)
        except (StartError, PostgresError) as error:
            problems.append(str(error))
    return problems


def _programs(site: Site) -> None:
    registry.require()
    front_door.require()
    if not site.settings.database_url:
        binaries.directory()


def _code(site: Site) -> None:
    if site.account is None:
        return
    remedy = "Run `make up`: it installs the factory in a place that everybody can read"
    sites.check_reachable(Path(sys.executable).parent, "this Python", remedy)
    sites.check_reachable(Path(imagefactory.__file__).parent, "the factory's code", remedy)


def _isolation(site: Site) -> None:
    if site.settings.executor == "local":
        isolation.check(site)


def port_is_free(site: Site) -> None:
    """Raise StartError, naming the process where it can be found, when somebody listens on the front door's
    port.
    """
    settings = site.settings
    how = "Stop that process, or set IMAGEFACTORY_PUBLIC_URL to an address with another port"
    if not processes.may_listen(site):
        raise StartError(
            f"Port {settings.port} is open to root only. Start the factory as root, or set "
            "IMAGEFACTORY_PUBLIC_URL to an "
            "address with a port of 1024 or more."
        )
    family = socket.AF_INET6 if ":" in settings.bind else socket.AF_INET
    with socket.socket(family) as probe:
        # As Caddy does: a port in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.bind, settings.port))
            probe.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise StartError(
                    f"Port {settings.port} on {settings.bind} is in use{_by_whom(settings.port)}. {how}, "
                    "such as "
                    f"http://localhost:{settings.port + 1 if settings.port < 65535 else 3000}."
                ) from None
            raise StartError(
                f"Cannot listen on {settings.bind} port {settings.port}: {error.strerror}. IMAGEFACTORY_BIND "
                "must be an "
                "address of this machine, 127.0.0.1 for this machine only or 0.0.0.0 for all networks."
            ) from None


def _by_whom(port: int) -> str:
    try:
        for connection in psutil.net_connections(kind="tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.pid and connection.laddr[1:2] == (port,):
                return f" by {psutil.Process(connection.pid).name()} (process {connection.pid})"
    except (psutil.Error, OSError):
        pass
    return " by another process"
