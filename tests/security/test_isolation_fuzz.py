"""Everything that names something of another tenant, tried in every place that takes a name, as each role of one's own tenant.

Whatever is answered must be what a name that never existed gets: the same status, the same bytes, the same number of queries,
and nowhere a mark of the other tenant. The second wall is down here, so that the selectors are what is tested; the wall by
itself is tested in test_walls.py. Seeded and bounded; `ISOLATION_SEED` tries another order.
"""

from __future__ import annotations

import base64
import dataclasses
import functools
import json
import os
import random
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, urlencode

import jwt
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from imagefactory.domain.identity import services as people
from imagefactory.entry.api.site import api
from imagefactory.entry.web.addresses import Page
from imagefactory.kernel import env
from tests import walled
from tests.conftest import INLINE
from tests.security.callers import CALLERS, Asker, Caller, leave_other_tenants, unlooked
from tests.security.declared import Route, pages, routes
from tests.security.everything import make_everything
from tests.security.planted import Planted, make_planted, never, settled, some, without_echo
from tests.security.samples import BODIES, FORMS, PAGE_QUERIES, QUERIES, filled, names_for

SEED = os.environ.get("ISOLATION_SEED", "1")
ROLES = ("owner", "admin", "member", "viewer", "member of the team without a role", "key that starts builds")
# Names that are one for the whole installation: who takes one learns that it is taken.
TOLD = {("/auth/signup", "tenant_slug"), ("/auth/signup", "email"), ("tenant-new", "slug"), ("signup", "tenant_slug"), ("signup", "email")}  # fmt: skip
# What pages read of an address besides the names in its path, and of forms besides what the samples send.
PAGE_NAMES = (
    "after",
    "at",
    "attempt",
    "before",
    "case",
    "from",
    "next",
    "q",
    "regex",
    "stage",
    "tenant",
    "limit",
    "project",
    "status",
)
FORM_NAMES = (
    "credential",
    "credential_id",
    "upload",
    "upload_id",
    "project",
    "tenant",
    "next",
    "ids",
    "scopes",
    "key_id",
)
EVERY, MANY, FEW = 10_000, 6, 2


@dataclasses.dataclass(frozen=True)
class Question:
    """One place that takes a name. `ask` puts a value there and sends the request."""

    where: str
    ask: Callable[[str], Any]
    values: list[str]


class Room:
    """Two tenants, and somebody of the first who asks about the second."""

    def __init__(self, caller: Caller) -> None:
        self.caller, self.place = caller, make_everything("a")
        leave_other_tenants(self.place.world)
        self.planted: Planted = make_planted()
        self.asker = Asker(caller, self.place)
        self.own = self.place.own(self.asker.actor())
        self.dice = random.Random(f"{SEED} {caller.name}")
        # The owner asks everything; where the others are refused, fewer values say the same.
        self.thorough = caller.name == "owner"

    def values(self, *, uuids: bool, texts: bool, most: int) -> list[str]:
        chosen = (some(self.dice, self.planted.uuids, most) if uuids else []) + (
            some(self.dice, self.planted.texts, most) if texts else []
        )
        return chosen if self.thorough else some(self.dice, chosen, FEW)

    def one(self) -> list[str]:
        return [self.dice.choice((*self.planted.uuids, *self.planted.texts))]


def _in_path(room: Room, template: str, names: dict[str, Any], name: str, value: str) -> str:
    return str(filled(template, names | {name: quote(value, safe="" if name != "name" else "/")}))


def _api_path_questions(room: Room, route: Route, kinds: dict[str, Any]) -> Iterator[Question]:
    names, body = names_for(room.place, route.key, room.own), _body(room, route)
    tail = f"?{QUERIES[route.key]}" if route.key in QUERIES else ""
    tenant = {"X-Tenant-ID": room.place.names["tenant"]}
    wanted = re.findall(r"{(\w+)}", route.path)
    for name in wanted:
        values = room.values(uuids=True, texts=kinds.get(name, {}).get("format") != "uuid", most=EVERY)

        def ask(value: str, name: str = name) -> Any:
            return room.asker.call(route.method, _in_path(room, route.path, names, name, value) + tail, body, tenant)

        yield Question(f"path {name}", ask, values)
    theirs = room.planted.place.names
    for name in wanted if len(wanted) > 1 else []:

        def all_theirs(value: str, name: str = name) -> Any:
            path = _in_path(room, route.path, names | theirs, name, value)
            return room.asker.call(route.method, path + tail, body, tenant)

        yield Question(f"path, all theirs, {name}", all_theirs, [str(theirs[name])])


def _body(room: Room, route: Route) -> Any:
    body = BODIES.get(route.key)
    made = body(room.place, room.asker.actor()) if callable(body) else body
    return filled(made, names_for(room.place, route.key, room.own))


