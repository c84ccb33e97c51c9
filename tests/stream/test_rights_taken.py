"""A right that is taken while a stream is open: nothing that was said afterwards is sent, however long the grant."""

from __future__ import annotations

import asyncio
import functools
import json
import uuid
from typing import Any

import pytest

from imagefactory.adapters.logs.base import Line
from imagefactory.entry.stream.grants import Ask, HttpGrants, Refusal
from imagefactory.entry.stream.live import LiveHub
from tests.stream.stream_world import Database, Stream, Viewer, Web

PERSON = "user:1"


def notice(number: int, kind: str, *topics: str) -> str:
    return json.dumps({"id": number, "topics": topics, "type": kind, "data": {}})


def test_a_page_hears_nothing_of_a_project_after_the_role_in_it_was_taken(
    stream: Stream, web: Web, database: Database
) -> None:
    web.allow(topics=["project:1", "project:2"], person=PERSON, expires_in=300)
    stream.start()
    viewer = Viewer(stream.socket, "/live")

    async def look() -> list[Any]:
        async with viewer.open() as events:
            await viewer.until("hello", events)
            database.say("live", notice(1, "build.started", "project:1"))
            got = await viewer.until("build.started", events)
            web.allow(topics=["project:2"], person=PERSON, expires_in=300)
            database.say("live", notice(2, "member.role_set", "project:1", PERSON))
            database.say("live", notice(3, "build.created", "project:1"))
            database.say("live", notice(4, "build.failed", "project:2"))
            return got + await viewer.until("build.failed", events)

    assert [event.kind for event in asyncio.run(look())] == ["build.started", "reset", "build.failed"]


@pytest.mark.parametrize("lines", [0, 3])
def test_a_log_ends_when_the_role_was_taken(stream: Stream, web: Web, database: Database, lines: int) -> None:
    run = str(uuid.uuid4()) if lines else None
    web.allow(run, person=PERSON, expires_in=300)
    stream.start()
    if run:
        stream.store.append(run, 1, [Line(n, n, "build", "out", "text") for n in range(1, lines + 1)])
    viewer = Viewer(stream.socket, "/api/v1/builds/0190c1a2/logs/stream")

    async def look() -> list[Any]:
        async with viewer.open() as events:
            await viewer.until("lines" if run else "waiting", events)
            web.refuse(404, "not_found")
            database.say("live", notice(1, "member.role_set", PERSON))
            return await viewer.until("denied", events)

    assert asyncio.run(look())[-1].data["code"] == "not_found"


def test_others_keep_their_grant_and_a_sign_in_ends_none() -> None:
    forgotten: list[int] = []
    ended: list[str] = []
    hub = LiveHub(forget=lambda: forgotten.append(1))
    for person in (PERSON, "user:2"):
        hub.rights[person] = {functools.partial(ended.append, person)}
    hub.heard(notice(1, "member.signed_in", PERSON))
    hub.heard(notice(2, "build.started", PERSON))
    assert (ended, forgotten) == ([], [])
    hub.heard(notice(3, "member.api_key_revoked", PERSON))
    assert (ended, forgotten) == ([PERSON], [1])


def test_no_answer_from_before_the_change_serves_a_new_stream(web: Web) -> None:
    web.allow(topics=["project:1"], person=PERSON)

    async def look() -> list[bool]:
        grants, question = HttpGrants(str(web.path), keep=3600), Ask("/live", (("cookie", "session=1"),))
        answers = [await grants.ask(question)]
        web.refuse(401, "unauthorized")
        answers.append(await grants.ask(question))
        grants.forget()
        answers.append(await grants.ask(question))
        await grants.close()
        return [isinstance(answer, Refusal) for answer in answers]

    assert asyncio.run(look()) == [False, False, True]
