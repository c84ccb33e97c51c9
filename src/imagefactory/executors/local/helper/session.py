"""One run from request to end: slot, groups, network, jail; output and usage to the client; then nothing is
left.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from imagefactory.executors.local import frames
from imagefactory.executors.local.helper.cgroup import Group
from imagefactory.executors.local.helper.network import Network, NetworkUnavailable
from imagefactory.executors.local.helper.process_tree import ProcessTree
from imagefactory.executors.local.helper.request import RunRequest
from imagefactory.executors.local.helper.slots import JAILS, SUBUIDS, Slot
from imagefactory.executors.local.helper.verdict import Seen, verdict
from imagefactory.executors.local.helper.workspace import Workspace

_JAIL = Path(__file__).with_name("jail.py")
_PIECE = 65_536
# Tells buildah that it is root of a user namespace already, as `buildah unshare` does: set-uid newuidmap can
# not work
# in one, and storage goes below HOME.
_ALREADY_ROOTLESS = {
    "_CONTAINERS_USERNS_CONFIGURED": "done",
    "_CONTAINERS_ROOTLESS_UID": "1000",
    "_CONTAINERS_ROOTLESS_GID": "1000",
}
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_DISK_FULL = b"No space left on device"
_PATIENCE = 5  # seconds in which forks are refused without a break until a build is taken for a fork bomb


def many_ids() -> bool:
    """Return whether this helper's user namespace has users besides its root."""
    lines = Path("/proc/self/uid_map").read_text(encoding="ascii").splitlines()
    return sum(int(line.split()[2]) for line in lines) > 1


def lost_walls() -> list[str]:
    """Return which walls a helper without root can not put up, whatever the build."""
    owners = [] if many_ids() else ["subordinate ids (files of other owners become root's)"]
    return ["uid of its own", *owners, "control group", "network other than none"]


