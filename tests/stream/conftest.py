"""What the stream tests stand on: a real PostgreSQL, a real granian, and a web process that can refuse."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from imagefactory.adapters.postgres import temporary
from tests.stream.stream_world import Database, Stream, Web


@pytest.fixture(scope="session")
def database() -> Iterator[Database]:
    with temporary.temporary() as place:
        yield (server := Database(place))
        server.stop()


@pytest.fixture
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    with Web(tmp_path_factory.mktemp("w") / "web.sock") as server:
        yield server


@pytest.fixture
def stream(tmp_path_factory: pytest.TempPathFactory, database: Database, web: Web) -> Iterator[Stream]:
    process = Stream(tmp_path_factory.mktemp("s"), database, web)
    yield process
    process.stop()
