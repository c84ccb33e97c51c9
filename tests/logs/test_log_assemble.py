"""From the bytes of a process to lines."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from imagefactory.adapters.logs.assemble import CONTINUED, Assembler
from imagefactory.adapters.logs.base import MAX_LINE_BYTES, Line
from imagefactory.adapters.logs.masking import Masker


def texts(lines: list[Line]) -> list[str]:
    return [line.text for line in lines]


def feed(data: bytes, cuts: list[int], assembler: Assembler | None = None, step_ms: int = 0) -> list[Line]:
    assembler = assembler or Assembler()
    marks = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    lines: list[Line] = []
    for turn, (start, end) in enumerate(itertools.pairwise(marks)):
        lines += assembler.feed("out", data[start:end], 1000 + turn * step_ms)
    return lines + assembler.end(1000 + len(marks) * step_ms)


@given(data=st.text("aä✓\n\r\x00\x1b[3m0;", max_size=60), cuts=st.lists(st.integers(0, 120), max_size=10))
@settings(max_examples=400, deadline=None)
def test_wherever_bytes_are_cut_the_finished_lines_are_the_same(data: str, cuts: list[int]) -> None:
    raw = data.encode()
    whole, pieces = feed(raw, []), feed(raw, cuts)
    progress = "\r" in data  # which states of a rewritten line are shown depends on when they come
    if not progress:
        assert pieces == whole
    assert [line.number for line in pieces] == list(range(1, len(pieces) + 1))
    assert not any(c in line.text for line in pieces for c in "\n\r\x00")


@given(cuts=st.lists(st.integers(0, 80), max_size=12))
@settings(max_examples=200, deadline=None)
def test_a_secret_hidden_by_control_characters_or_cuts_does_not_leave(cuts: list[int]) -> None:
    data = b"token=hun\x00ter\x0722sec\x7fret\nhunter22secret hunter22\nsecret\n"
    lines = feed(data, cuts, Assembler(Masker(["hunter22secret"])))
    assert texts(lines) == ["token=***", "*** hunter22", "secret"]


def test_carriage_return_and_line_feed_are_one_line_end() -> None:
    for cuts in ([], [3], [4], [3, 4]):
        assert texts(feed(b"one\r\ntwo\r\r\n\r\nthree", cuts)) == ["one", "two", "", "three"]


def test_a_progress_bar_leaves_few_lines_and_its_last_state() -> None:
    assembler = Assembler(progress_ms=200)
    lines: list[Line] = []
    for n in range(10_000):  # ten seconds, a state each millisecond
        lines += assembler.feed("out", f"\r{n / 100:.2f} %".encode(), n)
    lines += assembler.feed("out", b"\ndone\n", 10_000)
    assert 45 <= len(lines) <= 55
    assert texts(lines)[-2:] == ["99.99 %", "done"]
    assert len(set(texts(lines))) == len(lines), "no state is shown twice"


def test_progress_with_the_carriage_return_behind_works_as_well() -> None:
    assembler = Assembler(progress_ms=200)
    lines: list[Line] = []
    for n in range(1000):
        lines += assembler.feed("err", f"{n}\r".encode(), n)
    lines += assembler.feed("err", b"finished\n", 1000)
    assert 4 <= len(lines) <= 8
    assert texts(lines)[-1] == "finished"


def test_an_erased_line_keeps_what_it_said() -> None:
    assert texts(feed(b"100 %\r\x1b[K\nnext\n", [])) == ["100 %", "next"]


def test_a_prompt_without_line_end_is_shown_after_a_while() -> None:
    assembler = Assembler(flush_ms=1000)
    assert assembler.feed("out", b"Continue? ", 0) == []
    assert assembler.tick(900) == []
    assert texts(assembler.tick(1000)) == ["Continue? "]
    assert texts(assembler.feed("out", b"yes\n", 1100)) == ["yes"]


def test_half_a_secret_is_not_shown_by_waiting() -> None:
    assembler = Assembler(Masker(["hunter22secret"]))
    assert assembler.feed("out", b"x hunter22", 0) == []
    assert texts(assembler.tick(5000)) == ["x "]
    assert texts(assembler.feed("out", b"secret\n", 6000)) == ["***"]


def test_long_lines_are_split_with_a_mark_and_nothing_is_lost() -> None:
    data = "ä✓x".encode() * 60_000
    for cuts in ([], list(range(0, len(data), 4096))):
        lines = texts(feed(data + b"\nshort\n", cuts))
        assert all(len(text.encode()) <= MAX_LINE_BYTES for text in lines)
        assert len(lines) > 3
        assert all(text.endswith(CONTINUED) for text in lines[:-2])
        assert "".join(text.removesuffix(CONTINUED) for text in lines[:-1]).encode() == data
        assert lines[-1] == "short"


def test_colours_stay_and_everything_that_moves_a_terminal_goes() -> None:
    data = b"\x1b[1;31mred\x1b[0m \x1b]0;title\x07\x1b[2J\x1b[5Aup\x1b(B\x1b]8;;x\x1b\\link \xc2\x9b31m\xff\n"
    text = texts(feed(data, []))[0]
    assert text.startswith("\x1b[1;31mred\x1b[0m ")
    assert text.replace("\x1b[1;31m", "").replace("\x1b[0m", "").count("\x1b") == 0
    assert "\x9b" not in text
    assert text.endswith("�")


def test_text_behind_a_terminal_title_is_kept() -> None:
    assert texts(feed(b"a\x1b]0;title\x07b\n", [])) == ["ab"]


def test_lines_carry_stage_stream_time_and_one_sequence_of_numbers() -> None:
    assembler = Assembler(first_number=5)
    lines = assembler.enter("fetch", 1)
    lines += assembler.note("Fetching.\nStill.", 2)
    lines += assembler.feed("err", b"warning\npart", 3)
    lines += assembler.enter("build", 4)
    lines += assembler.feed("out", b"ok\n", 5)
    assert lines == [
        Line(5, 2, "fetch", "note", "Fetching."),
        Line(6, 2, "fetch", "note", "Still."),
        Line(7, 3, "fetch", "err", "warning"),
        Line(8, 4, "fetch", "err", "part"),
        Line(9, 5, "build", "out", "ok"),
    ]
    assert assembler.next_number == 10