def _manifests(value: str) -> list[dict[str, Any]]:
    image = f"{env.get().host}/{value}:latest"
    return [
        {**INLINE, "name": value},
        {**INLINE, "source": {"kind": "archive", "upload_id": value, "dockerfile": "Dockerfile"}},
        {**INLINE, "source": {"kind": "git", "url": f"https://example.invalid/{value}.git", "credential_id": value}},
        {**INLINE, "dockerfile": {"inline": f"FROM {image}\n"}},
        {**INLINE, "secrets": [value]},
        {**INLINE, "project": value, "tags": [value[:40]]},
    ]


def _api_body_questions(room: Room, route: Route, schema: dict[str, Any]) -> Iterator[Question]:
    names, body = names_for(room.place, route.key, room.own), _body(room, route)
    if not isinstance(body, dict):
        return
    path = filled(route.path, names)
    for field in schema.get("properties", {}):
        if (route.path, field) in TOLD:
            continue
        many = [lambda v: v, lambda v: [v]]
        if field in {"manifest", "changes"}:
            many = [lambda v, n=n: _manifests(v)[n] for n in range(len(_manifests("x")))]  # type: ignore[misc]
        for form in many:

            def ask(value: str, form: Callable[[str], Any] = form, field: str = field) -> Any:
                return room.asker.call(route.method, path, {**body, field: form(value)})

            yield Question(f"body {field}", ask, room.values(uuids=True, texts=True, most=4))


def _api_other_questions(room: Room, route: Route, operation: dict[str, Any]) -> Iterator[Question]:
    path = filled(route.path, names_for(room.place, route.key, room.own))
    fixed = f"{QUERIES[route.key]}&" if route.key in QUERIES else ""
    for parameter in operation.get("parameters", []):
        if parameter["in"] != "query":
            continue
        uuids = "uuid" in str(parameter["schema"])

        def ask(value: str, name: str = parameter["name"]) -> Any:
            return room.asker.call(route.method, f"{path}?{fixed}{urlencode({name: value})}", _body(room, route))

        yield Question(f"query {parameter['name']}", ask, room.values(uuids=True, texts=not uuids, most=6))

    def header(value: str) -> Any:
        return room.asker.call(route.method, path, _body(room, route), {"X-Tenant-ID": quote(value, safe="|/")})

    theirs = [room.planted.place.names["tenant"], str(room.planted.place.world.tenant_id)]
    yield Question("header X-Tenant-ID", header, [*theirs, *room.values(uuids=True, texts=True, most=3)])


def _api_questions(room: Room) -> Iterator[Question]:
    document = api.get_openapi_schema()
    for route in routes():
        if route.path.startswith("/auth/") and room.caller.by_key:
            continue
        operation = document["paths"][f"/api/v1{route.path}"][route.method.lower()]
        kinds = {p["name"]: p["schema"] for p in operation.get("parameters", [])}
        content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        schema = document["components"]["schemas"].get(
            content.get("schema", {}).get("$ref", "/").rpartition("/")[2], {}
        )
        for question in (
            *_api_path_questions(room, route, kinds),
            *_api_other_questions(room, route, operation),
            *_api_body_questions(room, route, schema),
        ):
            yield dataclasses.replace(question, where=f"{route.method} {route.path}: {question.where}")


def _page_questions(room: Room, page: Page) -> Iterator[Question]:
    names = names_for(room.place, page.name, room.own)
    typed = re.findall(r"<(?:(\w+):)?(\w+)>", page.route)
    form = FORMS.get(page.name)
    sent = filled(form(room.place, room.asker.actor()) if callable(form) else form, names)
    tail = f"?{PAGE_QUERIES[page.name]}" if page.name in PAGE_QUERIES else ""

    def at(**other: Any) -> str:
        return reverse(page.name, kwargs={n: (names | other)[n] for _, n in typed}) + tail

    for converter, name in typed:
        fitting = [v for v in (*room.planted.uuids, *room.planted.texts) if _fits(converter, v)]
        values = some(room.dice, fitting, MANY if room.thorough else FEW)
        for send in [None] if form is None else [None, sent]:

            def ask(value: str, name: str = name, send: Any = send) -> Any:
                return room.asker.open(at(**{name: value}), send)

            yield Question(f"{'form at' if send else 'path'} {name}", ask, values)
    for name in PAGE_NAMES if room.thorough else some(room.dice, list(PAGE_NAMES), FEW):

        def query(value: str, name: str = name) -> Any:
            return room.asker.open(f"{at()}{'&' if tail else '?'}{urlencode({name: value})}")

        yield Question(f"query {name}", query, room.one())
    fields = [*sent, *FORM_NAMES] if form is not None else []
    for name in fields if room.thorough else some(room.dice, fields, FEW):
        if (page.name, name) not in TOLD and not (page.name in {"login", "signup"} and name == "password"):

            def field(value: str, name: str = name) -> Any:
                return room.asker.open(at(), {**sent, name: value})

            yield Question(f"field {name}", field, room.one())


