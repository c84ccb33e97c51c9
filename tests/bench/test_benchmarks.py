"""The benchmarks' command: what it offers and refuses. Nothing is measured here."""

from __future__ import annotations

import importlib
import json
import uuid

import pytest
from benchmarks import __main__ as command
from benchmarks.figures import Figure, PartResult, spread_figures, written
from benchmarks.lists import Scene, asked_of
from benchmarks.places import Team
from django.urls import resolve


def test_the_list_names_every_part(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["benchmarks", "--list"])
    assert command.main() == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert names == ["queue", "claims", "build", "noop", "logs", "up", "lists", "wall", "pull", "audit"]


@pytest.mark.parametrize("name", command.PARTS)
def test_every_part_is_a_module_that_can_be_imported_and_measures(name: str) -> None:
    module = importlib.import_module(f"benchmarks.{command.PARTS[name].module}")
    assert callable(module.measure)


def test_the_pages_that_are_measured_exist() -> None:
    some = uuid.uuid4()
    scene = Scene(Team(some, "team", some, some, "project"), "", "", "", str(some), "/t/team/p/project/builds/1")
    for what, path, _ in asked_of(scene):
        assert resolve(path.partition("?")[0]), what


def test_an_unknown_part_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.arguments(["--only", "queue,nonsense"])
    assert "there is no part nonsense" in capsys.readouterr().err
    assert command.arguments(["--only", "queue,claims", "--quick"]).only == ["queue", "claims"]


def test_json_holds_value_reach_peer_and_both_ratios() -> None:
    figure = Figure("claims", 3000.0, "claims/s", 1500, more=True, peer=6000.0, peer_name="plain")
    document = json.loads(written([PartResult("claims", "Claims", [figure])], cores=2))
    found = document["parts"][0]["figures"][0]
    assert (document["cores"], found["value"], found["to_reach"], found["to_peer"]) == (2, 3000.0, 2.0, 0.5)


def test_a_spread_is_told_of_the_95th_percentile() -> None:
    middle, high = spread_figures("wait", [float(n) for n in range(1, 102)], reach=100)
    assert (middle.value, middle.reach) == (51.0, None)
    assert (high.value, high.reach) == (96.0, 100)
