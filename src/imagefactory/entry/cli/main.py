"""The command line: the factory on this machine, and the API from anywhere."""

from __future__ import annotations

import sys
import time
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from imagefactory import __version__
from imagefactory.kernel.env import SettingsError

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Image Factory: build, check and hand out images.")
out, err = Console(), Console(stderr=True)


def _stop(message: str, code: int = 1) -> typer.Exit:
    err.print(message, style="red", markup=False, highlight=False, soft_wrap=True)
    return typer.Exit(code)


@app.command()
def up() -> None:
    """Start the factory on this machine and wait until it answers."""
    from imagefactory.entry.up import start
    from imagefactory.entry.up.errors import StartError

    began = time.monotonic()

    def tell(text: str) -> None:
        out.print(f"{time.monotonic() - began:5.1f} s  {text}", markup=False, highlight=False, soft_wrap=True)

    try:
        started = start.up(tell)
        url = start.site().settings.public_url
    except StartError as error:
        raise _stop(str(error)) from None
    tell(f"{'Ready' if started else 'Already running'} at {url}")


@app.command()
def down() -> None:
    """Stop the factory on this machine."""
    from imagefactory.entry.up import start
    from imagefactory.entry.up.errors import StartError

    try:
        ran = start.down(lambda text: out.print(text, markup=False))
    except StartError as error:
        raise _stop(str(error)) from None
    out.print("Stopped." if ran else "Nothing was running.")


@app.command()
def status() -> None:
    """Show each process. Exit code 0 when the factory answers, 1 otherwise."""
    from imagefactory.entry.up import processes, start
    from imagefactory.entry.up.supervision import Supervisor

    here = start.site()
    supervisor = Supervisor(here)
    if not supervisor.alive():
        raise _stop("The factory is not running. Start it with `imagefactory up`.")
    table = Table(box=None, pad_edge=False)
    for column in ("process", "state", "pid", "since", "what for", "log"):
        table.add_column(column, overflow="fold")
    what = {p.name: p.what for p in processes.table(here)}
    for row in supervisor.table():
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(row["start"])) if row["start"] else ""
        log = str(here.log(row["name"]))
        table.add_row(row["name"], row["statename"].lower(), str(row["pid"] or ""), since, what.get(row["name"], ""), log)
    out.print(table)
    answers = start.healthy(here)
    out.print(f"{here.settings.public_url} {'answers' if answers else 'does not answer'}", markup=False)
    raise typer.Exit(0 if answers else 1)


@app.command()
def doctor() -> None:
    """Say for each tool what it is for and, where it is missing, the command that installs it."""
    from imagefactory.entry.up import processes, tools
    from imagefactory.executors.local.helper.cgroup import mode

    table = Table(box=None, pad_edge=False)
    for column in ("tool", "found", "version", "what for", "install"):
        table.add_column(column, overflow="fold")
    missing = 0
    for found in tools.look():
        missing += not found.path and found.tool.needed
        table.add_row(found.tool.name, "yes" if found.path else "no" if found.tool.needed else "no (optional)",
                      found.version, found.tool.what_for, "" if found.path else found.tool.remedy)  # fmt: skip
    out.print(table)
    out.print(f"control groups: {mode()}; runner helper: {processes.helper_mode()}", markup=False)
    raise typer.Exit(1 if missing else 0)


@app.command()
def run(process: Annotated[str, typer.Argument(help="postgres, registry, helper, web, stream, worker, dispatcher, caddy")]) -> None:
    """Run one process alone in the foreground, as systemd or Kubernetes would."""
    from imagefactory.entry.up import launch

    raise typer.Exit(launch.main(process))


@app.command()
def version() -> None:
    """Print the version."""
    out.print(__version__)


def main() -> None:
    """Run the command line; settings errors come together, as sentences."""
    try:
        app()
    except SettingsError as error:
        err.print("\n".join(error.problems), style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
