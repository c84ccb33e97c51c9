"""Searches with hostile patterns: however many, they leave web the rest of its threads."""

from __future__ import annotations

import concurrent.futures
from pathlib import Path

import pytest

from imagefactory.adapters.logs.base import Line, PatternInvalid
from imagefactory.adapters.logs.files import FileLogStore
from imagefactory.adapters.logs.scan import AT_ONCE

HOSTILE = "(a|a)*b"  # twice the time for each more letter


def test_only_so_many_patterns_run_at_once_and_text_is_searched_meanwhile(tmp_path: Path) -> None:
    store = FileLogStore(tmp_path)
    store.append("build-1", 1, [Line(1, 1, "build", "out", "a" * 200)])

    def search(_: int) -> bool:
        return store.search("build-1", HOSTILE, regex=True, seconds=5).complete

    with concurrent.futures.ThreadPoolExecutor(AT_ONCE + 4) as threads:
        asked = [threads.submit(search, n) for n in range(AT_ONCE + 4)]
        refused = [each for each in asked if isinstance(each.exception(), PatternInvalid)]
        assert store.search("build-1", "aaa").total == 1
    assert ["Try again in a moment" in str(each.exception()) for each in refused] == [True] * 4
    assert [each.result() for each in asked if each not in refused] == [False] * AT_ONCE
    with pytest.raises(PatternInvalid):
        store.search("build-1", "(", regex=True)
    assert store.search("build-1", "a+", regex=True).total == 1  # the room is free again
