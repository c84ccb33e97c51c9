"""What an entry says of an event: who, what, on which object; secrets masked; and what the relay writes at once."""

from __future__ import annotations

import datetime as dt
import threading
import uuid
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from imagefactory.domain.audit.masking import MASKED, MAX_TEXT, SECRET_NAMES, mask
from imagefactory.domain.audit.models import AuditEntry, ChainHead
from imagefactory.domain.audit.objects import object_of
from imagefactory.domain.audit.services.record import record
from imagefactory.domain.audit.services.trim import make_partitions_ahead, months
from tests.audit.trail import T1, T2, checked, envelope, write


@pytest.mark.parametrize(
    "name", [*SECRET_NAMES, "old_password", "clientSecret", "X-Api-Key", "smtp_password", "DB_TOKEN"]
)
def test_a_value_under_the_name_of_a_secret_is_masked(name: str) -> None:
    assert mask({"deep": [{name: "hunter2hunter2"}]}) == {"deep": [{name: MASKED}]}


@pytest.mark.parametrize(
    "value",
    [
        "ifk_0123456789abcdef_secretsecret", "ifa_0123456789abcdef0123", "-----BEGIN OPENSSH PRIVATE KEY-----\nabc",
        "AKIA" + "A" * 16, "ghp_" + "a" * 36, "https://user:pass1234@example.com/x",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefghijklmnop", "text around ifr_0123456789abcdef0123 too",
    ],
)  # fmt: skip
def test_a_value_of_the_shape_of_a_secret_is_masked_whatever_its_field(value: str) -> None:
    assert mask({"note": value, "list": [value]}) == {"note": MASKED, "list": [MASKED]}


def test_what_is_no_secret_stays_as_it_is() -> None:
    plain = {"name": "token for ci", "key_id": "1", "secret_name": "DB", "count": 3, "on": True, "none": None, "x": 1.5,
             "password": "", "scopes": ["build:view"], "expires_at": "2026-11-25T00:00:00+00:00", "token_count": 7}  # fmt: skip
    assert mask(plain) == plain


def test_every_size_is_bounded_and_odd_values_survive() -> None:
    deep: Any = "x"
    for _ in range(50):
        deep = {"d": deep}
    shown = mask({"text": "x" * 5000, "list": list(range(5000)), "deep": deep, "nan": float("nan"), "whole": 1e300,
                  "odd": "a\ud800b\0c", "object": uuid.UUID(int=1)})  # fmt: skip
    assert len(shown["text"]) < MAX_TEXT + 40
    assert len(shown["list"]) == 101
    assert "more fields" in str(shown["deep"])
    assert (shown["nan"], shown["whole"]) == ("nan", int(1e300))
    assert "\0" not in shown["odd"]


def test_an_entry_with_odd_values_is_verified_as_it_was_written(db: None) -> None:
    write(payload={"note": "ü" * 3000, "n": [1.0, 1e300, 1e-9, 12345678901234567890, 0.1, -0.0], "e": {}, "l": []})
    write(payload={"reason": "  spaced\tout\n", "project_id": "no id", "before": "member", "after": ""})
    assert checked().problems == []
    last = AuditEntry.objects.get(tenant_id=T1, seq=2)
    assert (last.before, last.after, last.project_id, last.reason) == (
        {"value": "member"},
        {"value": ""},
        None,
        "  spaced\tout\n",
    )


@pytest.mark.parametrize(
    ("type_", "payload", "expected"),
    [
        ("build.queued", {"build_id": "b", "project_id": "p", "number": 7}, ("build", "b", "#7")),
        ("project.credential_created", {"credential_id": "c", "project_id": "p", "name": "GIT"}, ("credential", "c", "GIT")),
        ("member.api_key_created", {"key_id": "k", "name": "ci"}, ("api_key", "k", "ci")),
        ("member.role_set", {"user_id": "u", "project_id": "p", "email": "a@b.c"}, ("person", "u", "a@b.c")),
        ("project.changed", {"project_id": "p", "slug": "shop"}, ("project", "p", "shop")),
        ("tenant.created", {"slug": "acme"}, ("tenant", str(T1), "acme")),
        ("image.published", {"project_id": "p", "repository": "a/b", "digest": "sha256:1"}, ("image", "sha256:1", "a/b")),
        ("policy.changed", {"policy_id": "x", "name": "strict"}, ("policy", "x", "strict")),
        ("member.sign_in_refused", {"email": "a@b.c"}, ("person", "", "a@b.c")),
        ("audit.refused", {"object_kind": "image", "object_id": "i", "object_label": "l"}, ("image", "i", "l")),
        ("something.odd", {}, ("", "", "")),
    ],
)  # fmt: skip
def test_the_object_is_read_from_the_payload(
    type_: str, payload: dict[str, Any], expected: tuple[str, str, str]
) -> None:
    assert object_of(type_, T1, payload) == expected


def test_a_batch_takes_as_many_statements_as_one_event(db: None) -> None:
    write(1)
    counts = []
    for many in (1, 100):
        with CaptureQueriesContext(connection) as queries, transaction.atomic():
            record([envelope(tenant) for _ in range(many) for tenant in (T1, T2, None)])
        counts.append(len([q for q in queries if "SAVEPOINT" not in q["sql"]]))
    assert counts == [6, 6]
    assert checked().problems == []


def test_an_event_that_stands_twice_in_a_batch_and_again_later_has_one_entry(db: None) -> None:
    one = envelope()
    for batch in ([one, one], [one], [envelope(), one]):
        with transaction.atomic():
            record(batch)
    assert AuditEntry.objects.count() == 2
    assert checked().problems == []


def test_a_month_without_a_partition_is_made_when_an_entry_needs_it(db: None) -> None:
    for year in (1999, 2031):
        write(at=dt.datetime(year, 12, 31, 23, 59, 59, 999_999, tzinfo=dt.UTC))
        write(at=dt.datetime(year, 12, 31, 19, tzinfo=dt.timezone(dt.timedelta(hours=-8))))
    assert {"audit_entry_y1999m12", "audit_entry_y2000m01", "audit_entry_y2031m12", "audit_entry_y2032m01"} <= {
        name for name, *_ in months()
    }
    assert checked().problems == []


def test_partitions_are_made_ahead_and_twice_does_no_harm(db: None) -> None:
    make_partitions_ahead(3)
    made = months()
    make_partitions_ahead(3)
    assert months() == made
    assert len(made) >= 4


@pytest.mark.committed
@pytest.mark.django_db(transaction=True)
def test_writers_at_the_same_time_leave_one_unbroken_chain() -> None:
    errors: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(10):
                write(3)
                write(2, T2)
        except BaseException as error:  # noqa: BLE001 - told to the test
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert errors == []
    assert dict(ChainHead.objects.values_list("chain", "seq")) == {T1: 120, T2: 80}
    report = checked()
    assert (report.problems, report.rows) == ([], 200)
