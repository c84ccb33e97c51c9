"""Live logs through a real granian: delivered, resumed, bounded, and ended when the right is taken back."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
import uuid

import pytest

from imagefactory.adapters.logs.base import Line
from imagefactory.adapters.logs.notify import LogNotifier
from tests.stream.stream_world import Database, Event, Stream, Viewer, Web, ask, numbers

PATH = "/api/v1/builds/0190c1a2/logs/stream?attempt=1"


def some(first: int, count: int, text: str = "text") -> list[Line]:
    return [Line(n, 1000 + n, "build", "out", f"{text} {n}") for n in range(first, first + count)]


@pytest.fixture
def run() -> str:
    return str(uuid.uuid4())


def test_lines_arrive_live_by_notice_and_the_stream_ends_with_the_log(
    stream: Stream, web: Web, database: Database, run: str
) -> None:
    web.allow(run)
    stream.start()
    stream.store.append(run, 1, some(1, 3))
    notifier = LogNotifier(database.conninfo)

    async def look() -> list[Event]:
        viewer = Viewer(stream.socket, PATH, authorization="Bearer x", x_tenant_id="acme", cookie="s=1")
        async with viewer.open() as events:
            got = await viewer.until("lines", events)
            for first in range(4, 30, 5):
                began = time.monotonic()
                stream.store.append(run, first, some(first, 5))
                notifier.touch(run)
                got += await viewer.until("lines", events)
                assert time.monotonic() - began < 0.7, "the poll would have taken up to a second"
            stream.store.finish(run, masked=3)
            notifier.touch(run)
            return got + await viewer.until("end", events)

    got = asyncio.run(look())
    notifier.close()
    assert got[0].kind == "start"
    assert got[0].data == {"execution_id": run, "attempt": 1}
    assert numbers(got) == list(range(1, 34))
    assert got[1].data[0] == [1, 1001, "build", "out", "text 1"]
    assert [event.id for event in got if event.kind == "lines"][-1] == "33"
    assert got[-1].data == {"lines": 33, "complete": True, "truncated": False, "masked": 3}
    path, headers = web.asked[0]
    assert path == PATH
    assert (headers["authorization"], headers["x-tenant-id"], headers["cookie"]) == (
        "Bearer x",
        "acme",
        "s=1",
    )


def test_a_viewer_resumes_without_loss_or_repetition_when_the_process_is_killed(
    stream: Stream, web: Web, database: Database, run: str
) -> None:
    web.allow(run)
    stream.start()
    notifier = LogNotifier(database.conninfo)
    viewer = Viewer(stream.socket, PATH)

    async def produce() -> None:
        for first in range(1, 4001, 20):
            await asyncio.to_thread(stream.store.append, run, first, some(first, 20))
            notifier.touch(run)
            await asyncio.sleep(0.01)
        stream.store.finish(run)
        notifier.touch(run)

    async def look() -> list[Event]:
        got: list[Event] = []
        writing = asyncio.create_task(produce())
        for restart in (True, True, False):
            async with viewer.open() as events:
                async for event in events:
                    got.append(event)
                    if restart and len(numbers(got)) > 500 * (1 + len([e for e in got if e.kind == "start"])):
                        break
            if restart:
                await asyncio.to_thread(stream.stop, signal.SIGKILL)
                await asyncio.to_thread(stream.start)
        await writing
        return got

    got = asyncio.run(look())
    notifier.close()
    assert numbers(got) == list(range(1, 4001))
    assert got[-1].kind == "end"
    assert [event.kind for event in got].count("start") == 3


def test_a_database_restart_costs_delay_and_no_lines(stream: Stream, web: Web, database: Database, run: str) -> None:
    web.allow(run)
    stream.start()
    stream.store.append(run, 1, some(1, 1))
    notifier = LogNotifier(database.conninfo)
    notifier.touch(run)

    async def look() -> list[Event]:
        viewer = Viewer(stream.socket, PATH)
        async with viewer.open() as events:
            got = await viewer.until("lines", events)
            await asyncio.to_thread(database.stop)
            stream.store.append(run, 2, some(2, 1))
            notifier.touch(run)
            got += await viewer.until("lines", events, 5)  # the poll brings it, without a database
            assert stream.health()["listening"] is False
            await asyncio.to_thread(database.start)
            await asyncio.to_thread(stream.wait, lambda: stream.health()["listening"] is True, "LISTEN to be back")
            for number in range(3, 8):
                began = time.monotonic()
                stream.store.append(run, number, some(number, 1))
                notifier.touch(run)
                got += await viewer.until("lines", events, 5)
                quick = time.monotonic() - began < 0.5
            assert quick, "notices work again"
            return got

    assert numbers(asyncio.run(look())) == list(range(1, 8))
    notifier.close()
    assert database.listeners() == 1


def test_two_hundred_viewers_get_every_line_over_one_listening_connection(
    stream: Stream, web: Web, database: Database, run: str
) -> None:
    web.allow(run)
    stream.start()
    notifier = LogNotifier(database.conninfo)
    stream.store.append(run, 1, some(1, 50))

    async def one(ready: asyncio.Semaphore) -> list[int]:
        viewer = Viewer(stream.socket, PATH)
        async with viewer.open() as events:
            got = await viewer.until("lines", events, 60)
            ready.release()
            return numbers(got + await viewer.until("end", events, 60))

    async def look() -> list[list[int]]:
        ready = asyncio.Semaphore(0)
        viewers = [asyncio.create_task(one(ready)) for _ in range(200)]
        for _ in viewers:
            await ready.acquire()
        assert (await asyncio.to_thread(stream.health))["connections"] == 200
        for first in range(51, 1051, 50):
            stream.store.append(run, first, some(first, 50))
            notifier.touch(run)
            await asyncio.sleep(0.02)
        stream.store.finish(run)
        notifier.touch(run)
        return await asyncio.gather(*viewers)

    assert asyncio.run(look()) == [list(range(1, 1051))] * 200
    notifier.close()
    assert database.listeners() == 1
    assert len(web.asked) < 30, "the same question is asked once for all"
    stream.wait(lambda: stream.health()["connections"] == 0, "all connections to be counted out")


def test_a_slow_reader_holds_up_only_itself_and_fills_no_memory(stream: Stream, web: Web, run: str) -> None:
    web.allow(run)
    stream.start()
    slow = socket.socket(socket.AF_UNIX)
    slow.connect(str(stream.socket))
    slow.sendall(f"GET {PATH} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
    stream.store.append(run, 1, some(1, 10))

    async def look() -> list[int]:
        viewer = Viewer(stream.socket, PATH)
        async with viewer.open() as events:
            got = await viewer.until("lines", events)
            before = stream.memory()
            for first in range(11, 60_011, 1000):  # 60 MB
                await asyncio.to_thread(stream.store.append, run, first, some(first, 1000, "x" * 1000))
            stream.store.finish(run)
            got += await viewer.until("end", events, 60)
            assert stream.memory() - before < 40_000_000
            return numbers(got)

    assert asyncio.run(look()) == list(range(1, 60_011))
    slow.settimeout(20)
    received = 0
    tail = b""
    while b"event: end" not in tail:  # it still gets everything, from the file
        data = slow.recv(1 << 20)
        assert data, "the slow reader was dropped before it had all"
        received += len(data)
        tail = (tail + data)[-4000:]
    slow.close()
    assert received > 60_000_000


def test_a_right_that_is_taken_back_ends_the_stream(stream: Stream, web: Web, run: str) -> None:
    web.allow(run, expires_in=0.3)
    stream.start()
    stream.store.append(run, 1, some(1, 1))

    async def look() -> list[Event]:
        viewer = Viewer(stream.socket, PATH)
        async with viewer.open() as events:
            got = await viewer.until("lines", events)
            web.refuse(404, "not_found")
            got += await viewer.until("denied", events)
            stream.store.append(run, 2, some(2, 1))
            got += [event async for event in events]
            return got

    got = asyncio.run(look())
    assert got[-1].data == {"code": "not_found", "message": "No."}
    assert numbers(got) == [1]


@pytest.mark.parametrize(("status", "code"), [(401, "unauthorized"), (403, "permission_denied"), (404, "not_found")])
def test_a_refusal_of_web_is_passed_on_as_it_is(stream: Stream, web: Web, status: int, code: str) -> None:
    web.refuse(status, code)
    stream.start()
    got, body, headers = ask(stream.socket, PATH)
    assert (got, body["error"]["code"], headers["content-type"]) == (status, code, "application/json")


def test_answers_other_than_streams_are_envelopes(stream: Stream, web: Web, run: str) -> None:
    stream.start()
    status, body, headers = ask(stream.socket, "/live/nothing/here", x_request_id="req-7")
    assert (status, body["error"]["code"], body["error"]["request_id"]) == (404, "not_found", "req-7")
    assert headers["x-request-id"] == "req-7"
    status, body, headers = ask(stream.socket, PATH, method="POST")
    assert (status, body["error"]["code"], headers["allow"]) == (405, "method_not_allowed", "GET")
    assert ask(stream.socket, "/live", method="HEAD")[0] == 405
    assert web.asked == []
    web.decide = lambda _path, _headers: (500, {})
    status, body, headers = ask(stream.socket, PATH)
    assert (status, body["error"]["code"], headers["retry-after"]) == (503, "unavailable", "2")
    assert set(body["error"]) == {"code", "message", "details", "request_id"}


def test_more_viewers_than_allowed_are_told_to_come_later(stream: Stream, web: Web, run: str) -> None:
    web.allow(run)
    stream.start(connections=2)

    async def look() -> None:
        first, second = Viewer(stream.socket, PATH), Viewer(stream.socket, PATH)
        async with first.open() as one, second.open() as two:
            await first.until("start", one)
            await second.until("start", two)
            status, body, headers = await asyncio.to_thread(ask, stream.socket, PATH)
            assert (status, body["error"]["code"]) == (503, "unavailable")
            assert int(headers["retry-after"]) >= 5

    asyncio.run(look())
    stream.wait(lambda: stream.health()["connections"] == 0, "the places to be free again")
    asyncio.run(look())


def test_a_build_without_an_execution_is_waited_for(stream: Stream, web: Web, database: Database, run: str) -> None:
    web.allow(None, topics=["build:7"])
    stream.start(waiting=30)

    async def look() -> list[Event]:
        viewer = Viewer(stream.socket, PATH)
        async with viewer.open() as events:
            got = await viewer.until("waiting", events)
            stream.store.append(run, 1, some(1, 2))
            stream.store.finish(run)
            web.allow(run, topics=["build:7"])
            database.say("live", '{"id": 1, "topics": ["build:7"], "type": "build.started", "data": {}}')
            return got + await viewer.until("end", events, 5)

    assert [event.kind for event in asyncio.run(look())] == ["waiting", "start", "lines", "end"]


def test_a_log_that_nobody_finished_ends_when_its_execution_is_over(stream: Stream, web: Web, run: str) -> None:
    web.allow(run, finished=True, expires_in=0.3)
    stream.start(quiet=0.5)
    stream.store.append(run, 1, some(1, 2))

    async def look() -> list[Event]:
        viewer = Viewer(stream.socket, PATH)
        async with viewer.open() as events:
            return await viewer.until("end", events, 5)

    got = asyncio.run(look())
    assert numbers(got) == [1, 2]
    assert got[-1].data["complete"] is False


def test_an_idle_stream_beats(stream: Stream, web: Web, run: str) -> None:
    web.allow(run, expires_in=0.2)
    stream.start(heartbeat=0.4)
    viewer = Viewer(stream.socket, PATH)

    async def look() -> None:
        async with viewer.open() as events:
            with pytest.raises(TimeoutError):
                await viewer.until("never", events, 2.1)

    asyncio.run(look())
    assert 3 <= viewer.pings <= 6
