"""The command line against Django's live server, with a home directory of its own."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from imagefactory.adapters.logs.base import Line
from imagefactory.domain.builds import queue
from imagefactory.domain.builds.services import execution
from imagefactory.domain.builds.states import BuildStatus
from imagefactory.entry.cli import main
from imagefactory.entry.http.logs import log_store
from tests.conftest import World

ROLE = "member"


class Cli:
    """Runs commands in this process; every request goes over real HTTP."""

    def __init__(self) -> None:
        self.root = typer.Typer()
        for module, group in main._API_COMMANDS:
            self.root.add_typer(importlib.import_module(f"imagefactory.entry.cli.{module}").app, name=group or None)

    def __call__(self, *argv: str, code: int = 0, stdin: str | None = None) -> Any:
        result = CliRunner().invoke(self.root, argv, input=stdin)
        assert result.exit_code == code, (argv, result.exit_code, result.output, result.exception)
        return result

    def json(self, *argv: str, code: int = 0) -> Any:
        return json.loads(self(*argv, "--json", code=code).stdout)


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return where the session file will be; nobody is signed in."""
    for name in ("IMAGEFACTORY_URL", "IMAGEFACTORY_TOKEN", "IMAGEFACTORY_TENANT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "imagefactory" / "session.json"


@pytest.fixture
def cli(config: Path) -> Cli:
    return Cli()


@pytest.fixture
def owner(live_server: Any, world: World, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Return a command line that acts as the owner, with a key in the environment."""
    monkeypatch.setenv("IMAGEFACTORY_URL", live_server.url)
    monkeypatch.setenv("IMAGEFACTORY_TOKEN", world.token("owner"))
    return cli


@pytest.fixture
def run_next(world: World) -> Callable[..., None]:
    """Return what a dispatcher does, in short: claim the next build, write a log, finish."""

    def run(status: BuildStatus = BuildStatus.SUCCEEDED, lines: int = 3) -> None:
        claim = queue.claim("test")
        assert claim is not None
        execution.begin(claim, ["fetch", "build"])
        store, key = log_store(), str(claim.execution_id)
        made = [Line(n, 1_700_000_000_000 + n, "build", "out", f"line number {n}") for n in range(1, lines + 1)]
        store.append(key, 1, made)
        store.finish(key)
        failure = None
        if status is BuildStatus.FAILED:
            failure = execution.Failure("step_failed", "build", "The third step ended with status 1.")
        execution.finish(claim, status, failure=failure, log_lines=lines)

    return run
