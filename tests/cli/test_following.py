"""Following: the polled log against the live server, and the live stream against one that breaks on purpose."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from imagefactory.domain.builds.states import BuildStatus
from imagefactory.entry.cli import follow as following
from imagefactory.entry.cli.client import ApiFailure, Client
from imagefactory.entry.cli.follow import LogPrinter, follow_log, parse_events
from imagefactory.entry.cli.tables import plain
from tests.cli.conftest import Cli
from tests.conftest import World

database = pytest.mark.django_db(transaction=True)
BUILD = "00000000-0000-4000-8000-000000000001"


@pytest.fixture
def build_id(owner: Cli, world: World, tmp_path: Path) -> str:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nLABEL a=b\n")
    made = owner.json("build", "submit", world.project.slug, "--dockerfile", str(tmp_path / "Dockerfile"))
    return str(made["id"])


@database
@pytest.mark.committed
@pytest.mark.parametrize(("status", "code"), [(BuildStatus.SUCCEEDED, 0), (BuildStatus.FAILED, 1)])
def test_following_shows_numbered_lines_and_ends_with_the_builds_status(
    owner: Cli, build_id: str, run_next: Callable[..., None], status: BuildStatus, code: int
) -> None:
    run_next(status)
    told = owner("build", "logs", build_id, "--follow", code=code).stdout
    assert "== build ==" in told
    assert "     2  line number 2" in told
    assert status.capitalize() in told
    assert ("The third step ended with status 1." in told) is (code == 1)
    assert owner.json("build", "show", build_id)["status"] == status


@database
@pytest.mark.committed
def test_a_cancelled_build_ends_the_following_with_130(owner: Cli, build_id: str) -> None:
    owner("build", "cancel", build_id)
    owner("build", "logs", build_id, "--follow", code=130)


@database
@pytest.mark.committed
def test_following_a_build_that_waits_says_its_place_and_then_shows_its_log(
    owner: Cli, build_id: str, run_next: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[bool] = []

    def pause(_seconds: float) -> None:
        if not ran:
            ran.append(True)
            run_next()

    monkeypatch.setattr(following, "_pause", pause)
    told = owner("build", "logs", build_id, "--follow").stdout
    assert told.index("Queued: ") < told.index("line number 1")


@database
@pytest.mark.committed
def test_an_interrupt_stops_following_and_says_how_to_cancel(
    owner: Cli, build_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(following, "_pause", interrupt)
    told = owner("build", "logs", build_id, "--follow", code=130).stderr
    assert f"imagefactory build cancel {build_id}" in told
    assert owner.json("build", "show", build_id)["status"] == "queued"


@database
@pytest.mark.committed
def test_the_log_is_printed_raw_as_json_and_by_attempt(
    owner: Cli, build_id: str, run_next: Callable[..., None]
) -> None:
    run_next(lines=12)
    raw = owner("build", "logs", build_id, "--raw").stdout
    assert raw == "".join(f"line number {n}\n" for n in range(1, 13))
    assert owner.json("build", "logs", build_id)["last"] == 12
    assert "    12  line number 12" in owner("build", "logs", build_id, "--attempt", "1").stdout
    owner("build", "logs", build_id, "--attempt", "2", code=4)
    owner("build", "logs", build_id, "--raw", "--follow", code=2)


@database
@pytest.mark.committed
def test_a_retry_is_followed_through_its_own_attempt(
    owner: Cli, build_id: str, run_next: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_next(BuildStatus.FAILED)
    monkeypatch.setattr(following, "_pause", lambda _: run_next(lines=5))
    told = owner("build", "retry", build_id, "--follow").stdout
    assert "Attempt 2." in told
    assert "line number 5" in told


class Stream(BaseHTTPRequestHandler):
    """Gives two lines, breaks, and goes on where Last-Event-ID says."""

    asked: ClassVar[list[str | None]] = []
    script: ClassVar[list[bytes]] = []
    status: ClassVar[int] = 200

    def do_GET(self) -> None:
        if "/logs/stream" not in self.path:
            self._answer({"lines": [[3, 1, "build", "out", "polled"]], "last": 3, "finished": True})
            return
        self.asked.append(self.headers.get("Last-Event-ID"))
        self.send_response(self.status)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(self.script.pop(0) if self.script else b"")

    def _answer(self, data: Any) -> None:
        body = json.dumps(data).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the base class
        """Be quiet."""


@pytest.fixture
def stream() -> Iterator[Client]:
    Stream.asked, Stream.script, Stream.status = [], [], 200
    with ThreadingHTTPServer(("127.0.0.1", 0), Stream) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        client = Client(f"http://127.0.0.1:{server.server_address[1]}", token="x")
        try:
            yield client
        finally:
            client.http.close()
            server.shutdown()
            thread.join()


def _event(kind: str, data: Any, number: int = 0) -> bytes:
    return f"id: {number}\nevent: {kind}\ndata: {json.dumps(data)}\n\n".encode()


def _lines(*numbers: int) -> bytes:
    return _event("lines", [[n, 1, "build", "out", f"text {n}"] for n in numbers], numbers[-1])


def test_a_broken_stream_is_resumed_and_no_line_is_lost_or_shown_twice(stream: Client) -> None:
    Stream.script = [b"retry: 2000\n\n: beat\n\n" + _lines(1, 2), _lines(2, 3) + _event("end", {"lines": 3})]
    shown: list[int] = []
    assert follow_log(stream, BUILD, 1, lambda line: shown.append(line[0])) == 3
    assert shown == [1, 2, 3]
    assert Stream.asked == [None, "2"]


def test_where_the_stream_does_not_answer_the_log_is_polled(stream: Client) -> None:
    Stream.status = 404
    shown: list[str] = []
    follow_log(stream, BUILD, None, lambda line: shown.append(line[4]))
    assert shown == ["polled"]
    assert len(Stream.asked) == 1


def test_a_stream_that_never_gives_a_line_is_given_up_for_polling(
    stream: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "_pause", lambda _: None)
    shown: list[str] = []
    follow_log(stream, BUILD, None, lambda line: shown.append(line[4]))
    assert shown == ["polled"]
    assert len(Stream.asked) == following._RECONNECTS


def test_a_right_that_was_taken_away_ends_the_following(stream: Client) -> None:
    Stream.script = [_event("denied", {"code": "permission_denied", "message": "You may not see this any more."})]
    with pytest.raises(ApiFailure, match="not see this any more") as refused:
        follow_log(stream, BUILD, 1, lambda _: None)
    assert refused.value.code == 3


def test_an_event_may_come_in_several_data_lines() -> None:
    assert list(parse_events(iter(["event: a", "data: 1", "data: 2", "", "data:3", ""]))) == [
        ("a", "1\n2"),
        ("message", "3"),
    ]


def test_escape_sequences_of_a_build_do_not_reach_the_terminal() -> None:
    written: list[str] = []
    LogPrinter(lambda text: written.append(plain(text)))([1, 1, "build", "err", "\x1b]0;evil\x07\x1b[31mred\x1b[0m"])
    assert "\x1b" not in written[1]
    assert "\x07" not in written[1]
    assert written[1].endswith("red")
    assert written[1].startswith("     1! ")