class Session:
    """Runs one request on the thread that calls `run`."""

    def __init__(
        self,
        request: RunRequest,
        client: socket.socket,
        builds: Path,
        locks: Path,
        owner: tuple[int, int],
        port: int,
        degraded_uid: int | None = None,
    ) -> None:
        self.request, self.client = request, client
        self.workspace = Workspace(builds, request.id)
        self.locks, self.owner, self.port = locks, owner, port
        self._degraded_uid = degraded_uid  # who the build runs as where the helper is not the machine's root
        self._lost = lost_walls() if degraded_uid is not None else []
        # Without root there is no filter: any network would be this machine's, its loopback services included.
        self._network = request.network if degraded_uid is None else "none"
        self._seen = Seen()
        self._device: tuple[int, int] | None = None  # what the loop device had moved before, for earlier builds

    def run(self) -> None:
        """Run to the end and clean up, whatever happens. The client's connection is its life."""
        slot = Slot.take(self.locks)
        group: Group | ProcessTree = Group(slot.group_name) if self._degraded_uid is None else ProcessTree()
        network = Network(slot.number, self.port)
        filtered = self.request.network != "none" and self._degraded_uid is None
        if self._degraded_uid is not None:
            slot.uid = 0
        try:
            group.destroy()
            group.create(cpus=self.request.cpus, memory_mib=self.request.memory_mib, pids=self.request.pids)
            missing = [*self._lost, *group.missing]
            if not self.workspace.limited:
                missing.append("disk limit")
            if filtered:
                try:
                    network.up(self.request.network)
                except (NetworkUnavailable, OSError) as error:
                    network.down()
                    frames.send(
                        self.client,
                        {"event": "unavailable", "reason": f"The build's network could not be made: {error}"},
                    )
                    return
            self.workspace.hand_over(slot.uid, slot.uid)
            self._device = self.workspace.transferred()
            isolation = {
                "level": "jail" if self._degraded_uid is None else "degraded",
                "runtime": "crun",
                "cgroup": group.mode,
                "network": self._network,
                "uid": slot.uid or self._degraded_uid,
                "missing": missing,
                "many_ids": many_ids(),
            }
            frames.send(self.client, {"event": "isolation", **isolation})
            end = self._jail(slot, group, network if filtered else None)
        finally:
            group.destroy()
            if filtered:
                network.down()
            if self._seen.gone:
                # Nobody is left who could read what it made, or who would clean it.
                self.workspace.destroy()
            else:
                self.workspace.hand_back(*self.owner)
            slot.release()
        if not self._seen.gone:
            frames.send(self.client, {"event": "finished", **end})

    def abort(self) -> None:
        """End the run from another thread, as if its client had gone."""
        with contextlib.suppress(OSError):
            self.client.shutdown(socket.SHUT_RDWR)

    def _jail(self, slot: Slot, group: Group | ProcessTree, network: Network | None) -> dict[str, str]:
        """Run the commands in the jail; return how it ended, which only the living group can tell."""
        uid = slot.uid
        base = {
            "HOME": "/build/home", "USER": "build", "PATH": _PATH, "XDG_RUNTIME_DIR": f"/run/user/{uid}",
            "TMPDIR": "/build/tmp", "LANG": "C.UTF-8", "SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt",
        }  # fmt: skip
        if self._degraded_uid is not None:
            base |= _ALREADY_ROOTLESS
        spec = {
            "uid": uid,
            "subuids": SUBUIDS,
            "root": str(JAILS / str(slot.number)) if self._degraded_uid is None else "/tmp",  # noqa: S108 - mounted over
            "degraded": self._degraded_uid is not None,
            "max_pids": self.request.pids,
            "workspace": str(self.workspace.path),
            "network": self._network,
            "netns": network.path if network else "",
            "procs_files": group.procs_files(),
            "commands": [c | {"env": base | c["env"]} for c in self.request.commands],
        }
        given, giving = os.pipe()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours, theirs:
            process = _start(given, theirs.fileno())
            if isinstance(group, ProcessTree):
                group.top = process.pid
            theirs.close()
            with os.fdopen(giving, "w") as out:
                json.dump(spec, out)
            try:
                self._follow(process, ours, group, network)
                return verdict(self.request, self._seen, group)
            finally:
                # Killing their parent makes them children of this helper, process 1 of its own namespace.
                heads = group.heads() if isinstance(group, ProcessTree) else []
                process.kill()
                group.destroy()
                process.wait()
                for head in heads:
                    with contextlib.suppress(ChildProcessError):
                        os.waitpid(head, 0)
                for pipe in (process.stdout, process.stderr):
                    if pipe:
                        pipe.close()
                if self._degraded_uid is None:
                    with contextlib.suppress(OSError):
                        (JAILS / str(slot.number)).rmdir()

    def _follow(
        self,
        process: subprocess.Popen[bytes],
        control: socket.socket,
        group: Group | ProcessTree,
        network: Network | None,
    ) -> None:
        """Pass on output and usage until the jail ends, the client goes, or time is over."""
        if process.stdout is None or process.stderr is None:
            raise ValueError("The jail was started without pipes.")
        outputs: dict[int, bytes] = {process.stdout.fileno(): frames.OUT, process.stderr.fileno(): frames.ERR}
        for fd in outputs:
            os.set_blocking(fd, False)
        deadline, next_sample = time.monotonic() + self.request.timeout_seconds, time.monotonic() + 0.5
        with selectors.DefaultSelector() as ready:
            for fd in (*outputs, control.fileno(), self.client.fileno()):
                ready.register(fd, selectors.EVENT_READ)
            while True:
                moment = time.monotonic()
                if moment >= deadline:
                    self._seen.timed_out = True
                    return
                if moment >= next_sample:
                    self._usage(group, network)
                    next_sample = moment + 1.0
                if self._seen.gone or self._seen.too_big or self._seen.refused_forks >= _PATIENCE:
                    return
                for key, _ in ready.select(min(deadline, next_sample) - moment):
                    if key.fd in outputs:
                        if not self._drain(key.fd, outputs[key.fd], once=True):
                            ready.unregister(key.fd)
                    elif not self._told(key.fd == control.fileno(), control, outputs, group, network):
                        return

    def _told(
        self,
        by_jail: bool,
        control: socket.socket,
        outputs: dict[int, bytes],
        group: Group | ProcessTree,
        network: Network | None,
    ) -> bool:
        """Hear the jail or the client; return whether the run goes on."""
        if by_jail:
            return self._from_jail(control, outputs, group, network)
        self._from_client()
        return False

    def _from_client(self) -> None:
        """Note why the run must stop: the client asked for it, or is gone."""
        try:
            frame = frames.receive(self.client)
        except (OSError, ValueError):
            frame = None
        self._seen.gone = frame is None
        self._seen.cancelled = frame is not None

    def _from_jail(
        self,
        control: socket.socket,
        outputs: dict[int, bytes],
        group: Group | ProcessTree,
        network: Network | None,
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
            self._seen.tail = look[-len(_DISK_FULL) :]
            if _DISK_FULL in look and not self._seen.disk_full:
                # The words alone prove nothing: a build may print them.
                self._disk()
                self._seen.disk_full = self._seen.most_disk > self.request.disk_mib * 1024 * 1024 // 2
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

    def _usage(self, group: Group | ProcessTree, network: Network | None) -> None:
        s, used = group.sample(), self._disk()
        came, went = network.traffic() if network else (0, 0)
        read, written = self._transferred() if self._device else (s.read, s.written)
        refused = group.refused_forks()
        self._seen.refused_forks = self._seen.refused_forks + 1 if refused > self._seen.forks_before else 0
        self._seen.forks_before = refused
        self._tell(
            {
                "event": "usage",
                "cpu_ms": s.cpu_ms,
                "memory_bytes": s.memory,
                "disk_bytes": used,
                "pids": s.pids,
                "io_read_bytes": read,
                "io_write_bytes": written,
                "net_in_bytes": came,
                "net_out_bytes": went,
            }
        )

    def _transferred(self) -> tuple[int, int]:
        before, now = self._device or (0, 0), self.workspace.transferred() or (0, 0)
        return max(0, now[0] - before[0]), max(0, now[1] - before[1])

    def _disk(self) -> int:
        """Return the bytes in use, and remember the most and whether there was no room left."""
        used, free = self.workspace.usage()
        self._seen.most_disk = max(self._seen.most_disk, used)
        if self.workspace.limited and free < 1024 * 1024:
            self._seen.disk_full = True
        if not self.workspace.limited and used > self.request.disk_mib * 1024 * 1024:
            self._seen.disk_full = self._seen.too_big = True
        return used


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
            env={"PATH": _PATH},
        )
    finally:
        os.close(given)
