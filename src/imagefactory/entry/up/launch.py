"""Start one process in the foreground: `python -m imagefactory.entry.up.launch NAME`; what the supervisor
runs.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

from imagefactory.adapters.postgres import embedded
from imagefactory.entry.up import fresh_socket, site
from imagefactory.kernel import env

# Imported by name: these doors do not know each other, and each process pays only for its own.
MODULES = {
    "worker": "imagefactory.entry.jobs.run",
    "dispatcher": "imagefactory.entry.dispatcher.run",
    "helper": "imagefactory.executors.local.helper.__main__",
}
BAD_SETTINGS = 2


def tell_settings(error: env.SettingsError) -> None:
    """Write every problem of the settings to standard error, a sentence a line."""
    count = len(error.problems)
    sys.stderr.write(f"The settings have {count} problem{'s' if count > 1 else ''}:\n")
    for problem in error.problems:
        sys.stderr.write(f"  - {problem}\n")


def postgres(data_dir: Path) -> None:
    """Become the embedded server. A lock whose owner is gone is cleared first, so that a crash needs nobody's
    hand.
    """
    embedded.clear_stale_lock(data_dir)
    argv = embedded.argv(data_dir)
    os.execv(argv[0], argv)  # noqa: S606 - becoming that program is the purpose


def _helper_arguments(settings: env.Settings) -> list[str]:
    """Return the helper's arguments: it serves the service user, or who came through sudo."""
    uid, gid = os.getuid(), os.getgid()
    if asked := os.environ.get("IMAGEFACTORY_HELPER_FOR"):
        uid, gid = (int(part) for part in asked.split(":"))
    elif (account := site.find_account(create=False)) is not None:
        uid, gid = account.uid, account.gid
    return [
        "--socket", str(settings.helper), "--builds", str(settings.data_dir / "builds"),
        "--client-uid", str(uid), "--client-gid", str(gid), "--port", str(settings.port),
    ]  # fmt: skip


def main() -> int:
    """Return the process's exit status: 2 for wrong settings, told all at once."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    try:
        settings = env.get()
    except env.SettingsError as error:
        tell_settings(error)
        return BAD_SETTINGS
    os.environ["IMAGEFACTORY_PROCESS"] = name
    if name == "postgres":
        postgres(settings.data_dir)
    if name in {"worker", "dispatcher"}:
        fresh_socket.end_leftovers()
    if name not in MODULES:
        sys.stderr.write(f"There is no process {name!r} to launch; there are postgres, {', '.join(MODULES)}.\n")
        return BAD_SETTINGS
    sys.argv = [f"imagefactory-{name}", *(_helper_arguments(settings) if name == "helper" else [])]
    code = importlib.import_module(MODULES[name]).main()
    return int(code or 0)


if __name__ == "__main__":
    sys.exit(main())
