"""A stranger's Dockerfile against a whole factory: it gets nothing, costs nobody anything, and leaves nothing."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from tests.runtime.stand import BASE, Builder, Factory, needs_root, up, wait_for

pytestmark = [pytest.mark.real, needs_root]
SECRET = "hunter2-of-the-tenant-0123456789"
HOSTILE = (
    BASE
    + """\
RUN for f in /etc/shadow /proc/1/root/etc/shadow /proc/self/root/../../../etc/shadow /old/etc/shadow; do cat $f; done; true
RUN --mount=type=bind,source=/,target=/host cat /host/etc/shadow; ls /host; true
RUN --mount=type=secret,id=token cat /run/secrets/token; base64 /run/secrets/token; sed 's/./&\\n/g' /run/secrets/token; true
RUN echo sockets $(cat /proc/net/tcp | wc -l) interfaces $(ls /sys/class/net)
RUN (trap '' TERM INT HUP; for i in $(seq 1 500); do sleep 4799 & done) ; echo forked; true
RUN trap '' TERM INT HUP; dd if=/dev/zero of=/big bs=1M count=4096
"""
)


def _hostile_processes() -> list[int]:
    return [p.pid for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == ["sleep", "4799"]]


def test_reading_forking_filling_and_printing_get_a_stranger_nowhere() -> None:
    factory = Factory(IMAGEFACTORY_BUILD_PIDS="80", IMAGEFACTORY_BUILD_NETWORK="none")
    with up(factory):
        hostile, neighbour = Builder(factory), Builder(factory)
        hostile.secret("token", SECRET)
        bad = hostile.build(HOSTILE, secrets=["token"], limits={"disk_mib": 512, "memory_mib": 512})
        good = neighbour.build(BASE + "RUN echo fine > /greeting\n")
        done = hostile.ended(bad)
        log = hostile.log(bad)
        text = "\n".join(log)
        assert (done["status"], done["failure"]["code"]) == ("failed", "out_of_disk"), text
        assert "512 MiB of disk" in done["failure"]["message"]

        # It read nothing of the host, and reached nothing of it.
        hashes = [line.split(":")[1] for line in Path("/etc/shadow").read_text().splitlines()]
        assert "root:" not in text
        assert not any(word in text for word in hashes if len(word) > 8)
        # The table's headline alone: no socket of the host, whose front door listens.
        assert "sockets 1 interfaces lo" in log
        assert len(Path("/proc/net/tcp").read_text().splitlines()) > 1
        # What it printed of its secret is masked, in the log, in the record and in what lies on the disk.
        assert "forked" in text
        assert SECRET not in text
        kept = b"".join(path.read_bytes() for path in (factory.data / "build-logs").rglob("*") if path.is_file())
        assert SECRET.encode() not in kept
        assert SECRET not in str(hostile.execution(bad))
        # Nobody paid for it, and nothing is left.
        assert neighbour.ended(good)["status"] == "succeeded", neighbour.log(good)
        wait_for(lambda: not _hostile_processes())
        wait_for(lambda: not list((factory.data / "builds").iterdir()))
        assert not [line for line in Path("/proc/mounts").read_text().splitlines() if f"{factory.data}/builds" in line]
        assert factory.answers()
