"""The helper's socket: who may ask, one thread a connection, and the sweep of what an earlier life left behind."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import socket
import struct
import threading
from pathlib import Path
from typing import Any

from imagefactory.executors.local import frames
from imagefactory.executors.local.helper import request as requests
from imagefactory.executors.local.helper.cgroup import Group, mode
from imagefactory.executors.local.helper.network import Network
from imagefactory.executors.local.helper.session import SLOTS, NoSlot, Session, Slot
from imagefactory.executors.local.helper.workspace import Workspace, WorkspaceUnavailable

log = logging.getLogger("helper")
MAX_CONNECTIONS = 256


class Helper:
    """Serves one factory on this machine. `locks` is shared by all helpers of the machine."""

    def __init__(self, *, path: Path, builds: Path, uid: int, gid: int, port: int, locks: Path) -> None:
        self.path, self.builds, self.uid, self.gid, self.port, self.locks = path, builds, uid, gid, port, locks
        self._running: set[str] = set()
        self._guard = threading.Lock()
        self._room = threading.BoundedSemaphore(MAX_CONNECTIONS)

    def serve(self) -> None:
        """Listen until the process is ended."""
        # The directory is the helper's own: what lies in it is never reached through a name that someone else made.
        self.builds.mkdir(parents=True, exist_ok=True)
        os.chown(self.builds, 0, 0)
        self.builds.chmod(0o711)
        self.sweep()
        with socket.socket(socket.AF_UNIX) as listener:
            self.path.unlink(missing_ok=True)
            mask = os.umask(0o177)
            listener.bind(str(self.path))
            os.umask(mask)
            os.chown(self.path, self.uid, self.gid)
            listener.listen(64)
            log.info("ready on %s, control groups %s", self.path, mode())
            while True:
                client, _ = listener.accept()
                if not self._room.acquire(blocking=False):
                    client.close()
                    continue
                threading.Thread(target=self._connection, args=(client,), daemon=True).start()

    def sweep(self) -> None:
        """Remove what no living helper holds: groups and networks of free slots, and workspaces without a run."""
        for number in range(SLOTS):
            try:
                slot = Slot.take_number(self.locks, number)
            except NoSlot:
                continue
            group = Group(slot.group_name)
            group.destroy()
            if Path(f"/sys/class/net/ifb{number}").exists() or Path(f"/run/netns/ifb{number}").exists():
                Network(number, self.port).down()
            slot.release()
        for execution_id in self.leftovers():
            log.warning("removing the workspace of %s, left by an earlier run", execution_id)
            Workspace(self.builds, execution_id).destroy()

    def leftovers(self) -> list[str]:
        """Return the execution ids of which a workspace is here."""
        names = {p.name.removesuffix(".img") for p in self.builds.iterdir()}
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
            return {"cgroup": mode(), "isolation": "jail", "pid": os.getpid()}
        if op == "leftovers":
            return {"ids": self.leftovers()}
        execution_id = requests.execution_id(message)
        if op == "workspace":
            disk = requests.whole(message, "disk_mib", 16, 4_194_304)
            workspace = Workspace(self.builds, execution_id)
            if workspace.path.exists():
                raise requests.BadRequest("This execution has a workspace already.")
            workspace.create(disk, self.uid, self.gid)
            return {"path": str(workspace.path)}
        if op == "cleanup":
            return {"clean": self._cleanup(execution_id)}
        raise requests.BadRequest("op is hello, workspace, run, cleanup or leftovers.")

    def _cleanup(self, execution_id: str) -> bool:
        with self._guard:
            if execution_id in self._running:
                return False
        return Workspace(self.builds, execution_id).destroy()

    def _run(self, client: socket.socket, message: dict[str, Any]) -> None:
        request = requests.run_request(message)
        with self._guard:
            if request.id in self._running or not (self.builds / request.id).is_dir():
                raise requests.BadRequest("This execution has no workspace, or runs already.")
            self._running.add(request.id)
        try:
            Session(request, client, self.builds, self.locks, self.uid, self.gid, self.port).run()
        finally:
            with self._guard:
                self._running.discard(request.id)


def stop_on_signal() -> None:
    """End at once on SIGTERM: the jails die with their parent, and the next start sweeps."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
