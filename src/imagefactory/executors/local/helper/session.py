"""One run from request to end: slot, groups, network, jail; output and usage to the client; then nothing is left."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import selectors
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any

from imagefactory.executors.local import frames
from imagefactory.executors.local.helper.cgroup import Group
from imagefactory.executors.local.helper.network import Network, NetworkUnavailable
from imagefactory.executors.local.helper.request import RunRequest
from imagefactory.executors.local.helper.workspace import Workspace

_JAIL = Path(__file__).with_name("jail.py")
_PIECE = 65_536
SLOTS = 128
UID_BASE, UID_STEP, SUBUIDS = 900_000_000, 70_000, 65_536
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_DISK_FULL = b"No space left on device"


class NoSlot(Exception):  # noqa: N818 - a state, not a mistake
    """All slots are taken."""


class Slot:
    """A number that this machine gives to one build at a time: its user, its groups, its network."""

    def __init__(self, number: int, lock: IO[str]) -> None:
        self.number, self._lock = number, lock
        self.uid = UID_BASE + number * UID_STEP
        self.group_name = f"slot-{number}"

    @classmethod
    def take(cls, locks: Path) -> Slot:
        """Take a free slot; the lock is the kernel's, so it is free again when its holder dies.

        Raises NoSlot.
        """
        for number in range(SLOTS):
            with contextlib.suppress(NoSlot):
                return cls.take_number(locks, number)
        raise NoSlot(f"All {SLOTS} build slots of this machine are taken.")

    @classmethod
    def take_number(cls, locks: Path, number: int) -> Slot:
        """Take this very slot.

        Raises NoSlot when someone holds it.
        """
        locks.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (locks / str(number)).open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise NoSlot(f"Slot {number} is taken.") from None
        return cls(number, lock)

    def release(self) -> None:
        self._lock.close()


@dataclasses.dataclass
class _Seen:
    """What was noticed while the run went on."""

    index: int = 0
    exit_code: int | None = None
    cancelled: bool = False
    gone: bool = False
    timed_out: bool = False
    disk_full: bool = False
    refused: str = ""
    tail: bytes = b""


class Session:
    """Runs one request on the thread that calls `run`."""

    def __init__(
        self, request: RunRequest, client: socket.socket, builds: Path, locks: Path, client_uid: int, client_gid: int,
        port: int,
    ) -> None:  # fmt: skip
        self.request, self.client = request, client
        self.workspace = Workspace(builds, request.id)
        self.locks, self.owner, self.port = locks, (client_uid, client_gid), port
        self._seen = _Seen()

    def run(self) -> None:
        """Run to the end and clean up, whatever happens. The client's connection is its life."""
        slot = Slot.take(self.locks)
        group, network = Group(slot.group_name), Network(slot.number, self.port)
        try:
            group.destroy()
            group.create(cpus=self.request.cpus, memory_mib=self.request.memory_mib, pids=self.request.pids)
            missing = list(group.missing)
            if not self.workspace.limited:
                missing.append("disk limit")
            kind = self.request.network
            if kind != "none":
                try:
                    network.up(kind)
                except (NetworkUnavailable, OSError) as error:
                    network.down()
                    frames.send(self.client, {"event": "unavailable", "reason": f"The build's network could not be made: {error}"})
                    return
            self.workspace.hand_over(slot.uid, slot.uid)
            isolation = {
                "level": "jail", "runtime": "crun", "cgroup": group.mode, "network": kind, "uid": slot.uid, "missing": missing,
            }  # fmt: skip
            frames.send(self.client, {"event": "isolation", **isolation})
            self._jail(slot, group, network if kind != "none" else None)
            end = self._end(group)
        finally:
            group.destroy()
            network.down()
            self.workspace.hand_back(*self.owner)
            slot.release()
        if not self._seen.gone:
            frames.send(self.client, {"event": "finished", **end})

    def _jail(self, slot: Slot, group: Group, network: Network | None) -> None:
        uid = slot.uid
        base = {
            "HOME": "/build/home", "USER": "build", "PATH": _PATH, "XDG_RUNTIME_DIR": f"/run/user/{uid}",
            "TMPDIR": "/build/tmp", "LANG": "C.UTF-8", "SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt",
        }  # fmt: skip
        spec = {
            "uid": uid,
            "subuids": SUBUIDS,
            "root": f"/run/imagefactory-jail/{slot.number}",
            "workspace": str(self.workspace.path),
            "network": self.request.network,
            "netns": network.path if network else "",
            "procs_files": group.procs_files(),
            "commands": [c | {"env": base | c["env"]} for c in self.request.commands],
        }
        given, giving = os.pipe()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours, theirs:
            process = _start(given, theirs.fileno())
            theirs.close()
            with os.fdopen(giving, "w") as out:
                json.dump(spec, out)
            try:
                self._follow(process, ours, group, network)
            finally:
                process.kill()
                group.destroy()
                process.wait()
                for pipe in (process.stdout, process.stderr):
                    if pipe:
                        pipe.close()

    def _follow(
        self, process: subprocess.Popen[bytes], control: socket.socket, group: Group, network: Network | None
    ) -> None:
        """Pass on output and usage until the jail ends, the client goes, or time is over."""
        assert process.stdout is not None
        assert process.stderr is not None
        outputs = {process.stdout.fileno(): frames.OUT, process.stderr.fileno(): frames.ERR}
        for fd in outputs:
            os.set_blocking(fd, False)
        deadline, next_sample = time.monotonic() + self.request.timeout_seconds, time.monotonic() + 0.5
        with selectors.DefaultSelector() as ready:
            for fd in (*outputs, control, self.client):
                ready.register(fd, selectors.EVENT_READ)
            while True:
                moment = time.monotonic()
                if moment >= deadline:
                    self._seen.timed_out = True
                    return
                if moment >= next_sample:
                    self._usage(group, network)
                    next_sample = moment + 1.0
                for key, _ in ready.select(min(deadline, next_sample) - moment):
                    if key.fileobj is self.client:
                        if self._from_client():
                            return
                    elif key.fileobj is control:
                        if not self._from_jail(control, outputs, group, network):
                            return
                    elif not self._drain(int(key.fd), outputs[int(key.fd)], once=True):
                        ready.unregister(key.fileobj)

    def _from_client(self) -> bool:
        """Return whether the run must stop: the client said so, or is gone."""
        try:
            frame = frames.receive(self.client)
        except (OSError, ValueError):
            frame = None
        self._seen.gone = frame is None
        self._seen.cancelled = frame is not None
        return True

    def _from_jail(
        self, control: socket.socket, outputs: dict[int, bytes], group: Group, network: Network | None
    ) -> bool:
        """Take the jail's word on a start or an end; return whether it goes on."""
        word = control.recv(4096).decode(errors="replace")
        for fd, kind in outputs.items():
            self._drain(fd, kind)
        if word.startswith("S"):
            self._seen.index, self._seen.exit_code = int(word[1:]), None
            self._tell({"event": "started", "index": self._seen.index})
            return True
        if word.startswith("E"):
            index, code = word[1:].split()
            self._seen.exit_code = int(code)
            self._usage(group, network)
            self._tell({"event": "exited", "index": int(index), "exit_code": int(code)})
            if code == "0":
                control.send(b"go")
                return True
            return False
        self._seen.refused = word[2:] if word.startswith("X") else ""
        return False

    def _drain(self, fd: int, kind: bytes, *, once: bool = False) -> bool:
        """Pass on what can be read now; return False at the end of the stream."""
        while True:
            try:
                data = os.read(fd, _PIECE)
            except BlockingIOError:
                return True
            if not data:
                return False
            look = self._seen.tail + data
            self._seen.disk_full = self._seen.disk_full or _DISK_FULL in look
            self._seen.tail = look[-len(_DISK_FULL) :]
            try:
                frames.send_output(self.client, kind, data)
            except OSError:
                self._seen.gone = True
            if once:
                return True

    def _tell(self, message: dict[str, Any]) -> None:
        try:
            frames.send(self.client, message)
        except OSError:
            self._seen.gone = True

    def _usage(self, group: Group, network: Network | None) -> None:
        s, (used, free) = group.sample(), self.workspace.usage()
        came, went = network.traffic() if network else (0, 0)
        if self.workspace.limited and free < 1024 * 1024:
            self._seen.disk_full = True
        self._tell(
            {
                "event": "usage", "cpu_ms": s.cpu_ms, "memory_bytes": s.memory, "disk_bytes": used, "pids": s.pids,
                "io_read_bytes": s.read, "io_write_bytes": s.written, "net_in_bytes": came, "net_out_bytes": went,
            }  # fmt: skip
        )

    def _end(self, group: Group) -> dict[str, str]:
        """Say how it ended; the strongest cause first."""
        r, seen = self.request, self._seen
        if seen.cancelled or seen.gone:
            return {"end": "cancelled", "reason": "The build was cancelled."}
        if seen.timed_out:
            return {"end": "timed_out", "reason": f"The build ran longer than its limit of {r.timeout_seconds} seconds and was stopped."}
        if seen.refused:
            return {"end": "lost", "reason": f"The build host failed: {seen.refused}"}
        last = len(r.commands) - 1
        if seen.exit_code == 0 and seen.index == last:
            return {"end": "succeeded", "reason": ""}
        if group.out_of_memory():
            return {"end": "out_of_memory", "reason": f"The build needed more than its {r.memory_mib} MiB of memory and was stopped. Ask for more memory, or make the step need less."}
        if seen.disk_full:
            return {"end": "out_of_disk", "reason": f"The build filled its {r.disk_mib} MiB of disk. Ask for more disk, or remove what the step leaves behind."}
        if group.out_of_pids():
            return {"end": "out_of_pids", "reason": f"The build wanted more than {r.pids} processes. A step may be starting them without end."}
        if seen.exit_code is None:
            return {"end": "lost", "reason": "The build's processes ended without saying why."}
        return {"end": "failed", "reason": f"A command ended with exit code {seen.exit_code}."}


def _start(given: int, control: int) -> subprocess.Popen[bytes]:
    """Start the jail with the specification on 3 and the control socket on 4."""

    def arrange() -> None:
        # High numbers first: the given ones may be 3 or 4 themselves.
        os.dup2(given, 200)
        os.dup2(control, 201)
        os.dup2(200, 3)
        os.dup2(201, 4)
        os.closerange(5, 256)

    try:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(_JAIL)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            close_fds=False,
            pass_fds=(),
            preexec_fn=arrange,  # noqa: PLW1509 - only dup2 and close, which are safe in a forked thread
            cwd="/",
            env={"PATH": _PATH},
        )
    finally:
        os.close(given)