def _fits(converter: str, value: str) -> bool:
    shapes = {
        "uuid": r"[0-9a-f-]{36}", "int": "[0-9]+", "slug": "[-a-zA-Z0-9_]+", "digest": "sha256:[0-9a-f]{64}",
        "image": "[a-z0-9._-]+(?:/[a-z0-9._-]+)*",
    }  # fmt: skip
    return re.fullmatch(shapes.get(converter, "[^/]+"), value) is not None


def _all_page_questions(room: Room) -> Iterator[Question]:
    for page in pages():
        for question in _page_questions(room, page):
            yield dataclasses.replace(question, where=f"{page.name}: {question.where}")


def _machine_questions(room: Room) -> Iterator[Question]:
    def grant(shape: str, bearer: bool, value: str) -> Any:
        path = shape.format(value)
        if not bearer:
            return room.asker.open(f"/internal/stream-grant?{urlencode({'path': path})}")
        return room.asker.browser.get(
            f"/internal/stream-grant?{urlencode({'path': path})}",
            headers={"Authorization": f"Bearer {room.asker.token}"},
        )

    for bearer in (True,) if room.caller.by_key else (False, True):
        shapes = ["/api/v1/builds/{}/logs/stream", "/live/builds/{}/logs", "/live/builds/{}/logs?attempt=1"]
        shapes += [f"/live?topics={kind}:{{}}" for kind in ("build", "project", "tenant", "user")]
        for shape in shapes:
            values = room.planted.uuids if room.thorough else some(room.dice, room.planted.uuids, 8)
            yield Question(f"stream {shape}", functools.partial(grant, shape, bearer), values)

    def token(value: str) -> Any:
        actor = dataclasses.replace(room.asker.actor(), kind=type(room.asker.actor().kind).USER)
        key = room.asker.token if room.caller.by_key else people.create_api_key(actor, name="registry")[1]
        basic = base64.b64encode(f"any:{key}".encode()).decode()
        scope = [f"repository:{value}:{actions}" for actions in ("pull", "pull,push,delete", "*")]
        answer: Any = room.asker.browser.get(
            "/registry/token?" + urlencode({"service": "registry", "scope": scope}, doseq=True),
            headers={"Authorization": f"Basic {basic}"},
        )
        claims = jwt.decode(answer.json()["token"], options={"verify_signature": False})
        answer.body = json.dumps({"access": claims["access"]}).encode()
        return answer

    theirs = room.planted.place.names
    base = f"{theirs['tenant']}/{theirs['project']}"
    mixed = [f"{theirs['tenant']}/{room.place.names['project']}", f"{room.place.names['tenant']}/{theirs['project']}"]
    ids = [f"{theirs['tenant']}/{room.planted.place.world.project.id}", f"{base}/deep/er"]
    yield Question("registry token", token, [base, *mixed, *ids, *room.planted.texts[:3]])


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


def _wrong(room: Room, question: Question, value: str) -> str:
    """Return how an answer about the other tenant's differs from one about what never was; empty when it does not.

    What differs once may be a clock that went on between the two; what tells something tells it twice.
    """
    return _differs(room, question, value) and _differs(room, question, value)


def _differs(room: Room, question: Question, value: str) -> str:
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
    return f"{many} queries, and {few} for what never was" if many != few else ""


DOORS: dict[str, Callable[[Room], Iterator[Question]]] = {
    "api": _api_questions, "pages": _all_page_questions, "machines": _machine_questions,
}  # fmt: skip


@pytest.fixture
def lowered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walled, "SERVING_ROLE", "owner")


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("role", ROLES)
def test_nothing_tells_anothers_from_what_never_was(db: None, lowered: None, role: str, door: str) -> None:
    room = Room(next(c for c in CALLERS if c.name == role))
    if door == "pages" and room.caller.by_key:
        pytest.skip("keys have no browser")
    before, changed, asked = room.planted.fingerprint(), list[str](), 0

    def unchanged(answer: Any) -> None:
        if answer.status_code < 400 and room.planted.fingerprint() != before:
            changed.append(f"{answer.request['REQUEST_METHOD']} {answer.request['PATH_INFO']}")

    wrong: list[str] = []
    for question in DOORS[door](room):
        writes = door == "api" and not question.where.startswith("GET")
        writes |= " field " in question.where or "form at" in question.where
        room.asker.inspect = unchanged if writes else unlooked
        for value in question.values if len(wrong) < 25 else ():
            asked += 1
            if how := _wrong(room, question, value):
                wrong.append(f"{question.where} = {value}: {how}")
    assert changed == []
    assert wrong == [], f"{len(wrong)} of {asked}:\n" + "\n".join(wrong[:25])
    assert asked > 50


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
