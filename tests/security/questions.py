"""Every place of the API, the pages and the machines' doors that takes a name, as questions about another tenant."""

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
from django.urls import reverse

from imagefactory.domain.identity import services as people
from imagefactory.entry.api.site import api
from imagefactory.entry.web.addresses import Page
from imagefactory.kernel import env
from tests.conftest import INLINE
from tests.security.callers import Asker, Caller, leave_other_tenants
from tests.security.declared import Route, pages, routes
from tests.security.everything import make_everything
from tests.security.planted import Planted, make_planted, some
from tests.security.samples import BODIES, FORMS, PAGE_QUERIES, QUERIES, filled, names_for

SEED = os.environ.get("ISOLATION_SEED", "1")
# Names that are one for the whole installation: who takes one learns that it is taken.
TOLD = {
    ("/auth/signup", "tenant_slug"), ("/auth/signup", "email"), ("/tenants", "slug"),
    ("tenant-new", "slug"), ("signup", "tenant_slug"), ("signup", "email"),
}  # fmt: skip
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
# The owner asks every question; the others some, with their dice, and each path with the name that fits it best.
SHARE, PAGE_SHARE = 0.12, 0.4


@dataclasses.dataclass(frozen=True)
class Question:
    """One place that takes a name. `ask` puts a value there and sends the request."""

    where: str
    ask: Callable[[str], Any]
    values: list[str]
    writes: bool = False


# What stands in an address and names nothing of a team: words, and links, which open to whoever holds them.
WORDS = {"capability", "action", "role", "kind"}
LINKS = {"token", "ended_token", "reset_token", "confirm_token", "email_token"}
# Pages that are for people who are nobody yet: whichever team's sign-in they name, it opens.
FOR_ANYBODY = {"sso-start", "sso-metadata"}


class Room:
    """Two tenants, and somebody of the first who asks about the second."""

    def __init__(self, caller: Caller) -> None:
        self.caller, self.place = caller, make_everything("a")
        leave_other_tenants(self.place.world)
        self.planted: Planted = make_planted()
        self.asker = Asker(caller, self.place)
        self.own = self.asker.own
        self.dice = random.Random(f"{SEED} {caller.name}")
        self.thorough = caller.name == "owner"
        self.theirs = {k: v for k, v in self.planted.place.names.items() if k not in WORDS | LINKS}

    def values(self, fitting: list[str], most: int, first: Any = None, *, share: float = SHARE) -> list[str]:
        """Return what to ask with: the other tenant's name of the same kind first, then others by chance."""
        found = [] if first is None else [str(first)]
        if not self.thorough:
            return some(self.dice, found or fitting, 1) if self.dice.random() < share else []
        return found + some(self.dice, [v for v in fitting if v not in found], most - len(found))

    def one(self) -> list[str]:
        return [self.dice.choice((*self.planted.uuids, *self.planted.texts))]

    def asks(self) -> bool:
        return self.thorough or self.dice.random() < SHARE

    def fitting(self, *, uuids: bool, texts: bool) -> list[str]:
        return (self.planted.uuids if uuids else []) + (self.planted.texts if texts else [])


def _in_path(room: Room, template: str, names: dict[str, Any], name: str, value: str) -> str:
    return str(filled(template, names | {name: quote(value, safe="" if name != "name" else "/")}))


def _api_path_questions(room: Room, route: Route, kinds: dict[str, Any]) -> Iterator[Question]:
    names, body = names_for(room.place, route.key, room.own), _body(room, route)
    tail = f"?{QUERIES[route.key]}" if route.key in QUERIES else ""
    tenant = {"X-Tenant-ID": room.place.names["tenant"]}
    wanted, theirs = re.findall(r"{(\w+)}", route.path), room.planted.place.names
    for name in wanted:
        fitting = room.fitting(uuids=True, texts=kinds.get(name, {}).get("format") != "uuid")
        values = room.values(fitting, 3, room.theirs.get(name), share=1)

        def ask(value: str, name: str = name) -> Any:
            return room.asker.call(route.method, _in_path(room, route.path, names, name, value) + tail, body, tenant)

        yield Question(f"path {name}", ask, values)
    for name in wanted if len(wanted) > 1 else []:

        def all_theirs(value: str, name: str = name) -> Any:
            path = _in_path(room, route.path, names | theirs, name, value)
            return room.asker.call(route.method, path + tail, body, tenant)

        yield Question(f"path, all theirs, {name}", all_theirs, [str(theirs[name])] if name not in WORDS else [])


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
    for field, kind in schema.get("properties", {}).items():
        if (route.path, field) in TOLD:
            continue
        for form in _forms(field, str(kind)):

            def ask(value: str, form: Callable[[str], Any] = form, field: str = field) -> Any:
                return room.asker.call(route.method, path, {**body, field: form(value)})

            fitting = room.fitting(uuids=True, texts=True)
            yield Question(f"body {field}", ask, room.values(fitting, 2, room.theirs.get(field)))


