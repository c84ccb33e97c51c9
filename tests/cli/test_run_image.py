"""The demo's look at its image: unpacked, run, asked and gone, as root and as an ordinary user."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from imagefactory.adapters.registries import layout
from imagefactory.entry.cli import demo, run_image
from imagefactory.entry.cli.client import ApiFailure

BUSYBOX = Path("/bin/busybox")
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not BUSYBOX.exists(), reason="busybox-static is not installed"),
]
SOURCE = Path(run_image.__file__).resolve().parents[3]
SERVE = "id -u; ls /; exec httpd -f -p 127.0.0.1:$PORT -h /www"


@pytest.fixture
def place() -> Iterator[Path]:
    """Return a directory that every user can reach; pytest's own is closed to others."""
    made = Path(tempfile.mkdtemp(prefix="ifrun-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


def image(place: Path, command: str = SERVE, **config: Any) -> Path:
    """Write an image with a shell, a page, a link that leads to `/etc` and a directory that nobody may write into."""
    tar = place / "root.tar"
    with tarfile.open(tar, "w") as out:
        for name, mode in (("bin", 0o755), ("etc", 0o755), ("www", 0o755), ("closed", 0o555)):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode, folder.uid = tarfile.DIRTYPE, mode, 1000
            out.addfile(folder)
        out.add(BUSYBOX, "bin/busybox")
        for name, target in (("bin/sh", "busybox"), ("bin/httpd", "/bin/busybox"), ("bin/id", "busybox"),
                             ("bin/ls", "busybox"), ("bin/cat", "busybox"), ("out", "/etc")):  # fmt: skip
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            out.addfile(link)
        for name, text in (("www/index.html", "first line\nsecond line\n"), ("out/if-written-by-a-test", "inside"),
                           ("../../up", "inside")):  # fmt: skip
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text), 0o644
            out.addfile(entry, io.BytesIO(text.encode()))
    config = {"Cmd": ["/bin/sh", "-c", command], "Env": ["PORT=8080", "PATH=/bin"], "User": "65534:65534"} | config
    layout.write_from_tar(tar, place / "image", config=config, created="2023-11-14T22:13:20Z")
    return place / "image"


def left() -> list[str]:
    """Return what is left of a run: directories, and processes of its command."""
    found = [str(p) for p in Path(tempfile.gettempdir()).glob("if-run-*")]
    return found + [str(p.cmdline()) for p in psutil.process_iter() if "127.0.0.1:" in " ".join(_words(p))]


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline() if "httpd" in process.name() else []
    except psutil.Error:
        return []


def test_an_image_answers_for_itself_and_is_gone_afterwards(place: Path) -> None:
    told: list[str] = []
    before = left()
    assert run_image.ask(image(place), told.append) == (200, "first line")
    assert left() == before
    assert told[0].startswith("Unpacking")
    assert told[1].startswith("Running /bin/sh -c")
    assert not Path("/etc/if-written-by-a-test").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")
def test_an_ordinary_user_can_do_it_too(place: Path) -> None:
    where = image(place, "[ $(id -u) = 0 ] && [ $(cat /out/if-written-by-a-test) = inside ] && " + SERVE)
    code = "import sys, pathlib; from imagefactory.entry.cli import run_image as r; print(r.ask(pathlib.Path(sys.argv[1]), print))"
    done = subprocess.run(
        ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", sys.executable, "-c", code, str(where)],
        env={"PYTHONPATH": str(SOURCE), "PATH": os.environ["PATH"], "TMPDIR": "/tmp"},  # noqa: S108 - everybody's
        capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip
    if "user namespace" in done.stderr:
        pytest.skip(done.stderr.strip().splitlines()[-1])
    assert "Answer(status=200, first_line='first line')" in done.stdout, done.stderr
    assert left() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's image runs as that user")
def test_root_runs_it_as_the_images_own_user(place: Path) -> None:
    check = "[ $(id -u) = 1000 ] && [ $(id -g) = 7 ] && "
    assert run_image.ask(image(place, check + SERVE, User="1000:7"), lambda _: None).status == 200


def test_an_image_that_ends_or_names_nothing_to_run_is_a_sentence_with_its_last_words(place: Path) -> None:
    with pytest.raises(run_image.NoAnswer, match="exit status 3 before it answered; it said: no luck"):
        run_image.ask(image(place, "echo no luck >&2; exit 3"), lambda _: None)
    assert left() == []
    (place / "none").mkdir()
    with pytest.raises(run_image.NotRun, match="names no command"):
        run_image.ask(image(place / "none", Cmd=[]), lambda _: None)
    (place / "port").mkdir()
    with pytest.raises(run_image.NotRun, match="no port to ask at"):
        run_image.ask(image(place / "port", Env=["PATH=/bin"]), lambda _: None)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to take a capability away")
def test_a_machine_that_does_not_allow_it_is_told_as_such(place: Path) -> None:
    where = image(place)
    code = "import sys, pathlib; from imagefactory.entry.cli import demo; demo._run({'reference': 'x/y', 'digest': 'd'}, pathlib.Path(sys.argv[1]))"
    done = subprocess.run(
        ["setpriv", "--bounding-set=-sys_chroot", "--inh-caps=-sys_chroot", sys.executable, "-c", code, str(where)],
        env={"PYTHONPATH": str(SOURCE), "PATH": os.environ["PATH"], "COLUMNS": "200"},
        capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (
        "pulled and not run: this machine does not let a program be closed in (chroot: Operation not permitted)."
        in (done.stderr)
    )
    assert "docker run --rm -p 8080:8080 x/y@d" in done.stdout
    assert "Answer" not in done.stdout
    assert left() == []


def test_an_answer_that_is_no_success_fails_the_demo(place: Path) -> None:
    where = image(place, "exec httpd -f -p 127.0.0.1:$PORT -h /bin")  # there is no page there
    with pytest.raises(ApiFailure, match="answered 404 for its page"):
        demo._run({"reference": "x/y", "digest": "d"}, where)
