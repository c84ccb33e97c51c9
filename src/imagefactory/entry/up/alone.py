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

    Raises StartError for an unknown name or an unusable data directory.
    """
    sites.check(site)
    if name == MIGRATE:
        start.migrate(site)
        return
    process = processes.find(site, name)
    if name == "helper":
        isolation.check(site)
    # Only the owner of the data directory may bring it in order; a process under systemd finds it so.
    if os.geteuid() == 0 or os.access(site.data.parent if not site.data.exists() else site.data, os.W_OK):
        start.prepare(
            site, database=name == "postgres" and not embedded.server_pids(site.data), builds=name == "helper"
        )  # fmt: skip
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
