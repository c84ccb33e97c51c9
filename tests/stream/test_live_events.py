"""Page events: delivered where a granted topic fits, resumed by id, reset when something may be missing."""

from __future__ import annotations

import asyncio
import json
import signal

import pytest

from imagefactory.entry.stream.live import LiveHub
from tests.stream.stream_world import Database, Event, Stream, Viewer, Web


def notice(number: int, *topics: str) -> str:
    return json.dumps({"id": number, "topics": topics, "type": "build.started", "data": {"n": number}})


def test_an_event_reaches_those_whose_topics_fit_and_nobody_else(stream: Stream, web: Web, database: Database) -> None:
    web.decide = lambda _, headers: (200, {"topics": headers["cookie"].split(",")})
    stream.start()

    async def look() -> tuple[list[Event], list[Event]]:
        one, two = (Viewer(stream.socket, "/live?topics=x", cookie=c) for c in ("tenant:1,build:7", "tenant:2"))
        async with one.open() as ones, two.open() as twos:
            await one.until("hello", ones)
            await two.until("hello", twos)
            for number, topic in enumerate(["tenant:1", "tenant:2", "build:7", "tenant:3", "tenant:2"], 1):
                database.say("live", notice(number, topic, "project:9"))
            first = await one.until("build.started", ones) + await one.until("build.started", ones)
            return first, await two.until("build.started", twos) + await two.until("build.started", twos)

    first, second = asyncio.run(look())
    assert [event.data["id"] for event in first] == [1, 3]
    assert [event.data["id"] for event in second] == [2, 5]
    assert first[0].data == {"id": 1, "type": "build.started", "data": {"n": 1}}


def test_a_resumed_stream_replays_what_was_missed_and_a_restarted_process_says_reset(
    stream: Stream, web: Web, database: Database
) -> None:
    web.allow(topics=["tenant:1"])
    stream.start()
    viewer = Viewer(stream.socket, "/live")

    async def look() -> list[int]:
        async with viewer.open() as events:
            await viewer.until("hello", events)
            database.say("live", notice(5, "tenant:1"))
            got = await viewer.until("build.started", events)
        for number in (9, 7, 12):  # ids may come out of order: transactions end in any order
            database.say("live", notice(number, "tenant:1"))
        async with viewer.open() as events:
            while len(got) < 4:
                got += await viewer.until("build.started", events)
        await asyncio.to_thread(stream.stop, signal.SIGKILL)
        await asyncio.to_thread(stream.start)
        async with viewer.open() as events:
            reset = await viewer.until("reset", events)
            assert [event.kind for event in reset] == ["reset"]
            database.say("live", notice(20, "tenant:1"))
            got += await viewer.until("build.started", events)
        return [event.data["id"] for event in got]

    assert asyncio.run(look()) == [5, 9, 7, 12, 20]


def test_a_lost_listen_connection_resets_the_pages_that_may_have_missed_something(
    stream: Stream, web: Web, database: Database
) -> None:
    web.allow(topics=["tenant:1"])
    stream.start()

    async def look() -> None:
        viewer = Viewer(stream.socket, "/live")
        async with viewer.open() as events:
            await viewer.until("hello", events)
            await asyncio.to_thread(database.stop)
            await asyncio.to_thread(database.start)
            await viewer.until("reset", events)
            await asyncio.to_thread(stream.wait, lambda: stream.health()["listening"] is True, "LISTEN to be back")
            database.say("live", notice(1, "tenant:1"))
            await viewer.until("build.started", events)

    asyncio.run(look())


def test_nonsense_on_the_channel_does_not_stop_the_listener(stream: Stream, web: Web, database: Database) -> None:
    web.allow(topics=["tenant:1"])
    stream.start()

    async def look() -> None:
        viewer = Viewer(stream.socket, "/live")
        async with viewer.open() as events:
            await viewer.until("hello", events)
            for payload in ("", "nonsense", "{}", '{"id": 1, "topics": [], "type": "x\\ny", "data": {}}'):
                database.say("live", payload)
            database.say("live", notice(1, "tenant:1"))
            await viewer.until("build.started", events)

    asyncio.run(look())


def test_a_page_made_before_an_event_gets_it_by_the_notice_id_it_was_made_with() -> None:
    hub = LiveHub(kept=4)
    for number in (100, 101, 102):
        hub.heard(notice(number, "tenant:1"))
    assert hub.position("101") == 2
    assert hub.position("102") == hub.position("500") == hub.position("") == 3
    assert hub.position("50") is None
    assert [kept.notice_id for kept in hub.since(2) or ()] == [102]


@pytest.mark.parametrize("resume", ["1.ffffffff.1", "1.x", "-1", "nonsense", "1..", "1.{epoch}.99", "1.{epoch}.-1"])
def test_an_id_that_is_not_known_is_a_reset(resume: str) -> None:
    hub = LiveHub()
    hub.heard(notice(7, "tenant:1"))
    assert hub.position(resume.format(epoch=hub.epoch)) is None


def test_the_ring_is_bounded_and_says_when_it_is_left_behind() -> None:
    hub = LiveHub(kept=10)
    for number in range(100):
        hub.heard(notice(number, "tenant:1"))
    assert hub.since(89) is None
    assert len(list(hub.since(90) or ())) == 10
    assert hub.position(f"1.{hub.epoch}.50") is None
