"""The committed reference says what the code says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from scripts import reference

from tests.docs.pages import ROOT


def test_the_committed_reference_is_what_the_code_says() -> None:
    assert reference.stale() == [], "Run: python -m scripts.reference"


def test_a_changed_and_a_missing_page_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "REFERENCE", tmp_path)
    for name, page in reference.PAGES.items():
        (tmp_path / name).write_text(page(), "utf-8")
    (tmp_path / "errors.md").write_text("old", "utf-8")
    (tmp_path / "cli.md").unlink()
    assert reference.stale() == ["cli.md", "errors.md"]


@pytest.mark.real
def test_the_check_agrees_in_a_process_of_its_own_and_with_other_settings() -> None:
    settings = {"IMAGEFACTORY_PUBLIC_URL": "http://elsewhere.example:8080", "IMAGEFACTORY_WORKER_SLOTS": "7"}
    done = subprocess.run(
        [sys.executable, "-m", "scripts.reference", "--check"], cwd=ROOT, check=False, capture_output=True, text=True,
        env={**os.environ, **settings, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_an_unknown_argument_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert reference.main(["--chekc"]) == 2
    assert "--check" in capsys.readouterr().err


def test_every_command_and_setting_is_in_the_reference() -> None:
    from imagefactory.kernel import env

    shown = (reference.REFERENCE / "cli.md").read_text("utf-8")
    assert "## imagefactory build submit\n" in shown
    assert [c for c in reference.commands() if f"## imagefactory {c}\n" not in shown] == []
    listed = (reference.REFERENCE / "settings.md").read_text("utf-8")
    assert [n for n in env.Settings.model_fields if f"`IMAGEFACTORY_{n.upper()}`" not in listed] == []
