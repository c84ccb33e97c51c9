"""Another tenant, filled with marks: every text in it is unmistakable, and everything that names it is listed."""

from __future__ import annotations

import dataclasses
import html
import random
import re
import uuid
from typing import Any
from urllib.parse import quote, quote_plus

from django.apps import apps
from django.db import connection, models

from imagefactory.domain.identity.models import (
    ApiKey,
    AuthSession,
    CustomRole,
    IdentityProvider,
    Invitation,
    Membership,
    RoleBinding,
    Tenant,
    User,
)
from imagefactory.domain.images.models import Repository
from imagefactory.domain.notifications.models import Notice
from imagefactory.domain.projects.models import Project
from imagefactory.kernel import ids, scope
from tests.security.everything import Everything, make_everything
from tests.security.walls import keys, walled
from tests.walled import as_role

MARK = "zzqmark"
# Texts that other code reads: a mark there would break what the tests go through.
_READ_BY_CODE = re.compile(
    r"slug|path|digest|status|state|kind|method|queue|trigger|role|time_zone|prefix|media_type|email|type|password|.*hash|"
    r".*_digest|.*_kind|secret|commit|permission|void_because"
)


@dataclasses.dataclass
class Planted:
    """`uuids` and `texts` name something of the other tenant; `tells` may stand in no answer to anybody of another."""

    place: Everything
    uuids: list[str]
    texts: list[str]
    tells: list[str]

    def fingerprint(self) -> str:
        """Return a digest of every row behind the wall that this tenant has."""
        found = []
        with as_role("app"), scope.tenant(self.place.world.tenant_id), connection.cursor() as cursor:
            for table in walled():
                cursor.execute(f"select md5(string_agg(t::text, ',' order by t::text)) from {table} t")
                found.append(str(cursor.fetchone()))
        return "".join(found)


def _rows(place: Everything) -> dict[type[models.Model], models.QuerySet[Any]]:
    """Return this tenant's rows of every table: those behind the wall as the wall has them, the others by hand."""
    by_table = {m._meta.db_table: m for m in apps.get_models()}
    with as_role("app"), scope.tenant(place.world.tenant_id):
        found = {table: keys(table) for table in walled()}
    rows = {by_table[t]: by_table[t]._default_manager.filter(pk__in=list(k)) for t, k in found.items() if t in by_table}
    people = [place.world.users[r] for r in ("owner", "admin", "member", "viewer")]
    ours = {"tenant_id": place.world.tenant_id}
    of_people: dict[type[models.Model], models.QuerySet[Any]] = {
        Tenant: Tenant.objects.filter(id=place.world.tenant_id),
        User: User.objects.filter(id__in=people),
        AuthSession: AuthSession.objects.filter(user_id__in=people),
        **{
            m: m._default_manager.filter(**ours)
            for m in (ApiKey, Membership, RoleBinding, Notice, CustomRole, Invitation)
        },
    }
    return rows | of_people


def _mark(row: models.Model, number: int) -> None:
    for field in row._meta.concrete_fields:
        if _READ_BY_CODE.fullmatch(field.name) or field.choices or field.unique:
            continue
        value = getattr(row, field.name)
        if isinstance(field, models.CharField | models.TextField):
            setattr(row, field.name, f"{MARK} {field.name} {number}"[: field.max_length])
        elif isinstance(field, models.JSONField) and isinstance(value, dict):
            setattr(row, field.name, {**value, MARK: f"{MARK} {field.name}"})
    if isinstance(row, User):
        row.email = f"{MARK}-{number}@example.com"
    row.save()


