"""The embedded database: who gets in, what a crash leaves, which data directories are refused."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from imagefactory.adapters.postgres import binaries, configuration, embedded
from imagefactory.adapters.postgres.errors import PostgresError
from imagefactory.adapters.postgres.temporary import account, serve, temporary


@pytest.fixture
def place() -> Iterator[Path]:
    """A prepared data directory without a running server."""
    found = Path(tempfile.mkdtemp(prefix="ifpg-"))
    found.chmod(0o711)
    embedded.prepare(found, account(), durable=False)
    yield found
    embedded.stop(found, seconds=5)
    shutil.rmtree(found)


@contextlib.contextmanager
def running(place: Path) -> Iterator[int]:
    server = serve(place, account())
    try:
        embedded.wait_ready(place, 30)
        yield server.pid
    finally:
        embedded.stop(place, seconds=5)
        server.wait(10)


def rows(place: Path, role: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(embedded.embedded_url(place, role)) as connection:
        return connection.execute(statement).fetchall()


def test_each_role_gets_in_with_its_password_and_nobody_without() -> None:
    with temporary() as place:
        for role in embedded.ROLES:
            assert rows(place, role, "select current_user::text") == [(role,)]
        without = embedded.embedded_url(place).split("&passfile")[0] + "&passfile=/dev/null"
        with pytest.raises(psycopg.OperationalError, match="no password supplied"):
            psycopg.connect(without)


def test_app_writes_rows_of_the_owners_tables_and_makes_none_itself() -> None:
    with temporary() as place:
        with psycopg.connect(embedded.embedded_url(place, "owner")) as owner:
            owner.execute("create table fact (id bigint generated always as identity, said text)")
        assert rows(place, "app", "insert into fact (said) values ('yes') returning id") == [(1,)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            rows(place, "app", "create table other (id int)")


def test_the_password_is_in_no_address_and_its_file_is_closed(place: Path) -> None:
    words = [line.rsplit(":", 1)[1] for line in embedded.passfile(place).read_text().splitlines()]
    assert len(words) == 4
    assert not any(word in embedded.embedded_url(place, role) for word in words for role in embedded.ROLES)
    assert embedded.passfile(place).stat().st_mode & 0o777 == 0o600
    assert embedded.socket_dir(place).stat().st_mode & 0o077 == 0


def test_it_listens_on_no_network_and_does_not_run_as_root(place: Path) -> None:
    with running(place) as pid:
        assert rows(place, "app", "show listen_addresses") == [("",)]
        assert Path(f"/proc/{pid}").stat().st_uid != 0


def test_committed_rows_survive_a_killed_server() -> None:
    with temporary(durable=True) as place:
        with psycopg.connect(embedded.embedded_url(place, "owner")) as owner:
            owner.execute("create table fact as select 41 + 1 as answer")
        os.kill(embedded.server_pids(place)[0], signal.SIGKILL)
        embedded.stop(place)
        with running(place):
            assert rows(place, "owner", "select answer from fact") == [(42,)]


def test_a_lock_left_by_a_crash_is_cleared_even_when_its_pid_lives_as_something_else(place: Path) -> None:
    lock = embedded.data_path(place) / "postmaster.pid"
    lock.write_text(f"{os.getppid()}\n{embedded.data_path(place)}\n0\n5432\n\n\n")
    embedded.clear_stale_lock(place)
    assert not lock.exists()


def test_the_lock_of_a_running_server_stays(place: Path) -> None:
    with running(place):
        embedded.clear_stale_lock(place)
        assert (embedded.data_path(place) / "postmaster.pid").exists()
        assert rows(place, "app", "select 1") == [(1,)]


def test_a_lost_password_file_is_made_anew_and_the_data_is_kept(place: Path) -> None:
    with running(place), psycopg.connect(embedded.embedded_url(place, "owner")) as owner:
        owner.execute("create table fact as select 7 as answer")
    embedded.passfile(place).unlink()
    assert not embedded.prepare(place, account(), durable=False)
    with running(place):
        assert rows(place, "owner", "select answer from fact") == [(7,)]


def test_a_half_made_data_directory_is_made_again(place: Path) -> None:
    embedded.data_path(place).rename(place / "postgres.new")
    assert embedded.prepare(place, account(), durable=False)
    with running(place):
        assert rows(place, "app", "select 1") == [(1,)]


@pytest.mark.parametrize(("shift", "sentence"), [(-1, "pg_upgrade"), (1, "newer than")])
def test_a_data_directory_of_another_major_version_is_refused_with_the_way_forward(
    place: Path, shift: int, sentence: str
) -> None:
    (embedded.data_path(place) / "PG_VERSION").write_text(f"{binaries.major() + shift}\n")
    with pytest.raises(PostgresError, match=sentence) as told:
        embedded.prepare(place, account(), durable=False)
    assert "Nothing was changed" in str(told.value)


def test_a_directory_that_is_no_database_is_refused(place: Path) -> None:
    (embedded.data_path(place) / "PG_VERSION").unlink()
    with pytest.raises(PostgresError, match="is not a PostgreSQL data directory"):
        embedded.prepare(place, account(), durable=False)


def test_a_path_too_long_for_sockets_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100)
    with pytest.raises(PostgresError, match="bytes shorter"):
        embedded.prepare(deep)
    assert not deep.exists()


@pytest.mark.parametrize(("gib", "buffers"), [(0.25, "32MB"), (4, "512MB"), (512, "1024MB")])
def test_shared_buffers_follow_memory_within_bounds(gib: float, buffers: str) -> None:
    text = configuration.server(Path("/run/pg"), int(gib * 1024**3))
    assert f"shared_buffers = {buffers}\n" in text


def test_a_throw_away_server_ends_when_its_starter_is_killed() -> None:
    program = (
        "import sys, time\n"
        "from imagefactory.adapters.postgres.temporary import temporary\n"
        "with temporary() as place:\n"
        "    print(place, flush=True)\n"
        "    time.sleep(60)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=environment) as run:
        assert run.stdout
        place = Path(run.stdout.readline().strip())
        assert embedded.server_pids(place)
        run.kill()
    deadline = time.monotonic() + 20
    while embedded.server_pids(place):
        assert time.monotonic() < deadline, "the server outlived its starter"
        time.sleep(0.05)
    shutil.rmtree(place)
