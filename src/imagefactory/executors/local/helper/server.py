"""The helper's socket: who may ask, one thread a connection, and the sweep of what an earlier life left
behind.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from imagefactory.executors.local import frames
from imagefactory.executors.local.helper import request as requests
from imagefactory.executors.local.helper.cgroup import Group, mode
from imagefactory.executors.local.helper.network import Network
from imagefactory.executors.local.helper.process_tree import ProcessTree
from imagefactory.executors.local.helper.session import Session, lost_walls, many_ids
from imagefactory.executors.local.helper.slots import JAILS, SLOTS, NoSlot, Slot
from imagefactory.executors.local.helper.workspace import Workspace, WorkspaceUnavailable

log = logging.getLogger("helper")
MAX_CONNECTIONS = 256
STOP_SECONDS = 20.0
SEND_SECONDS = 60
_HERE = Path()  # the builds directory, in which the helper stands


class Helper:
    """Serves one factory on this machine. `locks` is shared by all helpers of the machine."""

    def __init__(
        self, *, path: Path, builds: Path, uid: int, gid: int, port: int, locks: Path, degraded: bool = False,
        host_uid: int = 0,
    ) -> None:  # fmt: skip
        self.path, self.builds, self.uid, self.gid, self.port, self.locks = (
            path,
            builds,
            uid,
            gid,
            port,
            locks,
        )
        self.degraded, self.host_uid = degraded, host_uid
        self._running: dict[str, Session] = {}
        self._guard = threading.RLock()
        self._ended = threading.Condition(self._guard)
        self._room = threading.BoundedSemaphore(MAX_CONNECTIONS)

    def serve(self) -> None:
        """Listen until the process is ended."""
        self._stand_in_builds()
        self.sweep()
        try:
            with socket.socket(socket.AF_UNIX) as listener:
                self._bind(listener)
                listener.listen(64)
                if self.degraded:
                    log.warning("DEGRADED: builds run without %s", ", ".join(lost_walls()))
                log.info("ready on %s, control groups %s", self.path, "none" if self.degraded else mode())
                while True:
                    client, _ = listener.accept()
                    if not self._room.acquire(blocking=False):
                        client.close()
                        continue
                    threading.Thread(target=self._connection, args=(client,), daemon=True).start()
        finally:
            self._stop()

    def _stand_in_builds(self) -> None:
        """Make the directory the helper's own and its working directory.

        The client owns the directory above and may rename or replace what is in it. So nothing is reached
        through the whole path afterwards, only through names in a directory in which root alone can make any.
        """
        self.builds.mkdir(parents=True, exist_ok=True)
        directory = os.open(self.builds, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            os.fchown(directory, 0, 0)
            os.fchmod(directory, 0o711)
            os.fchdir(directory)
        finally:
            os.close(directory)

    def _bind(self, listener: socket.socket) -> None:
        """Make the socket as the client, in the client's directory: so a link there leads to nothing of
        root's.
        """
        mask = os.umask(0o177)
        os.setegid(self.gid)
        os.seteuid(self.uid)
        try:
            self.path.unlink(missing_ok=True)
            listener.bind(str(self.path))
        finally:
            os.seteuid(0)
            os.setegid(0)
            os.umask(mask)

    def _stop(self) -> None:
        """End every run, then remove what is left."""
        with self._guard:
            sessions = list(self._running.values())
        for session in sessions:
            session.abort()
        self._wait_until(lambda: not self._running)
        self.sweep()

    def _wait_until(self, holds: Callable[[], bool]) -> bool:
        with self._ended:
            return self._ended.wait_for(holds, STOP_SECONDS)

    def sweep(self) -> None:
        """Remove what no living helper holds: groups and networks of free slots, and workspaces without a
        run.
        """
        for number in range(SLOTS):
            try:
                slot = Slot.take_number(self.locks, number)
            except NoSlot:
                continue
            if self.degraded:  # its jails ended with the namespace that it lives in
                slot.release()
                continue
            group = Group(slot.group_name)
            group.destroy()
            with contextlib.suppress(OSError):
                (JAILS / str(number)).rmdir()
            if Path(f"/sys/class/net/ifb{number}").exists() or Path(f"/run/netns/ifb{number}").exists():
                Network(number, self.port).down()
            slot.release()
        for execution_id in self.leftovers():
            log.warning("removing the workspace of %s, left by an earlier run", execution_id)
            Workspace(_HERE, execution_id).destroy()

    def leftovers(self) -> list[str]:
        """Return the execution ids of which a workspace is here."""
        names = {p.name.removesuffix(".img") for p in _HERE.iterdir()}
        found = []
        for name in sorted(names):
            with contextlib.suppress(requests.BadRequest):
                found.append(requests.execution_id({"id": name}))
        return found

    def _connection(self, client: socket.socket) -> None:
        try:
            with client:
                _, peer, _ = struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
                if peer not in {0, self.uid}:
                    return
                while frame := frames.receive(client):
                    message = json.loads(frame[1])
                    if not isinstance(message, dict) or not self._answer(client, message):
                        return
        except (OSError, ValueError) as error:
            log.info("a connection ended: %s", error)
        except Exception:
            log.exception("a request failed")
        finally:
            self._room.release()

    def _answer(self, client: socket.socket, message: dict[str, Any]) -> bool:
        """Answer one request; returns whether the connection may ask again."""
        try:
            if message.get("op") == "run":
                self._run(client, message)
                return False
            frames.send(client, {"ok": True} | self._do(message))
        except requests.BadRequest as error:
            frames.send(client, {"ok": False, "event": "refused", "reason": str(error)})
        except (WorkspaceUnavailable, NoSlot) as error:
            frames.send(client, {"ok": False, "event": "unavailable", "reason": str(error)})
        return True

    def _do(self, message: dict[str, Any]) -> dict[str, Any]:
        op = message.get("op")
        if op == "hello":
            return {
                "cgroup": "none" if self.degraded else mode(),
                "isolation": "degraded" if self.degraded else "jail",
                "missing": [*lost_walls(), *ProcessTree().missing, "disk limit"] if self.degraded else [],
                "many_ids": many_ids(),
                "pid": os.getpid(),
            }
        if op == "leftovers":
            return {"ids": self.leftovers()}
        execution_id = requests.execution_id(message)
        if op == "workspace":
            disk = requests.whole(message, "disk_mib", 16, 4_194_304)
            workspace = Workspace(_HERE, execution_id)
            if workspace.path.exists():
                raise requests.BadRequest("This execution has a workspace already.")
            workspace.create(disk, self.uid, self.gid, limited=not self.degraded)
            return {"path": str(self.builds / execution_id)}
        if op == "cleanup":
            return {"clean": self._cleanup(execution_id)}
        raise requests.BadRequest("op is hello, workspace, run, cleanup or leftovers.")

    def _cleanup(self, execution_id: str) -> bool:
        with self._guard:
            session = self._running.get(execution_id)
        if session:
            session.abort()
        if not self._wait_until(lambda: execution_id not in self._running):
            raise WorkspaceUnavailable("The execution did not end in time; ask again.")
        if not Workspace(_HERE, execution_id).destroy():
            raise WorkspaceUnavailable("The build directory could not be removed; ask again.")
        return True

    def _run(self, client: socket.socket, message: dict[str, Any]) -> None:
        request = requests.run_request(message)
        # A client that takes nothing for so long is as good as gone; its build must not outlive its time
        # limit.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", SEND_SECONDS, 0))
        session = Session(
            request, client, _HERE, self.locks, (self.uid, self.gid), self.port,
            degraded_uid=self.host_uid if self.degraded else None,
        )  # fmt: skip
        with self._guard:
            if request.id in self._running:
                raise requests.BadRequest("This execution runs already.")
            if not (_HERE / request.id).is_dir():
                raise WorkspaceUnavailable("The build directory is gone, as after a restart of the helper; try again.")
            self._running[request.id] = session
        try:
            session.run()
        finally:
            with self._ended:
                self._running.pop(request.id, None)
                self._ended.notify_all()


def stop_on_signal() -> None:
    """Let SIGTERM end the process in good order: runs are ended and removed first."""

    def leave(*_: object) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)
