"""What only files can suffer: killed writers, torn lines, lost indexes, full disks, readers in other
processes.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from imagefactory.adapters.logs import base
from imagefactory.adapters.logs.base import Line
from imagefactory.adapters.logs.file_format import EVERY
from imagefactory.adapters.logs.files import FileLogStore

RUN = "0190c1a2-1111-7000-8000-0000000000ab"

# Appends batches of 7 lines for ever, telling after each what is acknowledged.
WRITER = f"""
import sys
from pathlib import Path
from imagefactory.adapters.logs.base import Line
from imagefactory.adapters.logs.files import FileLogStore
store, n = FileLogStore(Path(sys.argv[1])), 1
while True:
    n = store.append("{RUN}", n, [Line(i, i, "build", "out", "text " * (i % 50)) for i in range(n, n + 7)])
    print(n, flush=True)
"""


def some(first: int, count: int) -> list[Line]:
    return [Line(n, n, "build", "out", "text " * (n % 50)) for n in range(first, first + count)]


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def writer(place: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(place)], stdout=subprocess.PIPE, text=True, env=environment
    )


def test_a_killed_writer_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    for _ in range(3):
        with writer(tmp_path) as child:
            assert child.stdout is not None
            for _ in range(400):
                said = child.stdout.readline()
            child.send_signal(signal.SIGKILL)
            rest = child.stdout.read()
        complete = [row for row in (said + rest).split("\n")[:-1] if row]
        assert FileLogStore(tmp_path).count(RUN) >= int(complete[-1]) - 1
        store = FileLogStore(tmp_path)
        expected = store.append(RUN, 1, some(1, 1))
        assert store.append(RUN, expected, some(expected, 1)) == expected + 1
        lines, after = [], 0
        while page := store.read(RUN, after, 5000):
            lines += page
            after = page[-1].number
        assert lines == some(1, expected)
        store.delete(RUN)


def test_a_reader_in_another_process_sees_whole_lines_only(tmp_path: Path) -> None:
    reader = FileLogStore(tmp_path)
    with writer(tmp_path) as child:
        after = 0
        while after < 5000:
            page = reader.read(RUN, after, 1000)
            assert page == some(after + 1, len(page))
            after += len(page)
            assert reader.count(RUN) >= after
        child.kill()


@pytest.mark.parametrize("keep", [1, 5, 9, 15])
def test_a_torn_last_line_is_invisible_and_repaired_at_the_next_append(tmp_path: Path, keep: int) -> None:
    store = FileLogStore(tmp_path)
    store.append(RUN, 1, some(1, 100))
    store.close()
    path = store.path(RUN)
    whole = path.read_bytes()
    path.write_bytes(whole + b"101\t101\tbuild\tout\ttorn"[:keep])
    again = FileLogStore(tmp_path)
    assert again.count(RUN) == 100
    assert again.read(RUN) == some(1, 100)
    again.append(RUN, 101, some(101, 1))
    assert path.read_bytes().startswith(whole)
    assert again.read(RUN) == some(1, 101)


def test_zeros_after_a_power_cut_are_cut_off(tmp_path: Path) -> None:
    store = FileLogStore(tmp_path)
    store.append(RUN, 1, some(1, 3000))
    store.close()
    with store.path(RUN).open("ab") as log:
        log.write(bytes(5000) + b"\n" + bytes(10))
    again = FileLogStore(tmp_path)
    assert again.append(RUN, 3001, some(3001, 1)) == 3002
    assert again.read(RUN, 2990) == some(2991, 11)


@pytest.mark.parametrize("damage", ["gone", "short", "nonsense", "ahead"])
def test_the_index_is_only_a_help(tmp_path: Path, damage: str) -> None:
    store = FileLogStore(tmp_path)
    for first in range(1, 5001, 100):
        store.append(RUN, first, some(first, 100))
    store.close()
    index = store.path(RUN).with_suffix(".idx")
    good = index.read_bytes()
    assert len(good) == 8 * (5000 // EVERY)
    if damage == "gone":
        index.unlink()
    else:
        new = {"short": good[:13], "nonsense": b"\xff" * 40, "ahead": good + (1 << 40).to_bytes(8, "little")}[damage]
        index.write_bytes(new)
    again = FileLogStore(tmp_path)
    assert again.read(RUN, 4500, 10) == some(4501, 10)
    again.append(RUN, 5001, some(5001, 200))
    assert again.read(RUN, 5119, 2) == some(5120, 2)
    assert index.read_bytes() == good + index.read_bytes()[len(good) :]
    assert len(index.read_bytes()) == 8 * (5200 // EVERY)


def test_two_processes_cannot_mix_their_lines(tmp_path: Path) -> None:
    first, second = FileLogStore(tmp_path), FileLogStore(tmp_path)
    first.append(RUN, 1, some(1, 10))
    assert second.append(RUN, 6, some(6, 10)) == 16
    assert first.append(RUN, 11, some(11, 10)) == 21
    assert first.read(RUN) == some(1, 20)


def test_a_disk_that_is_full_refuses_with_a_sentence_and_leaves_whole_lines(tmp_path: Path) -> None:
    store = FileLogStore(tmp_path)
    store.append(RUN, 1, some(1, 10))
    size = store.size(RUN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(
        resource.RLIMIT_FSIZE, (size + 500, hard)
    )  # stands for a full disk: a short write, then an error
    try:
        with pytest.raises(base.LogError, match="Free space"):
            store.append(RUN, 11, some(11, 100))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert store.size(RUN) == size
    assert store.append(RUN, 11, some(11, 100)) == 111
    assert store.read(RUN) == some(1, 110)


def test_files_stay_few_however_many_logs_are_written(tmp_path: Path) -> None:
    store = FileLogStore(tmp_path)
    before = open_files()
    for n in range(600):
        store.append(f"run-{n:04d}", 1, some(1, 1))
    assert open_files() - before < 2 * 520
    assert all(store.append(f"run-{n:04d}", 2, some(2, 1)) == 3 for n in range(600))
    store.close()
    assert open_files() == before
