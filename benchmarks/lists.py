"""Lists and pages of a tenant with 100,000 builds: server time, number of queries, answers a second.

Server time is taken in this process, through all of Django on the factory's own database, without a network; answers a
second come through the front door of the running factory, in turns with its /healthz.
"""

from __future__ import annotations

import dataclasses
import re
import time
import uuid
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import psycopg

from benchmarks import places
from benchmarks.factory import Factory, bearer, connected, in_turns
from benchmarks.figures import Figure, Options, spread_figures
from benchmarks.filling import id_of, multiply, numbered

if TYPE_CHECKING:
    from django.test import Client

BUILDS, PROJECTS, LOG_LINES = 100_000, 20, 5_000
SERVER_MS, LIST_RATE, READ_RATE, LIST_P99_MS = 100, 400, 1_500, 50
BUILD = {
    "source": {"kind": "inline", "files": {"hello": "hi"}},
    "dockerfile": {"inline": "FROM scratch\nCOPY hello /hello\n"},
}
_NEXT = re.compile(r'href="([^"]*[?&](?:cursor|before|after)=[^"]*)"')


@dataclasses.dataclass(frozen=True)
class Scene:
    """What is asked for: keys of an owner and of a member of 3 of 20 projects, a finished build, a page's session."""

    owner: places.Team
    owner_key: str
    member_key: str
    session: str
    build: str
    build_page: str


def _one_build(factory: Factory, owner: places.Team) -> tuple[uuid.UUID, int]:
    """Let the factory run one build, and give it a log worth a page; returns its id and number."""
    from imagefactory.adapters.logs.base import Line
    from imagefactory.adapters.logs.files import FileLogStore
    from imagefactory.domain.builds.models import Build, Execution
    from imagefactory.domain.builds.services.submit import submit_build

    made = submit_build(owner.actor(), owner.project_id, BUILD)
    places.until(lambda: Build.objects.filter(id=made.id, status="succeeded").exists(), "a build")
    execution = Execution.objects.get(build_id=made.id)
    store = FileLogStore(factory.data / "build-logs")
    places.until(lambda: store.state(str(execution.id)).finished, "its log")
    store.delete(str(execution.id))
    text = "Get:17 stable/main amd64 libcurl4 amd64 7.88.1-10 [390 kB]"
    lines = [Line(n, 1_700_000_000_000 + n, "build", "out", text) for n in range(1, LOG_LINES + 1)]
    store.append(str(execution.id), 1, lines)
    store.finish(str(execution.id))
    factory.hand_over(factory.data / "build-logs")
    Execution.objects.filter(id=execution.id).update(log_lines=LOG_LINES)
    return made.id, made.number