def _forms(field: str, kind: str) -> list[Callable[[str], Any]]:
    """Return how a name may stand in a field: in a manifest, a list, a mapping, or as it is."""
    if field in {"manifest", "changes"}:
        return [lambda v, n=n: _manifests(v)[n] for n in range(len(_manifests("x")))]  # type: ignore[misc]
    found: list[Callable[[str], Any]] = [lambda v: [v]] if "'array'" in kind else []
    if "'object'" in kind:
        found.append(lambda v: {v: "viewer"})
    return found or [lambda v: v]


def _api_other_questions(room: Room, route: Route, operation: dict[str, Any]) -> Iterator[Question]:
    path = filled(route.path, names_for(room.place, route.key, room.own))
    fixed = f"{QUERIES[route.key]}&" if route.key in QUERIES else ""
    for parameter in operation.get("parameters", []):
        if parameter["in"] != "query":
            continue
        uuids = "uuid" in str(parameter["schema"])

        def ask(value: str, name: str = parameter["name"]) -> Any:
            return room.asker.call(route.method, f"{path}?{fixed}{urlencode({name: value})}", _body(room, route))

        fitting = room.fitting(uuids=True, texts=not uuids)
        first = room.theirs.get(parameter["name"])
        yield Question(f"query {parameter['name']}", ask, room.values(fitting, 2, first))

    def header(value: str) -> Any:
        return room.asker.call(route.method, path, _body(room, route), {"X-Tenant-ID": quote(value, safe="|/")})

    theirs = [room.planted.place.names["tenant"], str(room.planted.place.world.tenant_id)]
    yield Question("header X-Tenant-ID", header, room.values(theirs, 2))


def api_questions(room: Room) -> Iterator[Question]:
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
            where = f"{route.method} {route.path}: {question.where}"
            yield dataclasses.replace(question, where=where, writes=route.method != "GET")


def _questions_of(room: Room, page: Page) -> Iterator[Question]:
    names = names_for(room.place, page.name, room.own)
    typed = re.findall(r"<(?:(\w+):)?(\w+)>", page.route)
    form = FORMS.get(page.name)
    sent = filled(form(room.place, room.asker.actor()) if callable(form) else form, names)
    tail = f"?{PAGE_QUERIES[page.name]}" if page.name in PAGE_QUERIES else ""

    def at(**other: Any) -> str:
        return reverse(page.name, kwargs={n: (names | other)[n] for _, n in typed}) + tail

    for converter, name in typed:
        fitting = [v for v in (*room.planted.uuids, *room.planted.texts) if _fits(converter, v)]
        theirs = room.theirs.get(name)
        values = [] if page.name in FOR_ANYBODY else room.values(fitting, 2, theirs, share=PAGE_SHARE)
        for send in [None] if form is None else [None, sent]:

            def ask(value: str, name: str = name, send: Any = send) -> Any:
                return room.asker.open(at(**{name: value}), send)

            yield Question(f"{'form at' if send else 'path'} {name}", ask, values, writes=send is not None)
    for name in some(room.dice, list(PAGE_NAMES), 2) if room.asks() else ():

        def query(value: str, name: str = name) -> Any:
            return room.asker.open(f"{at()}{'&' if tail else '?'}{urlencode({name: value})}")

        yield Question(f"query {name}", query, room.one())
    fields = [*sent, *some(room.dice, list(FORM_NAMES), 2)] if form is not None and room.asks() else []
    for name in fields:
        if (page.name, name) not in TOLD and not (page.name in {"login", "signup"} and name == "password"):

            def field(value: str, name: str = name) -> Any:
                return room.asker.open(at(), {**sent, name: value})

            yield Question(f"field {name}", field, room.one(), writes=True)


def _fits(converter: str, value: str) -> bool:
    shapes = {
        "uuid": r"[0-9a-f-]{36}", "int": "[0-9]+", "slug": "[-a-zA-Z0-9_]+", "digest": "sha256:[0-9a-f]{64}",
        "image": "[a-z0-9._-]+(?:/[a-z0-9._-]+)*",
    }  # fmt: skip
    return re.fullmatch(shapes.get(converter, "[^/]+"), value) is not None


def page_questions(room: Room) -> Iterator[Question]:
    for page in pages():
        for question in _questions_of(room, page):
            yield dataclasses.replace(question, where=f"{page.name}: {question.where}")


def machine_questions(room: Room) -> Iterator[Question]:
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
            values = room.planted.uuids if room.thorough else some(room.dice, room.planted.uuids, 3)
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