def make_planted() -> Planted:
    """Return another tenant with one of everything, and a mark in every text."""
    place = make_everything("b", 7000)
    # It is everybody's: its name says nothing of the team that the helper called it after.
    IdentityProvider.objects.filter(id=place.names["shared_provider_id"]).update(name="Of all teams")
    own = place.own(place.world.actor("owner"))
    slug, tenant = f"{MARK}-project", place.world.tenant_slug
    Project.objects.filter(id=place.world.project.id).update(slug=slug)
    Repository.objects.filter(project_id=place.world.project.id).update(path=f"{tenant}/{slug}")
    place.names |= own | {"project": slug, "name": slug}
    number, found = 0, list[str]()
    for rows in _rows(place).values():
        for row in rows:
            number += 1
            _mark(row, number)
            if isinstance(row.pk, uuid.UUID):
                found.append(str(row.pk))
    project, image = Project.objects.get(slug=slug), Repository.objects.get(path=f"{tenant}/{slug}")
    key = ApiKey.objects.filter(tenant_id=place.world.tenant_id)[0]
    texts = [
        tenant, slug, f"{tenant}/{slug}", project.name, place.names["digest"], key.prefix, f"ifk_{key.prefix}_0",
        f"{project.name}|{project.id}", f"{image.pushed_at.isoformat()}|{image.id}", f"{MARK}-1@example.com",
        str(place.names["number"]), f"#{place.names['number']}", "latest",
    ]  # fmt: skip
    uuids = sorted(set(found))
    return Planted(place, uuids, texts, [MARK, tenant, key.prefix, place.names["digest"], *uuids])


def never(value: str) -> str:
    """Return a value of the same shape, next to this one in any order, that names nothing."""
    if value.lstrip("#").isdigit():
        return value[:-1] + str((int(value[-1]) + 7) % 10)
    last = max(i for i, c in enumerate(value) if c.isalnum())
    other = next(c for c in ("e", "5", "d", "4") if c != value[last])
    return value[:last] + other + value[last + 1 :]


def variants(value: str) -> list[str]:
    """Return the forms in which an answer may repeat what it was sent, the longest first."""
    forms = {value, quote(value), quote(value, safe=""), quote_plus(value), html.escape(value), ids.slugify(value)}
    # A message may quote the beginning of what it refuses.
    forms |= {value[:length] for length in (20, 30, 40) if len(value) > length}
    return sorted((f for f in forms if f), key=len, reverse=True)


_CHANGING = (
    (re.compile(rb'data-now="\d+"'), b"<now>"),
    (re.compile(rb'name="csrf(middlewaretoken)?" (value|content)="[^"]*"'), b"<csrf>"),
    (re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), b"<id>"),
    (re.compile(rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[0-9.:+Z]*(&#43;\d\d:\d\d)?"), b"<time>"),
    (re.compile(rb"(<time [^>]*>)[^<]*"), rb"\1"),
    (re.compile(rb"undo=\d+"), b"<now>"),
    (re.compile(rb"if[kar]_[0-9a-f_]{12,}"), b"<token>"),
    (re.compile(rb"[0-9a-f]{32}\.[\w-]{43}"), b"<link>"),
    (re.compile(rb'(?<=["/>])\d{4}-\d{4}(?=["<])|(?<=%0A)\d{4}-\d{4}(?=%0A)'), b"<recovery code>"),
    # What setting up an app shows: the sealed key, the key, and its picture.
    (re.compile(rb"gAAAAA[\w=-]+"), b"<sealed>"),
    (re.compile(rb"secret=[A-Z2-7]{32}|([A-Z2-7]{4} ){7}[A-Z2-7]{4}|\b[A-Z2-7]{32}\b"), b"<key>"),
    (re.compile(rb'(?s)(<svg[^>]*><path[^>]* d=)"[^"]*"'), rb"\1"),
)


def without_echo(body: bytes, *values: str) -> bytes:
    """Return an answer without the values that it was sent."""
    for form in sorted((f for value in values for f in variants(value)), key=len, reverse=True):
        body = re.sub(re.escape(form.encode()), b"<sent>", body, flags=re.IGNORECASE)
    return body


def settled(body: bytes, *values: str) -> bytes:
    """Return an answer without what it was sent and without what differs from one request to the next."""
    body = without_echo(body, *values)
    for pattern, word in _CHANGING:
        body = pattern.sub(word, body)
    return body


def some(dice: random.Random, values: list[str], most: int) -> list[str]:
    return dice.sample(values, min(most, len(values)))
