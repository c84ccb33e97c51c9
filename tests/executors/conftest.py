"""A helper for each test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.executors.stand import Stand


@pytest.fixture
def stand() -> Iterator[Stand]:
    made = Stand()
    try:
        made.start()
        yield made
    finally:
        made.remove()