def _fill(factory: Factory, owner: places.Team, template: uuid.UUID) -> None:
    """Give the tenant 20 projects with 100,000 builds, and others another 20,000 builds."""
    from django.apps import apps

    other = places.team("other")
    project, build = apps.get_model("projects.Project"), apps.get_model("builds.Build")
    with psycopg.connect(factory.owner, autocommit=True) as database:
        multiply(database, project, owner.project_id, (1, PROJECTS), id=numbered("0000bbbb"), slug="'p-' || g",
                 name="'Project ' || g")  # fmt: skip
        varied = {
            "number": f"1000 + g / {PROJECTS}", "idempotency_key": "null",
            "status": "(array['succeeded', 'succeeded', 'succeeded', 'failed', 'cancelled'])[1 + mod(g, 5)]",
            "name": "'Build ' || g", "commit": "md5(g::text)", "commit_message": "'Change ' || md5(g::text)",
            "created_at": "t.created_at - (200000 - g) * interval '5 seconds'",
        }  # fmt: skip
        multiply(database, build, template, (1, BUILDS), id=numbered("0000cccc"),
                 project_id=numbered("0000bbbb", f"(1 + mod(g, {PROJECTS}))"), **varied)  # fmt: skip
        multiply(database, build, template, (1, BUILDS // 5), id=numbered("0000dddd"),
                 tenant_id=f"'{other.tenant_id}'", project_id=f"'{other.project_id}'",
                 **{**varied, "number": "1000 + g"})  # fmt: skip
        # What a search looks through is kept beside the builds (docs/decisions/0008).
        database.execute(
            "insert into builds_buildtext (build_id, words, codes) select id, upper(name || chr(10) || commit_message), "
            "upper('@' || commit || ' #' || number || ' ') from builds_build on conflict do nothing"
        )
        database.execute("vacuum analyze")


def _member(owner: places.Team) -> str:
    """Return the key of a person who sees three of the tenant's projects."""
    from django.apps import apps

    from imagefactory.domain.identity.permissions import Role
    from imagefactory.domain.identity.selectors import actor_for_user
    from imagefactory.domain.identity.services import create_api_key, set_project_role

    person = places.team("member")
    apps.get_model("identity.Membership").objects.create(tenant_id=owner.tenant_id, user_id=person.user_id)
    for n in (3, 7, 11):
        set_project_role(owner.actor(), person.user_id, id_of("0000bbbb", n), Role.MEMBER)
    return create_api_key(actor_for_user(person.user_id, owner.slug), name="bench")[1]


def make_scene(factory: Factory) -> Scene:
    """Fill the running factory and return what is asked of it."""
    from django.apps import apps
    from django.test import Client
    from django.urls import reverse

    from imagefactory.domain.identity.services import create_api_key

    owner = places.team("bench")
    build_id, number = _one_build(factory, owner)
    _fill(factory, owner, build_id)
    browser = Client()
    browser.force_login(apps.get_model("identity.User").objects.get(id=owner.user_id))
    session = browser.cookies["session"].value
    page = reverse("build", kwargs={"tenant": owner.slug, "project": owner.project_slug, "number": number})
    return Scene(owner, create_api_key(owner.actor(), name="bench")[1], _member(owner), session, str(build_id), page)


def asked_of(scene: Scene) -> list[tuple[str, str, dict[str, str]]]:
    """Return (what, path, headers) of everything that is measured in this process."""
    from django.urls import reverse

    owner, member = bearer(scene.owner_key), bearer(scene.member_key)
    cookie = {"Cookie": f"session={scene.session}"}
    deep, api = id_of("0000cccc", BUILDS // 10), "/api/v1/builds?limit=50"
    page = reverse("builds", kwargs={"tenant": scene.owner.slug})
    return [
        ("endpoint, newest 50", api, owner),
        ("endpoint, 90,000 builds deep", f"{api}&cursor={deep}", owner),
        ("endpoint, failed ones", f"{api}&status=failed", owner),
        ("endpoint, failed ones of one project, deep", f"{api}&status=failed&project=p-6&cursor={deep}", owner),
        ("endpoint, member of 3 of 20 projects", api, member),
        ("endpoint, member of 3 of 20 projects, deep", f"{api}&cursor={deep}", member),
        ("endpoint, search with 50 matches and more", f"{api}&text=change%20ab", owner),
        ("endpoint, search without a match", f"{api}&text=no-such-thing", owner),
        ("endpoint, one build", f"/api/v1/builds/{scene.build}", owner),
        ("endpoint, one build's status", f"/api/v1/builds/{scene.build}/status", owner),
        ("page, list of the tenant", page, cookie),
        ("page, one build with the log's end", scene.build_page, cookie),
        ("/healthz", "/healthz", {}),
    ]


def get_page(browser: Client, path: str, headers: dict[str, str]) -> str:
    """Return the text of an answer. Raises RuntimeError for any status but 200."""
    cookie = headers.get("Cookie", "").removeprefix("session=")
    browser.cookies.clear()
    if cookie:
        browser.cookies["session"] = cookie
    reply = browser.get(path, headers={k: v for k, v in headers.items() if k != "Cookie"})
    if reply.status_code != 200:
        raise RuntimeError(f"{path} answered {reply.status_code}: {reply.content[:300]!r}")
    return reply.content.decode()


def _timing(found: list[float]) -> Callable[..., Any]:
    """Return a wrapper of Django's cursor that notes the milliseconds of each query."""

    def run(execute: Callable[..., Any], *given: Any) -> Any:
        began = time.perf_counter()
        try:
            return execute(*given)
        finally:
            found.append((time.perf_counter() - began) * 1000)

    return run


def _server_times(scene: Scene, rounds: int) -> Iterator[Figure]:
    from django.db import connection
    from django.test import Client

    browser, asked = Client(), asked_of(scene)
    found = _NEXT.search(get_page(browser, asked[-3][1], asked[-3][2]))
    if found:
        path = found[1].replace("&amp;", "&")
        asked.append(("page, the list's next page", path if path[0] == "/" else asked[-3][1] + path, asked[-3][2]))
    for what, path, headers in asked:
        for _ in range(3):
            get_page(browser, path, headers)
        queries = list[float]()
        with connection.execute_wrapper(_timing(queries)):
            get_page(browser, path, headers)
        spent = []
        for _ in range(rounds):
            began = time.perf_counter()
            get_page(browser, path, headers)
            spent.append((time.perf_counter() - began) * 1000)
        note = f"{len(queries)} queries, the slowest {max(queries, default=0):.1f} ms, together {sum(queries):.1f} ms"
        yield from spread_figures(what, spent, reach=SERVER_MS, note=note)
    if not found:
        yield Figure("page, the list's next page", None, "ms", note="the page has no link to one")


def _rates(factory: Factory, scene: Scene, *, quick: bool) -> Iterator[Figure]:
    asked = {what: (path, headers) for what, path, headers in asked_of(scene)}
    wanted = ("endpoint, newest 50", "endpoint, one build's status", "endpoint, one build", "page, list of the tenant",
              "page, one build with the log's end", "/healthz")  # fmt: skip
    loads = in_turns(factory, [asked[name] for name in wanted], 1 if quick else 3, 2.0 if quick else 4.0)
    health = loads[-1].per_second
    reach = {"endpoint, newest 50": LIST_RATE, "endpoint, one build's status": READ_RATE, "/healthz": READ_RATE}
    for name, got in zip(wanted, loads, strict=True):
        peer = (None, "") if name == "/healthz" else (health, "/healthz")
        yield Figure(
            f"{name}, 8 clients", got.per_second, "answers/s", reach.get(name), more=True, peer=peer[0],
            peer_name=peer[1], note=got.cost,
        )  # fmt: skip
        cuts = sorted(got.milliseconds)
        ninety_nine = cuts[min(len(cuts) - 1, int(len(cuts) * 0.99))]
        limit = LIST_P99_MS if name == "endpoint, newest 50" else None
        yield Figure(f"{name}, 8 clients, p99", ninety_nine, "ms", limit, note=f"p50 {cuts[len(cuts) // 2]:.1f} ms")


def measure(options: Options) -> Iterator[Figure]:
    """Yield the figures."""
    factory = Factory(IMAGEFACTORY_EXECUTOR="fake", IMAGEFACTORY_BUILD_NETWORK="none")
    with factory.running():
        factory.django()
        from django.db import connections

        try:
            scene = make_scene(factory)
            # As the factory serves: bound by the wall between tenants.
            with connected("app"):
                yield from _server_times(scene, 15 if options.quick else 80)
            yield from _rates(factory, scene, quick=options.quick)
        finally:
            connections.close_all()
