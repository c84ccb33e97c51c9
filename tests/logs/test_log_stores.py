"""The contract of log stores, kept by the one in memory and the one in files alike."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from imagefactory.adapters.logs import base
from imagefactory.adapters.logs.base import Line, LogStore
from imagefactory.adapters.logs.fake import MemoryLogStore
from imagefactory.adapters.logs.files import FileLogStore

RUN = "0190c1a2-1111-7000-8000-0000000000ab"


@pytest.fixture(params=["memory", "files"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> LogStore:
    return MemoryLogStore(20_000_000) if request.param == "memory" else FileLogStore(tmp_path, 20_000_000)


def some(first: int, count: int, text: str = "line") -> list[Line]:
    return [Line(n, 1_700_000_000_000 + n, "build", "out", f"{text} {n}") for n in range(first, first + count)]


def test_lines_come_back_as_they_were_and_in_order(store: LogStore) -> None:
    lines = [
        Line(1, 5, "fetch", "note", "tab\there \x1b[31mred\x1b[0m Grüße ✓"),
        Line(2, 6, "build", "err", ""),
        Line(3, 7, "build", "out", "\t"),
    ]
    assert store.append(RUN, 1, lines) == 4
    assert store.read(RUN) == lines
    assert store.tail(RUN, 2) == lines[1:]
    assert store.count(RUN) == 3
    assert store.size(RUN) == store.state(RUN).size > 40


def test_reading_begins_behind_any_line_and_stops_at_the_limit(store: LogStore) -> None:
    for first in range(1, 5001, 500):
        store.append(RUN, first, some(first, 500))
    for after in (0, 1, 1022, 1023, 1024, 1025, 2047, 2048, 4095, 4998, 4999):
        assert [line.number for line in store.read(RUN, after, 2)] == [n for n in (after + 1, after + 2) if n <= 5000]
    assert store.read(RUN, 5000) == []
    assert store.read(RUN, 4000, 0) == []
    assert len(store.read(RUN, 0, 1_000_000)) == 5000


def test_lines_sent_again_are_dropped_and_a_hole_is_refused(store: LogStore) -> None:
    store.append(RUN, 1, some(1, 10))
    assert store.append(RUN, 1, some(1, 10)) == 11
    assert store.append(RUN, 6, some(6, 10)) == 16
    with pytest.raises(base.LogGap, match="16 is next") as refused:
        store.append(RUN, 17, some(17, 1))
    assert refused.value.expected == 16
    assert [line.number for line in store.read(RUN)] == list(range(1, 16))


def test_after_the_end_only_known_lines_are_accepted(store: LogStore) -> None:
    store.append(RUN, 1, some(1, 3))
    assert not store.state(RUN).finished
    assert store.finish(RUN, masked=2).finished
    assert store.finish(RUN, masked=9).masked == 2
    assert store.append(RUN, 2, some(2, 2)) == 4
    with pytest.raises(base.LogFinished):
        store.append(RUN, 4, some(4, 1))
    assert store.count(RUN) == 3


def test_an_empty_log_can_be_read_and_finished(store: LogStore) -> None:
    assert store.read(RUN) == store.tail(RUN) == []
    assert store.state(RUN) == base.LogState()
    assert store.search(RUN, "x").total == 0
    assert store.finish(RUN).finished
    assert store.state(RUN).lines == 0


def test_a_deleted_log_is_empty_and_can_begin_again(store: LogStore) -> None:
    store.append(RUN, 1, some(1, 2000))
    store.finish(RUN)
    store.delete(RUN)
    store.delete(RUN)
    assert store.state(RUN) == base.LogState()
    store.append(RUN, 1, some(1, 1))
    assert store.read(RUN) == some(1, 1)


@pytest.mark.parametrize(
    "line",
    [
        Line(2, 0, "build", "out", "x"),
        Line(1, 0, "build", "cut", "x"),
        Line(1, 0, "Build\tx", "out", "x"),
        Line(1, 0, "build", "out", "two\nlines"),
    ],
)
def test_a_line_that_breaks_a_rule_is_refused_and_nothing_is_stored(store: LogStore, line: Line) -> None:
    with pytest.raises(base.LogLineInvalid):
        store.append(RUN, 1, [line])
    assert store.count(RUN) == 0
    store.append(RUN, 1, [line._replace(number=1, stage="build", stream="out", text="x")])
    assert store.count(RUN) == 1


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", "", "x" * 65, "..", "a b c d"])
def test_an_id_that_is_no_plain_name_is_refused(store: LogStore, name: str) -> None:
    with pytest.raises(base.LogError, match="plain ids"):
        store.append(name, 1, some(1, 1))
    with pytest.raises(base.LogError, match="plain ids"):
        store.read(name)


def test_a_line_over_the_limit_is_cut_and_says_so(store: LogStore) -> None:
    store.append(RUN, 1, [Line(1, 0, "build", "out", "ä" * 70_000)])
    text = store.read(RUN)[0].text
    assert len(text.encode()) <= base.MAX_LINE_BYTES
    assert text.endswith("more bytes of this line were cut]")
    assert store.count(RUN) == 1


def test_past_the_limit_one_line_says_that_the_log_is_cut(tmp_path: Path) -> None:
    for store in (MemoryLogStore(10_000), FileLogStore(tmp_path, 10_000)):
        for first in range(1, 1001, 100):
            assert store.append(RUN, first, some(first, 100)) == first + 100
        lines = store.read(RUN)
        assert [line.stream for line in lines[-2:]] == ["out", "cut"]
        assert "limit of" in lines[-1].text
        assert store.size(RUN) < 10_200
        assert store.state(RUN).truncated
        assert store.finish(RUN).truncated
        assert store.count(RUN) == len(lines) < 400


def test_search_sees_the_whole_log_and_counts_every_match(store: LogStore) -> None:
    lines = some(1, 3000)
    lines[1499] = lines[1499]._replace(text="\x1b[1mER\x1b[31mROR\x1b[0m: no such file")
    store.append(RUN, 1, lines)
    assert [line.number for line in store.search(RUN, "error: no").lines] == [1500]
    assert store.search(RUN, "error: no", case=True).total == 0
    found = store.search(RUN, "LINE", limit=10)
    assert (found.total, len(found.lines), found.complete) == (2999, 10, True)
    by_expression = store.search(RUN, r"line (7|29)99$", regex=True)
    assert [line.number for line in by_expression.lines] == [799, 2999]
    assert store.search(RUN, r"line (7|29)99$").total == 0
    assert store.search(RUN, "err", regex=True, case=True).total == 0


@pytest.mark.parametrize(("pattern", "regex"), [("", False), ("x" * 513, False), ("(", True), ("a\nb", False)])
def test_a_search_that_means_nothing_is_refused_with_a_sentence(store: LogStore, pattern: str, *, regex: bool) -> None:
    with pytest.raises(base.PatternInvalid):
        store.search(RUN, pattern, regex=regex)


def test_a_hopeless_expression_is_stopped_in_time(tmp_path: Path) -> None:
    store = FileLogStore(tmp_path)
    store.append(RUN, 1, [Line(1, 0, "build", "out", "aaa"), Line(2, 0, "build", "out", "a" * 60 + "!")])
    began = time.monotonic()
    found = store.search(RUN, r"^(a+)+$", regex=True, seconds=0.5)
    assert time.monotonic() - began < 5
    assert not found.complete
    assert [line.number for line in found.lines] == [1]
