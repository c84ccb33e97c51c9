"""One process alone in the foreground, for systemd or Kubernetes: the command that the supervisor runs."""

from __future__ import annotations

import os

from imagefactory.adapters.postgres import embedded
from imagefactory.entry.up import isolation, processes, start
from imagefactory.entry.up import site as sites
from imagefactory.entry.up.errors import StartError
from imagefactory.entry.up.site import SERVICE_USER, Site

MIGRATE = "migrate"


def run(site: Site, name: str) -> None:
    """Become the process `name`, as the service user when root asks and it needs no root; `migrate` returns.

    Raises StartError for an unknown name, an unusable data directory, or builds that could not run.
    """
    sites.check(site)
    if name == MIGRATE:
        _prepare(site, name)
        if not site.settings.database_url:
            embedded.wait_ready(site.data)
        start.migrate(site)
        return
    process = processes.find(site, name)
    if name == "helper":
        isolation.check(site)
    _prepare(site, name)
    environment = {**processes.environment(site), "IMAGEFACTORY_PROCESS": name}
    if site.account is not None and not process.as_root:
        os.initgroups(SERVICE_USER, site.account.gid)
        os.setgid(site.account.gid)
        os.setuid(site.account.uid)
    try:
        os.execve(process.argv[0], process.argv, environment)  # noqa: S606 - becoming that program is the purpose
    except OSError as error:
        told = f"{process.argv[0]}: {error.strerror}"
        raise StartError(f"Cannot start {name}: {told}. See `imagefactory doctor`.") from error


def _prepare(site: Site, name: str) -> None:
    """Bring the data directory in order, one process after the other: systemd starts them all at once.

    Only its owner may; a process that another started finds it so.
    """
    if os.geteuid() != 0 and not os.access(sites.existing(site.data), os.W_OK):
        return
    with sites.locked(site, wait=True):
        start.prepare(
            site, database=name == "postgres" and not embedded.server_pids(site.data), builds=name == "helper"
        )  # fmt: skip
