"""A hostile Dockerfile gets nowhere: real buildah in a real jail, with the known escapes of Debian's
buildah."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagefactory.executors.base import End
from tests.executors.stand import (
    BUD,
    PUSH,
    SMALL,
    Stand,
    dockerfile,
    needs_buildah,
    needs_root,
    plan,
    play,
    running,
    sh,
)

pytestmark = [needs_root, needs_buildah, pytest.mark.real]
ROOMY = dataclasses.replace(SMALL, memory_mib=512, disk_mib=512)


@pytest.fixture
def prey() -> Iterator[Path]:
    """A directory of the host that anybody may write to, with a file in it that anybody may read."""
    with tempfile.TemporaryDirectory(prefix="ifprey-", dir="/var/tmp") as name:
        place = Path(name)
        place.chmod(0o777)
        (place / "treasure").write_text("host treasure")
        (place / "treasure").chmod(0o666)
        yield place


def _untouched(prey: Path) -> bool:
    return [p.name for p in prey.iterdir()] == ["treasure"] and (prey / "treasure").read_text() == "host treasure"


def test_an_ordinary_build_makes_an_oci_layout(stand: Stand) -> None:
    given = plan(stand.executor, BUD, PUSH, limits=ROOMY)
    dockerfile("FROM base\nRUN id -u && echo hi > /greeting\n")(given.workspace)
    text = b"".join(getattr(e, "data", b"") for e in stand.executor.start(given).events()).decode()
    assert "STEP" in text
    assert (given.workspace / "out" / "image" / "index.json").is_file()
    stand.executor.cleanup(given.execution_id)


def test_the_root_of_a_run_step_is_nobody_on_the_host(stand: Stand) -> None:
    played = play(
        stand.executor, BUD, fill=dockerfile("FROM base\nRUN cat /proc/self/uid_map; sleep 0\n"), limits=ROOMY
    )
    assert played.end is End.SUCCEEDED, played.text
    (mapped,) = [line.split() for line in played.text.splitlines() if line.split()[:1] == ["0"]]
    assert int(mapped[1]) >= 900_000_000


def test_a_build_never_reads_the_hosts_shadow_file(stand: Stand) -> None:
    script = "FROM base\nRUN cat /etc/shadow || cat /proc/1/root/etc/shadow || cat /proc/self/root/../etc/shadow || echo nothing\n"
    played = play(stand.executor, BUD, fill=dockerfile(script), limits=ROOMY)
    assert "root:" not in played.text
    assert "nothing" in played.text.splitlines()
    outside = play(stand.executor, sh("cat /etc/shadow; ls /root /home /work; exit 5"))
    assert outside.codes == [5]
    assert "root:" not in outside.text


@pytest.fixture(scope="session")
def escape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The classic escape from chroot as a program that needs nothing of the image it runs in."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("a C compiler is missing: apt-get install gcc libc6-dev")
    program = tmp_path_factory.mktemp("escape") / "escape"
    source = Path(__file__).with_name("escape.c")
    subprocess.run([compiler, "-static", "-O1", "-o", str(program), str(source)], check=True)
    return program


def test_the_escape_is_a_real_one(escape: Path, prey: Path, tmp_path: Path) -> None:
    """Root in a plain chroot of the host gets out, reads and writes: what the next test must not see."""
    shutil.copy(escape, tmp_path / "escape")
    said = subprocess.run(["chroot", str(tmp_path), "/escape", str(prey)], capture_output=True, text=True, check=True)
    assert {"climbed", "read: host treasure", "wrote", "top: root"} <= set(said.stdout.splitlines())
    assert not _untouched(prey)


@pytest.mark.parametrize("isolation", ["rootless", "chroot"])
def test_the_classic_chroot_escape_stays_inside(stand: Stand, prey: Path, escape: Path, isolation: str) -> None:
    bud = [*BUD]
    bud[bud.index("rootless")] = isolation
    if isolation == "chroot":
        del bud[bud.index("--network") : bud.index("--network") + 2]
    text = f'FROM base\nCOPY escape /escape\nRUN ["/escape", "{prey}"]\n'

    def fill(workspace: Path) -> None:
        dockerfile(text)(workspace)
        shutil.copy(escape, workspace / "context" / "escape")

    played = play(stand.executor, bud, fill=fill, limits=ROOMY)
    lines = set(played.text.splitlines())
    assert "climbed" in lines, played.text
    # In buildah's own chroot it gets out, as on the host; but all there is outside is the jail.
    assert ("top: build" in lines) is (isolation == "chroot")
    assert not {"top: root", "top: home", "top: boot", "read: host treasure", "wrote"} & lines
    assert _untouched(prey)


_CHROOT_ESCAPE = """
import os
os.makedirs("/tmp/cage", exist_ok=True)
here = os.open("/", os.O_RDONLY)
os.chroot("/tmp/cage"); os.fchdir(here)
for _ in range(64): os.chdir("..")
os.chroot(".")
print(sorted(os.listdir("/")))
"""


def test_breaking_out_of_a_chroot_as_the_builds_own_root_finds_only_the_jail(stand: Stand) -> None:
    # `unshare -r` gives CAP_SYS_CHROOT in a user namespace, all that the classic escape needs.
    played = play(stand.executor, ["unshare", "--user", "--map-root-user", "python3", "-c", _CHROOT_ESCAPE])
    assert played.end is End.SUCCEEDED, played.text
    assert "'build'" in played.text
    assert "'root'" not in played.text
    assert "'home'" not in played.text


def test_cve_2024_1753_mounts_only_the_jails_root(stand: Stand, prey: Path) -> None:
    text = (
        "FROM base AS trap\nRUN ln -s / /poc\nFROM base\n"
        f"RUN --mount=type=bind,from=trap,source=/poc,target=/p,rw ls /p; cat /p{prey}/treasure; echo x > /p{prey}/stolen; true\n"
    )
    played = play(stand.executor, BUD, fill=dockerfile(text), limits=ROOMY)
    assert "host treasure" not in played.text
    assert _untouched(prey)


def test_cve_2024_9675_writes_nothing_of_the_host(stand: Stand, prey: Path) -> None:
    climb = "../" * 8
    text = f"FROM base\nRUN --mount=type=cache,id={climb}{str(prey)[1:]},target=/c cat /c/treasure; echo x > /c/stolen; true\n"
    played = play(stand.executor, BUD, fill=dockerfile(text), limits=ROOMY)
    assert "host treasure" not in played.text
    assert _untouched(prey)


def test_a_memory_hog_ends_out_of_memory(stand: Stand) -> None:
    limits = dataclasses.replace(SMALL, memory_mib=128)
    played = play(stand.executor, ["python3", "-c", "a = bytearray(400 << 20)"], limits=limits)
    assert played.end is End.OUT_OF_MEMORY
    assert "128 MiB of memory" in played.reason


def test_a_memory_hog_in_a_run_step_ends_out_of_memory(stand: Stand) -> None:
    text = "FROM base\nRUN tail -c 900m /dev/zero > /dev/null\n"
    played = play(stand.executor, BUD, fill=dockerfile(text), limits=dataclasses.replace(ROOMY, memory_mib=200))
    assert played.end is End.OUT_OF_MEMORY, played.text


def test_a_build_that_fills_its_disk_ends_out_of_disk(stand: Stand) -> None:
    text = "FROM base\nRUN dd if=/dev/zero of=/big bs=1M count=600\n"
    limits = dataclasses.replace(ROOMY, disk_mib=128)
    played = play(stand.executor, BUD, fill=dockerfile(text), limits=limits)
    assert played.end is End.OUT_OF_DISK, played.text
    assert "128 MiB of disk" in played.reason


def test_printing_the_words_of_a_full_disk_is_only_a_failure(stand: Stand) -> None:
    assert play(stand.executor, sh("echo No space left on device; exit 1")).end is End.FAILED


@pytest.mark.parametrize("bomb", ["b() { b | b & }; b; b; wait; exit 1", "while true; do sleep 100 & done"])
def test_a_fork_bomb_ends_out_of_pids(stand: Stand, bomb: str) -> None:
    limits = dataclasses.replace(SMALL, pids=64, timeout_seconds=30)
    played = play(stand.executor, sh(bomb), limits=limits)
    assert played.end is End.OUT_OF_PIDS
    assert "64 processes" in played.reason
    assert max(u.pids for u in played.usages) <= 64


def test_a_fork_bomb_that_never_gives_up_is_stopped(stand: Stand) -> None:
    bomb = "import os, time\nwhile True:\n try:\n  os.fork() or time.sleep(99)\n except OSError: pass"
    limits = dataclasses.replace(SMALL, pids=64, timeout_seconds=30)
    assert play(stand.executor, ["python3", "-c", bomb], limits=limits).end is End.OUT_OF_PIDS


def test_a_process_left_behind_does_not_outlive_its_command(stand: Stand) -> None:
    played = play(stand.executor, sh("setsid sleep 300 & echo started"), sh("ls /proc | grep -c '^[0-9]'"))
    assert played.end is End.SUCCEEDED
    # Process 1, the shell, ls and grep.
    assert int(played.text.splitlines()[-1]) <= 4


def test_a_link_in_out_never_reaches_the_dispatcher(stand: Stand) -> None:
    script = "mkdir -p out/d; ln -s /etc/passwd out/a; ln -s /etc out/d/e; mkfifo out/f; echo x > h; ln h out/g; echo y > out/kept"
    given = plan(stand.executor, sh(script))
    list(stand.executor.start(given).events())
    assert sorted(str(p.relative_to(given.workspace)) for p in (given.workspace / "out").rglob("*")) == [
        "out/d",
        "out/kept",
    ]
    stand.executor.cleanup(given.execution_id)


def test_two_builds_at_once_cannot_see_each_other(stand: Stand) -> None:
    first = plan(stand.executor, sh("echo hidden > /build/mine; echo up; exec sleep 61"))
    with running(stand.executor, first) as (run, _):
        spy = play(stand.executor, sh(f"id -u; ls /build; ls {stand.builds}; cat /proc/*/cmdline | tr '\\0' ' '"))
        assert str(run.isolation.uid) not in spy.text.split()
        assert "mine" not in spy.text
        assert "sleep 61" not in spy.text
        assert "hidden" not in spy.text


def test_setuid_programs_give_a_build_nothing(stand: Stand) -> None:
    played = play(
        stand.executor,
        sh("su -c id; sudo -n id; mount -t tmpfs none /mnt; echo done; grep CapBnd /proc/self/status"),
    )
    assert "uid=0" not in played.text
    bounding = int(next(line.split()[1] for line in played.text.splitlines() if line.startswith("CapBnd")), 16)
    for number in (16, 17, 19, 22, 25, 27):  # sys_module, sys_rawio, sys_ptrace, sys_boot, sys_time, mknod
        assert not bounding >> number & 1
