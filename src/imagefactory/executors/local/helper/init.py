"""Process 1 of a jail: enters the private root, runs the plan's commands one after another, and reports each.

It stays root with almost no capabilities, outside the build's uid, so that a build can neither stop nor read it; when it
ends, for whatever reason, the kernel kills everything in its pid namespace.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import signal
import socket
import struct
import time
from collections.abc import Callable
from typing import Any, NoReturn

from imagefactory.executors.local.helper import jail, linux
from imagefactory.executors.local.plans import PlannedCommand

_OPEN_FILES = 65536
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1
_INIT_CAPABILITIES = frozenset(
    {linux.CAP_KILL, linux.CAP_SETUID, linux.CAP_SETGID, linux.CAP_SETPCAP}
)
# What a set-uid newuidmap needs, and nothing else. Inside its own user namespace buildah has all it wants.
_BOUNDING = frozenset({linux.CAP_SETUID, linux.CAP_SETGID, 0, 1, 3, linux.CAP_SYS_ADMIN})


class Init:
    """What runs as process 1. `control` is a packet socket to the supervisor; `out` and `err` are its pipes."""

    def __init__(
        self,
        root: jail.Root,
        commands: tuple[PlannedCommand, ...],
        control: socket.socket,
        out: int,
        err: int,
        *,
        own_user_namespace: bool,
        max_pids: int,
        join: Callable[[], None],
    ) -> None:
        self._root = root
        self._commands = commands
        self._control = control
        self._out = out
        self._err = err
        self._userns = own_user_namespace
        self._max_pids = max_pids
        self._join = join
        self._main = 0
        self._reaped_cpu_ms = 0

    def run(self) -> NoReturn:
        """Never returns; ends the process."""
        status = 1
        try:
            self._prepare()
            for index in range(len(self._commands)):
                self._await("next")
                self._one(index)
            self._await("end")
            status = 0
        except Exception as error:  # noqa: BLE001 - the last frame of this process: say it and end
            with contextlib.suppress(OSError):
                self._say(event="broken", reason=f"{type(error).__name__}: {error}"[:500])
        finally:
            os._exit(status)

    def _prepare(self) -> None:
        os.setsid()
        if self._userns:
            self._say(event="mapped?")
            self._await("mapped")
            os.setresgid(0, 0, 0)
            os.setresuid(0, 0, 0)
        linux.die_with_parent()
        self._join()
        socket.sethostname("build")
        jail.enter(self._root)
        if not self._root.host_network:
            _loopback_up()
        self._say(event="ready")
        self._await("go")
        if not self._userns:
            linux.keep_capabilities(_INIT_CAPABILITIES)

    def _say(self, **message: Any) -> None:
        self._control.send(json.dumps(message).encode())

    def _await(self, word: str) -> None:
        while True:
            data = self._control.recv(4096)
            if not data:
                os._exit(1)
            if data == word.encode():
                return
            self._serve(data)

    def _serve(self, data: bytes) -> None:
        if data == b"terminate":
            self._terminate()
        elif data == b"usage":
            self._say(event="usage", **self._usage())

    def _one(self, index: int) -> None:
        pid = os.fork()
        if pid == 0:
            self._become(self._commands[index])
        self._main = pid
        self._say(event="started", index=index)
        code = self._follow(pid)
        self._main = 0
        # Nothing of a command outlives it: the next one, and whoever reads `out`, must meet no writer.
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while True:
                self._count(os.wait3(0)[2])
        self._say(event="exited", index=index, code=code)

    def _follow(self, pid: int) -> int:
        """Wait for the main process, reaping strays and answering the supervisor meanwhile."""
        wake, woken = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(woken)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        try:
            while True:
                code = self._reap(pid)
                if code is not None:
                    return code
                ready, _, _ = select.select([wake, self._control], [], [])
                if wake in ready:
                    os.read(wake, 4096)
                if self._control in ready:
                    data = self._control.recv(4096)
                    if not data:
                        os._exit(1)
                    self._serve(data)
        finally:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.close(wake)
            os.close(woken)

    def _reap(self, wanted: int) -> int | None:
        """Collect all that ended; returns the wanted one's exit code."""
        found: int | None = None
        while True:
            try:
                pid, status, used = os.wait3(os.WNOHANG)
            except ChildProcessError:
                return found
            if pid == 0:
                return found
            self._count(used)
            if pid == wanted:
                found = os.waitstatus_to_exitcode(status)

    def _count(self, used: resource.struct_rusage) -> None:
        self._reaped_cpu_ms += int((used.ru_utime + used.ru_stime) * 1000)

    def _become(self, command: PlannedCommand) -> NoReturn:
        try:
            os.setsid()
            null = os.open("/dev/null", os.O_RDONLY)
            os.dup2(null, 0)
            os.dup2(self._out, 1)
            os.dup2(self._err, 2)
            os.closerange(3, 1024)
            with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
                file.write("500")  # so that the kernel takes the build before this process
            _limits(self._max_pids if self._userns else None)
            account = self._root.account
            if not self._userns:
                linux.keep_bounding(_BOUNDING)
                os.setgroups([])
                os.setresgid(account.gid, account.gid, account.gid)
                os.setresuid(account.uid, account.uid, account.uid)
            os.umask(0o022)
            os.chdir(command.cwd)
            env = environment(account.uid) | dict(command.env)
            os.execvpe(command.argv[0], list(command.argv), env)  # noqa: S606 - that is the job
        except BaseException as error:  # noqa: BLE001 - a forked child must never return into the loop
            text = f"{command.argv[0]} can not be started: {error}\n"
            with contextlib.suppress(OSError):
                os.write(2, text.encode(errors="replace")[:2000])
        finally:
            os._exit(127)

    def _terminate(self) -> None:
        """Ask politely: every buildah process (it then removes its container) and the command itself."""
        for name in os.listdir("/proc"):  # noqa: PTH208 - runs in the leanest process
            if not name.isdigit() or name == "1":
                continue
            with contextlib.suppress(OSError):
                comm = open(f"/proc/{name}/comm", encoding="ascii", errors="replace").read()  # noqa: SIM115, PTH123
                if comm.startswith("buildah") or int(name) == self._main:
                    os.kill(int(name), signal.SIGTERM)

    def _usage(self) -> dict[str, int]:
        """Sum up /proc, which shows this jail only. Without a cgroup this is the best there is."""
        cpu, memory, pids = self._reaped_cpu_ms, 0, 0
        tick, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
        for name in os.listdir("/proc"):  # noqa: PTH208
            if not name.isdigit() or name == "1":
                continue
            with contextlib.suppress(OSError, IndexError, ValueError):
                text = open(f"/proc/{name}/stat", encoding="ascii", errors="replace").read()  # noqa: SIM115, PTH123
                fields = text.rpartition(")")[2].split()
                cpu += sum(int(value) for value in fields[11:15]) * 1000 // tick
                memory += int(fields[21]) * page
                pids += 1
        return {"cpu_ms": cpu, "memory_bytes": memory, "pids": pids, "at_ms": int(time.monotonic() * 1000)}


def environment(uid: int) -> dict[str, str]:
    """Return the whole environment of a command before the plan adds its own; nothing of the host's comes through."""
    return {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/build/home",
        "USER": "build" if uid else "root",
        "LANG": "C.UTF-8",
        "TMPDIR": "/build/tmp",
        "XDG_RUNTIME_DIR": f"/run/user/{uid}",
        "BUILDAH_ISOLATION": "rootless",
    }


def _limits(max_processes: int | None) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if most == resource.RLIM_INFINITY else min(most, _OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
    if max_processes is not None:
        _, most = resource.getrlimit(resource.RLIMIT_NPROC)
        wanted = max_processes if most == resource.RLIM_INFINITY else min(most, max_processes)
        resource.setrlimit(resource.RLIMIT_NPROC, (wanted, wanted))


def _loopback_up() -> None:
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        request = fcntl.ioctl(handle, _SIOCGIFFLAGS, struct.pack("16sH14x", b"lo", 0))
        flags = struct.unpack("16sH14x", request)[1] | _IFF_UP
        fcntl.ioctl(handle, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags))
