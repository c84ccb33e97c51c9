"""What keeps the factory from starting is told before anything is touched: by `up`, by `doctor`, all together."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagefactory.adapters.postgres import binaries
from tests.runtime.stand import Factory, free_port, needs_root, ordinary_user

pytestmark = pytest.mark.real


def told(factory: Factory, *words: str) -> None:
    """See that `up` and `doctor` refuse with these words, and that nothing in the data directory changed."""
    before = contents(factory.data)
    for command in ("up", "doctor"):
        said = factory(command)
        text = " ".join((said.stdout + said.stderr).split())
        assert said.returncode == 1, text
        for word in words:
            assert word in text
        assert "Traceback" not in text
    assert contents(factory.data) == before


def contents(place: Path) -> dict[str, tuple[int, int, bytes]]:
    if not place.is_dir():
        return {}
    found = {}
    # The lock of `up` itself may be there.
    for path in (path for path in sorted(place.rglob("*")) if path.relative_to(place).parts[0] != "supervisor"):
        seen = path.lstat()
        found[str(path)] = (seen.st_uid, seen.st_mode, path.read_bytes() if path.is_file() else b"")
    return found


@pytest.fixture
def factory() -> Iterator[Factory]:
    made = Factory()
    yield made
    made.remove()


@contextlib.contextmanager
def mounted(*options: str) -> Iterator[Path]:
    """Mount a small file system of the test's own."""
    place = Path(tempfile.mkdtemp(prefix="ifdisk-"))
    subprocess.run(["mount", "-t", "tmpfs", *options, "iftest", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)
        place.rmdir()


@needs_root
def test_a_full_disk(factory: Factory) -> None:
    with mounted("-o", "size=64m,mode=755") as disk:
        factory.data = disk / "data"
        told(factory, f"The disk of {factory.data} is full: 64 MiB are left", "needs 1024 MiB", "IMAGEFACTORY_DATA_DIR")
        assert not factory.data.exists()
        # Not one byte is left, where not even a lock could be written.
        factory.data.mkdir()
        (disk / "filler").write_bytes(b"x" * (64 << 20))
        told(factory, "is full: 0 MiB are left")


@needs_root
def test_a_disk_without_room_for_more_files(factory: Factory) -> None:
    with mounted("-o", "size=2g,nr_inodes=500,mode=755") as disk:
        factory.data = disk
        told(factory, "has room for 499 more files only", "df -i")


@needs_root
def test_a_read_only_disk(factory: Factory) -> None:
    with mounted("-o", "size=2g,mode=755") as disk:
        (disk / "data").mkdir()
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        for data in (disk / "data", disk / "other"):
            factory.data = data
            told(factory, f"{data} cannot be written", "mounted read-only")


@needs_root
def test_a_directory_of_another_user_and_one_that_may_not_be_written() -> None:
    with ordinary_user(ranges=True) as name:
        roots, theirs = Factory(), Factory(name)
        theirs.data = roots.place
        told(theirs, f"{roots.place} belongs to the user root, and this is {name}", "Start as root")
        roots.data = theirs.place
        told(roots, f"{theirs.place} belongs to the user {name}, and this is root", f"Start as {name}")
        theirs.data = roots.place / "below"
        told(theirs, f"{name} may not write there")
        theirs.data = theirs.place
        theirs.place.chmod(0o500)
        told(theirs, f"{theirs.place} cannot be written: {name} may not write there")
        roots.remove()
        theirs.remove()


@needs_root
def test_state_of_another_user_as_after_a_restore(factory: Factory) -> None:
    (factory.data / "VERSION").write_text("1\n")
    for name in ("postgres", "registry"):
        (factory.data / name).mkdir()
    (factory.data / "postgres" / "PG_VERSION").write_text(f"{binaries.major()}\n")
    told(factory, "postgres, registry in", "belong to another user than imagefactory", "chown -R imagefactory:")


def test_a_directory_that_is_no_data_directory(factory: Factory) -> None:
    (factory.data / "thesis.tex").write_text("years of work")
    told(factory, "is not a factory's data directory", "thesis.tex", "Nothing was changed")


def test_a_file_in_place_of_the_directory(factory: Factory) -> None:
    factory.data = factory.place / "file"
    factory.data.write_text("x")
    told(factory, f"{factory.data} is not a directory")


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("999", "was written by a newer factory (its version is 999"),
        ("0", "was written by a factory too old for this one (its version is 0"),
        ("x", "should hold a number and holds 'x'"),
    ],
)
def test_a_data_directory_of_another_version(factory: Factory, version: str, words: str) -> None:
    (factory.data / "VERSION").write_text(f"{version}\n")
    (factory.data / "kept").write_text("nothing is lost")
    told(factory, words)


def test_a_database_of_an_older_postgresql(factory: Factory) -> None:
    (factory.data / "VERSION").write_text("1\n")
    place = factory.data / "postgres"
    place.mkdir()
    (place / "PG_VERSION").write_text(f"{binaries.major() - 1}\n")
    if os.geteuid() == 0:
        shutil.chown(place, "imagefactory", "imagefactory")
    told(factory, f"was written by PostgreSQL {binaries.major() - 1}", "pg_upgrade", "docs/operator.md")


def test_a_port_in_use_names_the_port_the_process_and_the_setting(factory: Factory) -> None:
    with socket.create_server(("127.0.0.1", factory.port)):
        told(
            factory, f"Port {factory.port} on 127.0.0.1 is in use by python", f"(process {os.getpid()})",
            "IMAGEFACTORY_PUBLIC_URL",
        )  # fmt: skip


def test_a_certificate_that_is_not_there(factory: Factory) -> None:
    factory.settings = {
        "IMAGEFACTORY_PUBLIC_URL": f"https://localhost:{free_port()}",
        "IMAGEFACTORY_TLS_CERTIFICATE": str(factory.place / "no.pem"),
        "IMAGEFACTORY_TLS_KEY": "/dev/null",
    }
    told(factory, f"IMAGEFACTORY_TLS_CERTIFICATE names {factory.place}/no.pem")


def test_all_reasons_are_told_together(factory: Factory) -> None:
    (factory.data / "VERSION").write_text("999\n")
    with socket.create_server(("127.0.0.1", factory.port)):
        told(factory, "was written by a newer factory", f"Port {factory.port} on 127.0.0.1 is in use")


def test_all_wrong_settings_are_told_together_with_what_they_say_to_each_other(factory: Factory) -> None:
    factory.settings = {
        "IMAGEFACTORY_WEB_WORKERS": "none",
        "IMAGEFACTORY_BUILD_ISOLATION": "strong",
        "IMAGEFACTORY_PUBLIC_URL": "https://factory.example",
        "IMAGEFACTORY_TLS_KEY": "key.pem",
    }
    for command in ("up", "doctor", "status", "down"):
        said = factory(command)
        assert said.returncode == 2
        for word in ("4 problems", *factory.settings, "IMAGEFACTORY_TLS_CERTIFICATE", "the public address is https"):
            assert word in said.stderr or word == "IMAGEFACTORY_PUBLIC_URL"
        assert "Traceback" not in said.stderr
    assert list(factory.data.iterdir()) == []
