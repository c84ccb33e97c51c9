"""The log without scripts and the JSON under it: what is shown of which attempt, to whom, and how refusals read."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import Any

import pytest
from django.test import Client

from imagefactory.domain.builds import queue
from imagefactory.domain.builds.services import execution
from imagefactory.domain.builds.services.submit import rerun_build, submit_build
from imagefactory.domain.builds.states import BuildStatus
from imagefactory.domain.identity.permissions import ROLE_PERMISSIONS, Permission, Role
from imagefactory.entry.web.log_marks import mark_of
from tests.browser import log_world
from tests.conftest import INLINE, World
from tests.pages.test_pages import client

STEPS = [
    ["STEP 1/2: FROM python:3.12-slim", "--> Using cache 81ab"],
    ["STEP 2/2: RUN make", "\x1b[31mred\x1b[0m <script>alert(1)</script> & more", "WARNING: old", "ERROR: it broke"],
]


def address(world: World, number: int, rest: str = "") -> str:
    return f"/t/{world.tenant_slug}/p/{world.project.slug}/builds/{number}{rest}"


def text(world: World, number: int, rest: str = "", role: str = "viewer") -> str:
    answer = client(world, role).get(address(world, number, rest))
    assert answer.status_code == 200, answer.getvalue()[:300]
    return str(answer.getvalue().decode())


def read(world: World, number: int, rest: str) -> Any:
    return json.loads(text(world, number, rest))


@pytest.fixture
def failed(world: World) -> log_world.Run:
    made = log_world.run(world)
    log_world.fill(made, STEPS, fail=True)
    return made


def test_the_page_shows_stages_as_folds_and_opens_the_failed_one(world: World, failed: log_world.Run) -> None:
    page = text(world, failed.number)
    folds = re.findall(r'<details class="log-stage" id="stage-(\w+)"( open)?>', page)
    assert folds == [("fetch", ""), ("lint", ""), ("build", " open")]
    assert "no lines" not in page
    assert "2 lines" in page


def test_lines_have_anchors_with_the_attempt_and_their_full_time(world: World, failed: log_world.Run) -> None:
    page = text(world, failed.number)
    row = re.search(r'<div class="ln e" id=L9><a href="([^"]+)" data-n=9 title="([^"]+)"', page)
    assert row is not None
    assert row[1] == "?attempt=1#L9"
    assert dt.datetime.fromisoformat(row[2]).tzinfo is not None


def test_sequences_are_gone_and_markup_is_text(world: World, failed: log_world.Run) -> None:
    for rest in ("", "/log"):
        page = text(world, failed.number, rest)
        assert "\x1b" not in page
        assert "red &lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in page
        assert "<script>alert" not in page


def test_masking_and_retention_are_told_in_place(world: World, failed: log_world.Run) -> None:
    assert "3 secret values masked as ***. Kept as long as the project." in text(world, failed.number)


def test_a_long_log_keeps_the_failing_stage_and_names_the_rest(world: World) -> None:
    made = log_world.run(world)
    log_world.fill(made, [[f"line {i}" for i in range(2500)]], fail=True)
    page = text(world, made.number)
    assert page.count('<div class="ln') == 1500
    assert f"id=L{made.next - 1}>" in page
    assert "The first 1,001 lines are in the" in page
    assert "id=L1>" not in page


def test_without_a_line_the_page_says_why(world: World) -> None:
    number = log_world.submit(world)
    assert "Queued: next in line" in text(world, number)
    made = log_world.claimed(number)
    assert "its first line is on its way" in text(world, number, "/log")
    made.finish(BuildStatus.CANCELLED)
    assert "This attempt wrote no log." in text(world, number)


def test_a_search_works_without_scripts(world: World, failed: log_world.Run) -> None:
    page = text(world, failed.number, "/log?q=using+CACHE")
    assert "1 line matches." in page
    assert page.count("--&gt; Using cache 81ab") == 2, "in the result and in the log"
    assert "That is not a regular expression" in text(world, failed.number, "/log?q=(&regex=1")


def test_the_raw_log_is_plain_text_without_sequences(world: World, failed: log_world.Run) -> None:
    answer = client(world, "viewer").get(address(world, failed.number, "/log/raw"))
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert answer["X-Content-Type-Options"] == "nosniff"
    lines = answer.getvalue().decode().splitlines()
    assert len(lines) == failed.next - 1
    assert lines[6] == "red <script>alert(1)</script> & more"


def test_a_download_has_a_name_that_says_what_it_is(world: World, failed: log_world.Run) -> None:
    whole = client(world, "viewer").get(address(world, failed.number, "/log/download"))
    assert whole["Content-Disposition"] == 'attachment; filename="checkout-api-build-1-attempt-1.log"'
    stage = client(world, "viewer").get(address(world, failed.number, "/log/download?stage=lint"))
    assert stage["Content-Disposition"] == 'attachment; filename="checkout-api-build-1-attempt-1-lint.log"'
    assert stage.getvalue().decode() == "Dockerfile is good\n"
    assert client(world, "viewer").get(address(world, failed.number, "/log/download?stage=scan")).status_code == 404


def test_reading_is_not_downloading(world: World, failed: log_world.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    held = ROLE_PERMISSIONS[Role.VIEWER]
    monkeypatch.setitem(ROLE_PERMISSIONS, Role.VIEWER, held - {Permission.LOG_DOWNLOAD})
    viewer, member = client(world, "viewer"), client(world, "member")
    for rest in ("/log/raw", "/log/download", "/log/download?stage=lint"):
        assert viewer.get(address(world, failed.number, rest)).status_code == 403, rest
        assert member.get(address(world, failed.number, rest)).status_code == 200, rest
    page = text(world, failed.number)
    assert "ERROR: it broke" in page
    assert "/log/raw" not in page
    assert "/log/download" not in page


def test_each_attempt_has_its_own_log(world: World, failed: log_world.Run) -> None:
    actor = world.actor("owner")
    rerun_build(actor, failed.claim.build_id)
    second = log_world.claimed(failed.number)
    second.begin("fetch")
    second.write("fetch", ["second attempt"])
    assert "second attempt" in text(world, failed.number)
    old = text(world, failed.number, "/log?attempt=1")
    assert "second attempt" not in old
    assert "Attempt 1 is not the newest." in old
    assert client(world, "owner").get(address(world, failed.number, "/log?attempt=3")).status_code == 404
    assert client(world, "owner").get(address(world, failed.number, "/log?attempt=x")).status_code == 400
    assert read(world, failed.number, "/log/lines?attempt=2")["lines"][0][4] == "second attempt"


def test_lines_come_behind_a_number_with_the_state(world: World, failed: log_world.Run) -> None:
    answer = read(world, failed.number, "/log/lines?after=3&limit=2")
    assert [line[0] for line in answer["lines"]] == [4, 5]
    assert answer["lines"][1][2:] == ["build", "out", "--> Using cache 81ab"]
    assert (answer["status"], answer["finished"], answer["total"]) == ("failed", True, failed.next - 1)
    assert [(s["name"], s["status"], s["first"]) for s in answer["stages"]] == [
        ("fetch", "succeeded", 1), ("lint", "succeeded", 3), ("build", "failed", 4), ("publish", "skipped", 0),
    ]  # fmt: skip
    assert read(world, failed.number, "/log/lines?limit=0")["lines"] == []


def test_the_outline_names_errors_warnings_and_folds(world: World, failed: log_world.Run) -> None:
    outline = read(world, failed.number, "/log/outline")
    assert outline["errors"] == [9]
    assert outline["warnings"] == [8]
    assert (outline["error_count"], outline["warning_count"], outline["complete"]) == (1, 1, True)
    assert [(fold[0], fold[2]) for fold in outline["folds"]] == [(4, "step"), (5, "cached"), (6, "step")]
    assert outline["folds"][2][3] == "STEP 2/2: RUN make"


def test_the_outline_of_a_running_log_grows_with_it(world: World) -> None:
    made = log_world.run(world)
    made.begin("build")
    made.write("build", ["error: one"])
    assert read(world, made.number, "/log/outline")["errors"] == [1]
    made.write("build", ["error: two"])
    assert read(world, made.number, "/log/outline")["errors"] == [1, 2]


def test_a_search_looks_at_the_whole_log(world: World) -> None:
    made = log_world.run(world)
    log_world.fill(made, [[f"item {i}" for i in range(3000)]])
    found = read(world, made.number, "/log/search?q=ITEM+299")
    assert found["total"] == 11
    assert found["complete"] is True
    assert len(found["numbers"]) == 11
    assert read(world, made.number, "/log/search?q=ITEM&case=1")["total"] == 0
    assert read(world, made.number, "/log/search?q=^item+2[0-9]{3}$&regex=1")["total"] == 1000


@pytest.mark.parametrize(
    ("rest", "sentence"),
    [
        ("search?q=(&regex=1", "That is not a regular expression"),
        ("search?q=", "Search for 1 to 512 characters"),
        ("lines?after=-1", "after is a whole number"),
        ("lines?limit=99999", "limit is a whole number from 0 to 10,000"),
        ("lines?attempt=abc", "attempt is a whole number"),
    ],
)
def test_what_cannot_be_answered_is_one_sentence(world: World, failed: log_world.Run, rest: str, sentence: str) -> None:
    answer = client(world, "viewer").get(address(world, failed.number, f"/log/{rest}"))
    assert answer.status_code == 400
    assert sentence in answer.json()["error"]["message"]


def test_a_script_is_told_that_the_session_is_over(world: World, failed: log_world.Run) -> None:
    answer = Client().get(address(world, failed.number, "/log/lines"))
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "unauthorized"


def test_a_queued_build_has_a_state_and_no_lines(world: World) -> None:
    build = submit_build(world.actor("owner"), world.project.id, INLINE)
    answer = read(world, build.number, "/log/lines")
    assert (answer["status"], answer["attempt"], answer["lines"]) == ("queued", 0, [])
    assert answer["empty"].startswith("Queued: ")


def test_a_lost_attempt_opens_its_last_stage(world: World) -> None:
    made = log_world.run(world)
    made.begin("fetch")
    made.write("fetch", ["one"])
    claim = made.claim
    execution.give_back(claim, "The provider did not answer.")
    assert 'id="stage-fetch" open' in text(world, made.number)
    assert queue.claim("w") is None


MARKED = {
    "error": (
        "error: no such file", "ERROR: Could not find a version", "Error: building at STEP", "main.c:3:5: error: expected ;",
        "error[E0308]: mismatched types", "npm ERR! code ELIFECYCLE", "2026-11-25 10:00:00 ERROR db: gone", "[FATAL] no disk",
        "E: Unable to locate package x", "Traceback (most recent call last):", "fatal: not a git repository",
        "make: *** [Makefile:2: all] Error 1", "\x1b[1;31merror:\x1b[0m coloured",
    ),
    "warning": (
        "warning: unused variable", "WARNING: Ignoring invalid distribution", "W: GPG error", "npm warn deprecated x",
        "a.c:1:2: warning: implicit", "[WARN] slow",
    ),
    "step": ("STEP 3/7: RUN x", "[1/2] STEP 4/9: COPY . ."),
    "open": ("##[group]Resolve", "::group::Resolve"),
    "close": ("##[endgroup]", "::endgroup::"),
    "cached": ("--> Using cache 0af1",),
    "": (
        "0 errors, 0 warnings", "errors.py copied", "-Werror set", "--log-level=ERROR", "no error found", "Step 3/7 done",
        "x" * 400 + " ERROR: far behind", "", "terror: a novel",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "line"), [(kind, line) for kind, lines in MARKED.items() for line in lines])
def test_marks(kind: str, line: str) -> None:
    assert mark_of(line) == kind
