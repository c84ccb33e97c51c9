"""What `up` looks at before it starts anything: programs, the port, and whether the service user can read the
code.
"""

from __future__ import annotations

import difflib
import errno
import os
import socket
import sys
from collections.abc import Set as AbstractSet
from pathlib import Path

import psutil

import imagefactory
from imagefactory.entry.up import data_directory, isolation, processes, tools
from imagefactory.entry.up import site as sites
from imagefactory.entry.up.errors import StartError
from imagefactory.entry.up.site import Site
from imagefactory.kernel import env


def all_problems(site: Site) -> list[str]:
    """Return every reason not to start, a sentence each; empty when the factory can start."""
    missing = [found for found in tools.look(groups=needed(site), optional=False) if found.bad]
    return [lack(found) for found in missing] + problems(site)


def problems(site: Site, *, port: bool = True) -> list[str]:
    """Return the reasons besides missing tools. Without `port` nobody looks whether it is free."""
    found = data_directory.problems(site)
    for check in (_code, _isolation, _certificate, _mail, *([port_is_free] if port else [])):
        try:
            check(site)
        except StartError as error:
            found.append(str(error))
    return found


def needed(site: Site) -> AbstractSet[tools.Group]:
    """Return which groups of tools these settings need on this machine."""
    groups: set[tools.Group] = {"always"}
    if not site.settings.database_url:
        groups.add("database")
    if site.settings.executor == "local":
        groups.add("builds")
        if isolation.choose(site.settings).level == "jail":
            groups.add("jail")
    return groups


def lack(found: tools.Found) -> str:
    """Return the sentence on a tool that is missing or too old."""
    return f"{found.tool.name} is {found.verdict}. It {found.tool.what_for}. To do: {found.to_do}"


def strange_settings() -> list[str]:
    """Return a sentence for each variable that looks like a setting and is none: most likely a slip of the pen."""
    known = {f"{env.PREFIX}{name.upper()}" for name in env.Settings.model_fields} | _NO_SETTINGS
    found = []
    for name in sorted(os.environ):
        if name.startswith(env.PREFIX) and name not in known and not name.startswith(f"{env.PREFIX}TEST_"):
            near = difflib.get_close_matches(name, known, 1)
            found.append(f"{name} is no setting and does nothing{f'; {near[0]} is one' if near else ''}.")
    return found


# For the command line, the scripts and the factory's own processes.
_NO_SETTINGS = {
    f"{env.PREFIX}{name}"
    for name in ("URL", "TOKEN", "TENANT", "VENV", "PROCESS", "SUPERVISED", "HELPER_FOR", "EMAIL", "PASSWORD")
}


def _certificate(site: Site) -> None:
    for name, path in (("TLS_CERTIFICATE", site.settings.tls_certificate), ("TLS_KEY", site.settings.tls_key)):
        if path is not None and not path.is_file():
            raise StartError(
                f"{env.PREFIX}{name} names {path}, which is no file that can be read. Give the PEM file's path."
            )


def _mail(site: Site) -> None:
    for name in ("mail_password_file", "mail_ca_file"):
        path: Path | None = getattr(site.settings, name)
        if path is not None and not path.is_file():
            raise StartError(f"{env.PREFIX}{name.upper()} names {path}, which is no file that can be read.")
        if path is not None and site.account is not None:
            remedy = f"Put it where the user {sites.SERVICE_USER} may read it"
            sites.check_reachable(path.parent, "this file", remedy)
            found, user = path.stat(), site.account
            mine = (found.st_uid == user.uid and found.st_mode & 0o400) or (
                found.st_gid == user.gid and found.st_mode & 0o040
            )
            if not (mine or found.st_mode & 0o004):
                raise StartError(f"The user {sites.SERVICE_USER} may not read {path}. {remedy}: chown it to that user.")


def mail_told(settings: env.Settings) -> str:
    """Return the line that `doctor` says of e-mail."""
    if not settings.mail_host:
        return (
            "no mail server is configured, so no e-mail is sent and people are told in the pages only; set "
            f"{env.PREFIX}MAIL_HOST to send it"
        )
    return f"sent through {settings.mail_host} ({settings.mail_security}) from {settings.mail_sender}"


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
