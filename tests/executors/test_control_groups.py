"""The version 2 files, on a directory that looks like one: the machine at hand may have version 1 only."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagefactory.executors.local.helper import cgroup


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "cgroup.controllers").write_text("cpu io memory pids\n")
    monkeypatch.setattr(cgroup, "ROOT", tmp_path)
    return tmp_path


def test_version_2_limits_are_written_in_its_own_words(tree: Path) -> None:
    group = cgroup.Group("slot-3")
    group.create(cpus=1.5, memory_mib=64, pids=99)
    here = tree / "imagefactory" / "slot-3"
    assert (group.mode, group.missing) == ("v2", [])
    assert (here / "cpu.max").read_text() == "150000 100000"
    assert (here / "memory.max").read_text() == str(64 * 1024 * 1024)
    assert (here / "pids.max").read_text() == "99"
    assert group.procs_files() == [str(here / "cgroup.procs")]


def test_version_2_usage_and_ends_are_read_from_its_own_files(tree: Path) -> None:
    group = cgroup.Group("slot-3")
    group.create(cpus=1, memory_mib=64, pids=99)
    here = tree / "imagefactory" / "slot-3"
    assert (group.out_of_memory(), group.refused_forks()) == (False, 0)
    (here / "cpu.stat").write_text("usage_usec 2500000\nuser_usec 1\n")
    (here / "memory.stat").write_text("anon 4096\nfile 99\nkernel 1024\n")
    (here / "pids.current").write_text("7\n")
    (here / "io.stat").write_text("7:1 rbytes=10 wbytes=20 rios=1\n8:0 rbytes=1 wbytes=2\n")
    (here / "memory.events").write_text("low 0\noom 1\noom_kill 1\n")
    (here / "pids.events").write_text("max 5\n")
    assert group.sample() == cgroup.Sample(cpu_ms=2500, memory=5120, pids=7, read=11, written=22)
    assert (group.out_of_memory(), group.refused_forks()) == (True, 5)


def test_a_limit_that_could_not_be_set_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroup, "ROOT", tmp_path)
    group = cgroup.Group("slot-3")
    group.create(cpus=1, memory_mib=64, pids=99)
    assert group.mode == "none"
    assert group.missing == ["cpu limit", "memory limit", "process limit"]


def test_a_process_of_another_namespace_is_not_taken_for_our_own_group(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = cgroup.Group("slot-3")
    group.create(cpus=1, memory_mib=64, pids=99)
    (tree / "imagefactory" / "slot-3" / "cgroup.procs").write_text("0\n12\n0\n")
    killed: list[int] = []
    monkeypatch.setattr("os.kill", lambda pid, _: killed.append(pid))
    group.destroy(seconds=0)
    assert set(killed) == {12}
