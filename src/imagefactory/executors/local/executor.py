"""The local executor: asks the runner helper for a jail and turns its frames into events."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from imagefactory.executors.base import (
    End,
    Event,
    ExecutorUnavailable,
    Exited,
    Finished,
    Isolation,
    Network,
    Output,
    Plan,
    PlanRefused,
    Started,
    Usage,
)
from imagefactory.executors.local import frames

_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 120.0


class LocalExecutor:
    """Builds on this machine, in jails that the helper makes. Safe to use from many threads."""

    name = "local"

    def __init__(self, helper: Path, *, need_jail: bool = False) -> None:
        self.helper, self._need_jail = helper, need_jail

    def _connect(self) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(_CONNECT_SECONDS)
        try:
            sock.connect(str(self.helper))
        except OSError as error:
            sock.close()
            raise ExecutorUnavailable(
                f"The runner helper does not answer at {self.helper.name} ({error.strerror or error}). "
                "`imagefactory status` and its log say more; the build waits."
            ) from None
        sock.settimeout(_ANSWER_SECONDS)
        return sock

    def _ask(self, message: dict[str, Any]) -> dict[str, Any]:
        with self._connect() as sock:
            try:
                frames.send(sock, message)
                frame = frames.receive(sock)
            except OSError as error:
                raise ExecutorUnavailable(f"The runner helper stopped answering: {error}.") from None
        if frame is None:
            raise ExecutorUnavailable("The runner helper closed the connection; this user may not be its client.")
        answer: dict[str, Any] = json.loads(frame[1])
        if not answer.get("ok"):
            raise _refusal(answer)
        return answer

    def available(self) -> dict[str, Any]:
        """Return what the helper says of itself. Raises ExecutorUnavailable."""
        return self._ask({"op": "hello"})

    def expected(self, network: Network) -> Isolation:
        """Return the isolation that a build asking for this network would get now.

        Raises ExecutorUnavailable: the helper is away, or it is degraded where the jail was demanded.
        """
        said = self.available()
        level: Literal["jail", "degraded"] = "jail" if said["isolation"] == "jail" else "degraded"
        self._check_level(level)
        given: Network = network if level == "jail" else "none"
        return Isolation(level, "crun", said["cgroup"], given, 0, tuple(said["missing"]), said["many_ids"])

    def _check_level(self, level: str) -> None:
        if self._need_jail and level != "jail":
            raise ExecutorUnavailable(
                "The runner helper is degraded, and IMAGEFACTORY_BUILD_ISOLATION=jail forbids builds without the jail. "
                "Start the helper as root or through sudo; the build waits."
            )

    def workspace(self, execution_id: str, disk_mib: int) -> Path:
        return Path(self._ask({"op": "workspace", "id": execution_id, "disk_mib": disk_mib})["path"])

    def start(self, plan: Plan) -> LocalRun:
        sock = self._connect()
        limits = plan.limits
        try:
            frames.send(
                sock,
                {
                    "op": "run",
                    "id": plan.execution_id,
                    "commands": [{"argv": list(c.argv), "env": dict(c.env), "cwd": c.cwd} for c in plan.commands],
                    "limits": {
                        "cpus": limits.cpus,
                        "memory_mib": limits.memory_mib,
                        "disk_mib": limits.disk_mib,
                        "pids": limits.pids,
                        "timeout_seconds": limits.timeout_seconds,
                    },
                    "network": plan.network,
                },
            )
            frame = frames.receive(sock)
        except OSError as error:
            sock.close()
            raise ExecutorUnavailable(f"The runner helper stopped answering: {error}.") from None
        if frame is None:
            sock.close()
            raise ExecutorUnavailable("The runner helper closed the connection before the build started.")
        first = json.loads(frame[1])
        if first.get("event") != "isolation":
            sock.close()
            raise _refusal(first)
        try:
            self._check_level(first["level"])
        except ExecutorUnavailable:
            sock.close()  # the helper ends the run with its client
            raise
        # A build may be silent for long; usage comes every second, so silence beyond this means the helper
        # is gone.
        sock.settimeout(60.0)
        first.pop("event")
        return LocalRun(sock, Isolation(**first))

    def cleanup(self, execution_id: str) -> None:
        """Remove all of an execution.

        Raises ExecutorUnavailable when the helper is away; its next start sweeps.
        """
        self._ask({"op": "cleanup", "id": execution_id})

    def leftovers(self) -> Sequence[str]:
        return [str(i) for i in self._ask({"op": "leftovers"})["ids"]]


def _refusal(answer: dict[str, Any]) -> Exception:
    reason = str(answer.get("reason", "The runner helper refused without a reason."))
    return PlanRefused(reason) if answer.get("event") == "refused" else ExecutorUnavailable(reason)


class LocalRun:
    """One build in its jail; the connection is its life."""

    def __init__(self, sock: socket.socket, isolation: Isolation) -> None:
        self._sock, self._isolation = sock, isolation
        self._index = 0
        self._cancel = threading.Lock()

    @property
    def isolation(self) -> Isolation:
        return self._isolation

    def cancel(self) -> None:
        """Ask the helper to stop it; it kills every process at once."""
        with self._cancel, contextlib.suppress(OSError):
            frames.send(self._sock, {"op": "cancel"})

    def events(self) -> Iterator[Event]:
        """Yield what happens, to the one `Finished` at the end."""
        try:
            with self._sock:
                while frame := frames.receive(self._sock):
                    event = self._event(*frame)
                    if event is not None:
                        yield event
                    if isinstance(event, Finished):
                        return
        except (OSError, ValueError) as error:
            yield Finished(End.LOST, f"The runner helper was lost while the build ran ({error}).")
            return
        yield Finished(End.LOST, "The runner helper was lost while the build ran.")

    def _event(self, kind: bytes, body: bytes) -> Event | None:
        if kind != frames.JSON:
            return Output(self._index, "err" if kind == frames.ERR else "out", body)
        said = json.loads(body)
        name = said.pop("event", "")
        if name == "started":
            self._index = said["index"]
        make = _EVENTS.get(name)
        return make(said) if make else None


_EVENTS: dict[str, Callable[[dict[str, Any]], Event]] = {
    "started": lambda said: Started(said["index"]),
    "exited": lambda said: Exited(said["index"], said["exit_code"]),
    "usage": lambda said: Usage(**said),
    "finished": lambda said: Finished(End(said["end"]), said["reason"]),
    "unavailable": lambda said: Finished(End.LOST, said.get("reason", "")),
}
