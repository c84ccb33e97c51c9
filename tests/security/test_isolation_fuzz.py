"""Everything that names something of another tenant, tried in every place that takes a name, as each role of one's own tenant.

Whatever is answered must be what a name that never existed gets: the same status, the same bytes, the same number of queries,
and nowhere a mark of the other tenant. The second wall is down here, so that the selectors are what is tested; the wall by
itself is tested in test_walls.py. Seeded and bounded; `ISOLATION_SEED` tries another order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests import walled
from tests.security.callers import CALLERS, Asker, unlooked
from tests.security.planted import make_planted, never, settled, without_echo
from tests.security.questions import SEED, Question, Room, api_questions, machine_questions, page_questions

ROLES = ("owner", "admin", "member", "viewer", "member of the team without a role", "key that starts builds")


def _look(question: Question, value: str) -> tuple[Any, int]:
    connection.queries_log.clear()  # it is bounded
    with CaptureQueriesContext(connection) as queries:
        answer = question.ask(value)
    if not hasattr(answer, "body"):
        answer.body = answer.getvalue()
    return answer, len(queries)


def _headers(answer: Any) -> bytes:
    return "\n".join(
        f"{k}: {v}" for k, v in answer.headers.items() if k not in {"Content-Length", "X-Request-ID"}
    ).encode()


def _differs(room: Room, question: Question, value: str) -> str:
    """Return how an answer about the other tenant's differs from one about what never was; empty when it does not."""
    nothing = never(value)
    (theirs, many), (none, few) = _look(question, value), _look(question, nothing)
    if theirs.status_code != none.status_code:
        return f"status {theirs.status_code}, and {none.status_code} for what never was"
    if theirs.status_code >= 500:
        return f"status {theirs.status_code}"
    mine, other = (settled(_headers(a) + a.body, value, nothing) for a in (theirs, none))
    if mine != other:
        at = next((i for i, (a, b) in enumerate(zip(mine, other, strict=False)) if a != b), 0)
        return f"another answer: {mine[max(0, at - 80) : at + 120]!r} and {other[max(0, at - 80) : at + 120]!r}"
    said = without_echo(theirs.body + _headers(theirs), value).lower()
    if told := [tell for tell in room.planted.tells if tell.encode() in said]:
        return f"it says {told[:3]}"
    if many != few:  # something may have been looked up for the first time, which the second look does not
        (_, few), (_, many) = _look(question, nothing), _look(question, value)
    return f"{many} queries, and {few} for what never was" if many != few else ""


DOORS: dict[str, Callable[[Room], Iterator[Question]]] = {
    "api": api_questions, "pages": page_questions, "machines": machine_questions,
}  # fmt: skip


@pytest.fixture
def lowered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walled, "SERVING_ROLE", "owner")


@pytest.mark.parametrize("role", ROLES)
def test_nothing_tells_anothers_from_what_never_was(db: None, lowered: None, role: str) -> None:
    room = Room(next(c for c in CALLERS if c.name == role))
    before, changed, wrong = room.planted.fingerprint(), list[str](), list[str]()

    def unchanged(answer: Any) -> None:
        if answer.status_code < 400 and room.planted.fingerprint() != before:
            changed.append(f"{answer.request['REQUEST_METHOD']} {answer.request['PATH_INFO']}")

    asked = dict.fromkeys(DOORS, 0)
    for door, questions in DOORS.items():
        for question in () if door == "pages" and room.caller.by_key else questions(room):
            room.asker.inspect = unchanged if question.writes else unlooked
            for value in question.values if len(wrong) < 25 else ():
                asked[door] += 1
                if how := _differs(room, question, value):
                    wrong.append(f"{question.where} = {value}: {how}")
    assert not changed, f"ISOLATION_SEED={SEED}: {changed}"
    assert not wrong, f"ISOLATION_SEED={SEED}: {len(wrong)} of {asked}:\n" + "\n".join(wrong[:25])
    assert all(count > 20 for door, count in asked.items() if not (door == "pages" and room.caller.by_key))


def test_the_marks_are_there_to_be_found(db: None, lowered: None) -> None:
    """The other tenant's owner does see them: nothing above passes because there was nothing to see."""
    planted = make_planted()
    owner, seen = Asker(CALLERS[0], planted.place), b""
    names = planted.place.names
    for path in (
        "/projects",
        "/builds",
        "/images",
        "/auth/me",
        f"/builds/{names['build_id']}",
        f"/projects/{names['project']}/credentials",
    ):
        seen += owner.call("GET", path).body
    assert all(tell.encode() in seen for tell in planted.tells[:2])
    grant = owner.browser.get(f"/internal/stream-grant?path=/live%3Ftopics%3Dbuild:{names['build_id']}").json()
    assert grant["topics"] == [f"build:{names['build_id']}"]
    assert never(names["build_id"]) != names["build_id"]
