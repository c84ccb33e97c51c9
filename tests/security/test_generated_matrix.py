"""Every API route and page of the code's own tables x every kind of caller; the answer follows from the permission table.

The tables by hand (routes.py, tests/pages/test_pages.py) say the same independently. Here a new route or page is covered the
moment it is declared, or fails for want of a sample (samples.py).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import reverse
from pytest_django import DjangoDbBlocker

from imagefactory.domain.identity.permissions import READ_ONLY, ROLE_PERMISSIONS, Permission, Role
from imagefactory.entry.web.addresses import Need, Page, Place
from tests.security.callers import CALLERS, Asker, Caller, leave_other_tenants, taken_back
from tests.security.declared import (
    BY_HAND,
    NOT_FOR_KEYS,
    STOPPED,
    WITHOUT_FACTOR,
    WITHOUT_PERSON,
    Route,
    page_sees,
    pages,
    routes,
)
from tests.security.everything import Everything, make_everything
from tests.security.samples import BODIES, BY_DEVICE, FORMS, PAGE_QUERIES, QUERIES, REACHED, filled, names_for

OWNER, ADMINISTRATOR = CALLERS[0], next(c for c in CALLERS if c.name == "system administrator")
OK, WHO, HIDDEN, FORBIDDEN = "accepted", "not signed in", "not found", "forbidden"
ROUTES = routes()


@pytest.fixture(scope="module")
def scene(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Everything]:
    """One of everything, made once; each test takes back what it did, and this takes back the rest."""
    with django_db_blocker.unblock(), taken_back():
        made = make_everything()
        leave_other_tenants(made.world)
        yield made


@pytest.fixture
def place(scene: Everything, db: None) -> Everything:
    return dataclasses.replace(scene, names=dict(scene.names))


def expected(caller: Caller, need: Need, sees: set[Permission], *, hides: bool = True) -> str:
    """Return the answer that the permission table gives."""
    if need.place is Place.NOWHERE:
        return OK
    if not caller.signed_in:
        return WHO
    if need.place is Place.PERSON:
        return OK
    if caller.bound or (caller.shut and need.place is not Place.INSTALLATION):
        return FORBIDDEN
    if need.place is Place.INSTALLATION:
        if hides and not caller.system_roles:
            return HIDDEN  # for whoever holds no system role there is no administration
        return OK if caller.system_roles & need.system_roles else FORBIDDEN
    if not caller.inside or not all(caller.holds(p) for p in sees):
        return HIDDEN
    if need.owner:
        full = ROLE_PERMISSIONS[Role.OWNER]
        owns = caller.everywhere == full or (need.stopped and caller.everywhere == full & READ_ONLY)
        return OK if owns and not caller.by_key else FORBIDDEN
    if need.permission is None:
        return OK
    if need.place is Place.TENANT:
        return OK if need.permission in caller.everywhere else FORBIDDEN
    if need.place is Place.SOME_PROJECT:
        return OK if caller.holds_somewhere(need.permission) else FORBIDDEN
    return OK if caller.holds(need.permission) else FORBIDDEN


def _special(caller: Caller, key: object, wanted: str, *, send: bool = True) -> str:
    """Return what is wanted from somebody who is no person, or has no second factor, or whose team is stopped, of what is theirs."""
    told = WITHOUT_PERSON if caller.program else WITHOUT_FACTOR if caller.shut else {}
    if "suspended" in caller.name:
        return STOPPED.get(key, wanted) if send else wanted  # its page may be read
    special = told.get(key, wanted)
    return wanted if special.startswith("status") and not send else special


def kind_of(answer: Any) -> str:
    status = answer.status_code
    if status == 302 and answer["Location"].startswith("/me/security/required"):
        return FORBIDDEN
    if status == 401 or (status == 302 and answer["Location"].startswith("/login")):
        return WHO
    kinds = {403: FORBIDDEN, 404: HIDDEN}
    return kinds.get(status, OK if status < 400 else f"status {status}")


def _ask(asker: Asker, route: Route) -> Any:
    names = names_for(asker.place, route.key, asker.own)
    body = BODIES.get(route.key)
    with taken_back():  # a sample may have to prepare something
        made = body(asker.place, asker.actor()) if callable(body) else body
        path = filled(route.path, names) + (f"?{QUERIES[route.key]}" if route.key in QUERIES else "")
        # Who is asked about their own matters or the installation's needs no team; about a team's, it is named.
        nobodys = {Place.NOWHERE, Place.PERSON, Place.INSTALLATION}
        tenant = {} if route.need.place in nobodys else {"X-Tenant-ID": asker.place.names["tenant"]}
        return asker.call(route.method, path, filled(made, names), tenant)


def _open(asker: Asker, page: Page, *, send: bool) -> Any:
    names = names_for(asker.place, page.name, asker.own)
    wanted = re.findall(r"<(?:\w+:)?(\w+)>", page.route)
    url = reverse(page.name, kwargs={name: names[name] for name in wanted})
    url += f"?{PAGE_QUERIES[page.name]}" if page.name in PAGE_QUERIES else ""
    if not send:
        return asker.open(url)
    form = FORMS.get(page.name, {})
    with taken_back():
        return asker.open(url, filled(form(asker.place, asker.actor()) if callable(form) else form, names))


def _accepted_by(need: Need) -> Caller:
    return ADMINISTRATOR if need.place is Place.INSTALLATION else OWNER


def test_every_route_and_page_can_be_asked() -> None:
    """Nothing is left out of the tests below for want of a sample."""
    assert {r.key for r in ROUTES if r.takes_body} == set(BODIES)
    assert set(FORMS) <= {page.name for page in pages()}


def test_each_is_accepted_from_somebody_so_that_no_refusal_passes_for_nothing(place: Everything) -> None:
    wrong: list[object] = []
    askers = {c.name: Asker(c, place) for c in (OWNER, ADMINISTRATOR)}
    for route in ROUTES:
        if route.key in BY_HAND:
            continue
        answer = _ask(askers[_accepted_by(route.need).name], route)
        if answer.status_code >= 300 and answer.status_code != REACHED.get(route.key):
            wrong.append((route.key, answer.status_code, answer.body[:300]))
    for page in pages():
        asker = askers[_accepted_by(page.needs).name]
        read, sent = _open(asker, page, send=False), _open(asker, page, send=page.name not in BY_HAND)
        if kind_of(read) != OK and read.status_code != 405 and page.name != "home":
            wrong.append((page.name, read.status_code, read.body[:300]))
        # A form that takes what it was sent leads on, or shows what it made; one page that takes none says so.
        if page.name in BY_DEVICE:
            continue
        if (sent.status_code == 405) != (page.name not in FORMS) or (
            page.name in FORMS and sent.status_code not in {200, 302}
        ):
            wrong.append((page.name, "form", sent.status_code, re.sub(rb"\s+", b" ", sent.body)[-1500:]))
    assert not wrong, "\n".join(map(str, wrong))


@pytest.mark.parametrize("caller", [c for c in CALLERS if not c.bound], ids=lambda c: c.name)
def test_every_api_route_answers_as_the_permission_table_says(place: Everything, caller: Caller) -> None:
    asker, wrong = Asker(caller, place), []
    for route in ROUTES:
        if route.key in BY_HAND:
            continue
        wanted = expected(caller, route.need, route.sees, hides=route.path.startswith("/admin/"))
        if wanted == OK and caller.by_key and caller.signed_in and route.key in NOT_FOR_KEYS:
            wanted = FORBIDDEN
        wanted = _special(caller, route.key, wanted)
        answer = _ask(asker, route)
        got = OK if answer.status_code == REACHED.get(route.key) else kind_of(answer)
        if got != wanted:
            wrong.append((*route.key, f"wanted: {wanted}", answer.status_code, answer.body[:200]))
    assert not wrong, "\n".join(map(str, wrong))


@pytest.mark.parametrize("caller", CALLERS, ids=lambda c: c.name)
def test_every_page_answers_as_the_permission_table_says(place: Everything, caller: Caller) -> None:
    asker, wrong = Asker(caller, place), []
    for page in pages():
        if (caller.by_key or caller.bound) and page.needs.place in {Place.NOWHERE, Place.PERSON}:
            continue  # a browser's own matters, and keys have no browser; tests/sso asks these with a provider's session
        for send in (False, True):
            if send and (page.name not in FORMS or page.name in BY_HAND):
                continue
            need = page.changes if send and page.changes else page.needs
            answer = _open(asker, page, send=send)
            if answer.status_code == 405:
                continue  # held by the test above: it takes either reading or sending
            hides = page.route.startswith("admin/")
            got, wanted = kind_of(answer), expected(caller, need, page_sees(page), hides=hides)
            if send and wanted == OK and caller.by_key and page.name in NOT_FOR_KEYS:
                wanted = FORBIDDEN
            wanted = _special(caller, page.name, wanted, send=send)
            if need.place is Place.NOWHERE and answer.status_code == 302:
                continue  # home and sign-out lead to the sign-in
            if got != wanted:
                wrong.append((page.name, "form" if send else "page", f"wanted: {wanted}", answer.status_code))
    assert not wrong, "\n".join(map(str, wrong))
