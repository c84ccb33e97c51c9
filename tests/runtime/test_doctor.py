"""`doctor`: what is there, what is missing or too old, and the command that mends it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from imagefactory.entry.cli.main import app
from imagefactory.entry.up import tools


def program(directory: Path, name: str, says: str) -> None:
    path = directory / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)


def test_a_missing_tool_is_named_with_its_use_and_its_remedy(tmp_path: Path) -> None:
    program(tmp_path, "git", "git version 2.39.5")
    found = {one.tool.name: one for one in tools.look(str(tmp_path))}
    assert (found["git"].verdict, found["git"].version, found["git"].to_do) == ("found", "2.39.5", "")
    assert found["buildah"].verdict == "missing"
    assert found["buildah"].to_do == "apt-get install buildah"
    assert found["buildah"].tool.what_for
    assert found["chromium"].verdict == "missing (optional)"


def test_a_tool_that_is_too_old_says_which_version_is_wanted(tmp_path: Path) -> None:
    program(tmp_path, "buildah", "buildah version 1.19.6 (image-spec 1.0.1)")
    (found,) = [one for one in tools.look(str(tmp_path)) if one.tool.name == "buildah"]
    assert found.verdict == "too old"
    assert "1.28 or newer" in found.to_do


def test_the_command_fails_while_a_needed_tool_is_missing_and_tells_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = tools.look
    monkeypatch.setattr(tools, "look", lambda: real(str(tmp_path)))
    said = CliRunner().invoke(app, ["doctor"])
    assert said.exit_code == 1
    for name in ("skopeo", "crun", "docker-registry"):
        assert f"apt-get install {name}" in " ".join(said.output.split())
    assert "control groups:" in said.output
    assert "runner helper:" in said.output


@pytest.mark.skipif(not shutil.which("docker-registry"), reason="docker-registry is missing: run make test")
def test_the_command_is_content_on_a_prepared_machine() -> None:
    said = CliRunner().invoke(app, ["doctor"])
    assert said.exit_code == 0, said.output
    assert "All that is needed is here." in said.output
