"""The command line: the factory on this machine. Commands over the API are mounted from the modules beside
this one.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import signal
import sys
import time
from collections.abc import Iterator
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from imagefactory import __version__
from imagefactory.entry.up.errors import StartError
from imagefactory.kernel import env

NOT_RUNNING = 3  # as in the LSB's status codes
BAD_SETTINGS = 2

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Image Factory: build, check and hand out images.")
out, err = Console(), Console(stderr=True)

# Commands over the API: (module beside this one, name of the group; empty for commands at the top).
_API_COMMANDS = (
    ("session", ""),
    ("projects", "project"),
    ("builds", "build"),
    ("images", "image"),
    ("keys", "key"),
    ("tenants", "tenants"),
    ("admin", "admin"),
    ("members", "members"),
    ("invitations", "invitations"),
    ("roles", "roles"),
    ("access", "access"),
    ("audit", "audit"),
    ("service_accounts", "service-account"),
    ("networks", "network"),
    ("demo", ""),
)


def _mount() -> None:
    for module, group in _API_COMMANDS:
        name = f"imagefactory.entry.cli.{module}"
        if importlib.util.find_spec(name) is not None:
            app.add_typer(importlib.import_module(name).app, name=group or None)


def _fail(message: object, code: int = 1) -> NoReturn:
    err.print(str(message), style="red", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(code)


def _say(text: str) -> None:
    out.print(text, markup=False, highlight=False, soft_wrap=True)


def _warn(text: str) -> None:
    err.print(f"Warning: {text}", style="yellow", markup=False, highlight=False, soft_wrap=True)


@contextlib.contextmanager
def _step(text: str) -> Iterator[None]:
    """Show a step while it runs, then the time it took."""
    began = time.monotonic()
    shown = out.status(text) if out.is_terminal else contextlib.nullcontext()
    with shown:
        yield
    _say(f"{time.monotonic() - began:6.1f} s  {text}")


def _site(*, create: bool = False) -> Any:
    from imagefactory.entry.up import site

    settings = env.get()
    return site.Site(settings, site.find_account(create=create))


@app.command()
def up(
    *,
    foreground: Annotated[bool, typer.Option("--foreground", help="Stay until stopped, as under systemd.")] = False,
) -> None:
    """Start the factory on this machine and wait until it answers. A second `up` changes nothing."""
    from imagefactory.adapters.postgres.errors import PostgresError
    from imagefactory.entry.up import start

    began = time.monotonic()
    if foreground:
        # A stop in the middle of the start unwinds like an interrupt, so that nothing half started is left.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    boss = None
    try:
        site = _site(create=True)
        boss = start.up(site, _step, _warn)
        if boss is None:
            _say(f"Already running at {site.settings.public_url}")
        else:
            _say(f"Ready at {site.settings.public_url} after {time.monotonic() - began:.1f} s")
        if boss is not None and foreground:
            code = boss.wait()
            _fail(f"The supervisor ended with status {code}. `imagefactory up` cleans up and starts again.")
    except (StartError, PostgresError) as error:
        _fail(error)
    except KeyboardInterrupt:
        if boss is None:
            _fail("Stopped before it was up; nothing is left running.", 130)
        down()


@app.command()
def down() -> None:
    """Stop the factory on this machine, and whatever a killed supervisor left behind."""
    from imagefactory.entry.up import site as sites
    from imagefactory.entry.up import stop

    site = _site()
    try:
        if not site.data.is_dir():
            _say(f"Nothing was running: there is no data directory {site.data}.")
            return
        with sites.locked(site):
            ran = stop.down(site, _say)
    except StartError as error:
        _fail(error)
    _say("Stopped." if ran else "Nothing was running.")


@app.command()
def status() -> None:
    """Show each process. Exit status: 0 all well, 1 something is not, 3 the factory is not running."""
    from imagefactory.entry.up import isolation, processes, start, stop, supervision

    site = _site()
    try:
        running = supervision.pid(site) is not None
    except StartError as error:
        _fail(error)
    if not running:
        left = len(stop.orphans(site))
        more = f" A killed supervisor left {left} processes, which the next `up` or `down` stops." if left else ""
        _fail(f"The factory in {site.data} is not running. Start it with `imagefactory up`.{more}", NOT_RUNNING)
    table = Table(box=None, pad_edge=False)
    for column in ("process", "state", "pid", "since", "restarts", "what for"):
        table.add_column(column, overflow="fold")
    states = supervision.states(site)
    what = {process.name: process.what for process in processes.table(site)}
    for state in states:
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(state.started)) if state.started else ""
        pid = str(state.pid or "")
        table.add_row(state.name, state.state, pid, since, str(state.restarts), what.get(state.name, ""))
    out.print(table)
    _say(isolation.in_force(site.settings))
    _say(f"Logs: {site.log('PROCESS')}")
    for sentence in _stuck_events():
        _warn(sentence)
    sick = start.health(site)
    _say(f"{site.settings.public_url} {f'does not answer: {sick}' if sick else 'answers'}")
    raise typer.Exit(1 if sick or any(state.state != "running" for state in states) else 0)


def _stuck_events() -> list[str]:
    """Return a sentence for each event whose reaction keeps failing; none when the database does not answer."""
    import psycopg

    from imagefactory.kernel import pg
    from imagefactory.kernel.outbox.stuck import stuck_events

    try:
        return [stuck.sentence() for stuck in stuck_events(pg.conninfo())]
    except psycopg.Error:
        return []  # that the database is away is told by the processes' states


@app.command()
def doctor() -> None:
    """Say what keeps the factory from starting, for each tool what it is for, and the commands that mend it."""
    from imagefactory.entry.up import checks, isolation, second_wall, stop, supervision, tools
    from imagefactory.kernel import pg

    site = _site()
    table = Table(box=None, pad_edge=False)
    for column in ("tool", "found", "version", "what for"):
        table.add_column(column, overflow="fold")
    looked = tools.look(groups=checks.needed(site))
    missing = sum(found.bad and found.needed for found in looked)
    for found in looked:
        table.add_row(found.tool.name, found.verdict, found.version, found.tool.what_for)
    out.print(table)
    # Below the table and not in it, so that a narrow terminal does not break a command in two.
    for found in looked:
        if found.bad:
            _say(checks.lack(found))
    for name, value in tools.kernel().items():
        _say(f"{name}: {value}")
    _say(f"runner helper: {isolation.told(isolation.choose(site.settings))}")
    _say(f"e-mail: {checks.mail_told(site.settings)}")
    for sentence in checks.strange_settings():
        _warn(sentence)
    if told := second_wall.missing(pg.url("web")):
        _warn(told)
    try:
        ours = supervision.pid(site) is not None or bool(stop.orphans(site))
    except StartError:
        ours = False  # another user's directory, which the problems tell
    problems = checks.problems(site, port=not ours)
    for problem in problems:
        _say(f"Problem: {problem}")
    if missing:
        _say(f"{missing} needed tools are missing or too old.")
    if not missing and not problems:
        _say("All that is needed is here.")
    raise typer.Exit(1 if missing or problems else 0)


@app.command()
def run(
    process: Annotated[
        str,
        typer.Argument(help="postgres, registry, helper, web, stream, worker, dispatcher, caddy or migrate"),
    ],
) -> None:
    """Run one process alone in the foreground, as systemd or Kubernetes would."""
    from imagefactory.adapters.postgres.errors import PostgresError
    from imagefactory.entry.up import alone

    try:
        alone.run(_site(create=True), process)
    except (StartError, PostgresError) as error:
        _fail(error)


@app.command()
def version() -> None:
    """Print the version."""
    _say(__version__)


def main() -> None:
    """Run the command line; settings errors come together, as sentences, with exit status 2."""
    _mount()
    try:
        app()
    except env.SettingsError as error:
        from imagefactory.entry.up.launch import tell_settings

        tell_settings(error)
        sys.exit(BAD_SETTINGS)


if __name__ == "__main__":
    main()
