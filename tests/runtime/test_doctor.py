"""`doctor`: what is there, what is missing or too old, and the command that mends it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from imagefactory.entry.up import tools
from tests.runtime.stand import Factory, needs_root


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


def test_a_tool_is_needed_only_where_the_settings_use_it(tmp_path: Path) -> None:
    found = {one.tool.name: one for one in tools.look(str(tmp_path), {"always"})}
    assert (found["skopeo"].verdict, found["iptables"].verdict) == ("missing", "missing (optional)")
    assert "chromium" not in {one.tool.name for one in tools.look(str(tmp_path), {"always"}, optional=False)}


NEEDED = [tool.name for tool in tools.TOOLS if tool.group != "optional"]


@pytest.mark.real
@needs_root
@pytest.mark.parametrize("command", ["doctor", "up"])
def test_every_missing_tool_is_told_at_once_with_its_use_and_the_command(command: str) -> None:
    factory = Factory()
    # In a mount namespace of this test's own, a file that nobody may run lies over each program.
    paths = [path for name in NEEDED if name != "mount" and (path := shutil.which(name, path=tools.SEARCH))]
    hide = 'set -e; nothing=$1; shift; while [ $1 != -- ]; do mount --bind $nothing $1; shift; done; shift; exec "$@"'
    nothing = factory.place / "nothing"
    nothing.touch(mode=0o644)
    said = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", hide, "sh", str(nothing), *paths, "--",
         *factory.command(command)],
        env=factory.environment(IMAGEFACTORY_DATA_DIR=str(factory.place / "data")), capture_output=True, text=True,
        check=False, timeout=120,
    )  # fmt: skip
    text = " ".join((said.stdout + said.stderr).split())
    assert said.returncode == 1, text
    for tool in tools.TOOLS:
        if tool.group != "optional" and tool.name != "mount":
            assert f"{tool.name} is missing. It {tool.what_for}. To do: apt-get install {tool.package}" in text
    assert not (factory.place / "data" / "postgres").exists()
    factory.remove()


@pytest.mark.real
def test_the_command_is_content_on_a_prepared_machine() -> None:
    factory = Factory()
    said = factory("doctor")
    assert said.returncode == 0, said.stdout + said.stderr
    assert "All that is needed is here." in said.stdout
    assert "control groups:" in said.stdout
    assert list(factory.place.iterdir()) == []
    factory.remove()


def test_a_slip_of_the_pen_in_a_settings_name_is_told() -> None:
    factory = Factory(IMAGEFACTORY_PUBLIC_ULR="http://localhost:3000")
    said = factory("doctor")
    assert "IMAGEFACTORY_PUBLIC_ULR is no setting and does nothing; IMAGEFACTORY_PUBLIC_URL is one." in said.stderr
    factory.remove()
