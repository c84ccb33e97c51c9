"""Stop the factory: through its supervisor, and whatever outlived a killed supervisor."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable

import psutil

from imagefactory.adapters.postgres import embedded
from imagefactory.entry.up import processes, supervision
from imagefactory.entry.up.errors import StartError
from imagefactory.entry.up.site import Site

# Longer than all the processes' own limits together.
MOST_SECONDS = 150.0


def down(site: Site, say: Callable[[str], None]) -> bool:
    """Stop everything, last started first, within 150 seconds. Returns whether anything ran.

    Raises StartError when something is left that this user may not stop.
    """
    ran = False
    boss = supervision.pid(site)
    if boss is not None:
        ran = True
        say("Stopping: front door, dispatcher, jobs, web, registry, database")
        supervision.shut_down(site)
        _wait(lambda: psutil.pid_exists(boss) and _alive(boss), MOST_SECONDS)
    left = orphans(site)
    if left:
        ran = True
        say(f"Stopping {len(left)} processes that a killed supervisor left behind")
        end(left)
    # Its children clear their environment, so the database is found by its directory.
    if not site.settings.database_url:
        ran = embedded.stop(site.data) or ran
    _tidy(site)
    if orphans(site):
        raise StartError(f"Some processes of {site.data} are still there. Run `imagefactory down` as their owner.")
    return ran


def orphans(site: Site) -> list[psutil.Process]:
    """Return the processes that a supervisor of this data directory started, found by the mark in their
    environment.
    """
    mark = str(site.data)
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(processes.SUPERVISED) == mark and _alive(process.pid):
                found.append(process)
    return found


def end(left: list[psutil.Process]) -> None:
    """Ask, wait ten seconds, then kill. Supervisors go first, so that they start nothing again."""
    bosses = [process for process in left if _is_supervisor(process)]
    for process in bosses:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    _, stubborn = psutil.wait_procs(left, timeout=10)
    for process in stubborn:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(stubborn, timeout=5)


def _is_supervisor(process: psutil.Process) -> bool:
    try:
        return "supervisor.supervisord" in process.cmdline()
    except psutil.Error:
        return False


def _alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _wait(still: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while still() and time.monotonic() < deadline:
        time.sleep(0.05)


def _tidy(site: Site) -> None:
    """Remove sockets and generated configuration: nothing in `run` outlives the factory."""
    for path in site.run.glob("*") if site.run.is_dir() else ():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
