"""The jail of one build: run as root by the helper, this becomes process 1 of new namespaces on a private
root.

Started as `python -I -S jail.py` with a JSON specification on file descriptor 3 and a control socket on 4,
so that it
imports little and starts fast. It tells `S<i>` when command i starts and `E<i> <code>` when it ended, and
waits for an answer after each end, so that the helper has read all its output first. Standard library only.
"""

# ruff: noqa: PTH103, PTH102, PTH106, PTH110, PTH112, PTH123, PTH211, S606
# pathlib would add a third to the start of each build; starting programs is the job.

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import shutil
import signal
import socket
import sys
from typing import Any

_LIBC = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNS, _CLONE_NEWUTS, _CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
_CLONE_NEWPID, _CLONE_NEWNET, _CLONE_NEWUSER = 0x20000000, 0x40000000, 0x10000000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_REMOUNT = 1, 2, 4, 8, 32
_MS_BIND, _MS_REC, _MS_PRIVATE = 4096, 16384, 1 << 18
_MNT_DETACH = 2
_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP = 1, 24
_SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
# Capabilities that no build needs, by number (linux/capability.h): a bounding set without them holds even
# for what is
# setuid root inside, such as newuidmap, which needs setuid, setgid and sys_admin only.
_DROPPED = (9, 14, 15, 16, 17, 19, 20, 22, 24, 25, 26, 27, 30, 32, 33, 34, 35, 37, 38, 39, 40)
_ETC_DIRECTORIES = ("ssl/certs", "alternatives", "containers", "ca-certificates")


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    done = _LIBC.mount(source.encode(), target.encode(), kind.encode() or None, flags, data.encode() or None)
    _check(done, f"mount {target}")


def _bind(source: str, target: str, flags: int = 0) -> None:
    _mount(source, target, "", _MS_BIND)
    if flags:
        _remount(target, flags)


def _remount(target: str, flags: int) -> None:
    # In a user namespace, flags that the mount came with may not be taken away.
    kept = os.statvfs(target).f_flag & (_MS_RDONLY | _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
    _mount("", target, "", _MS_BIND | _MS_REMOUNT | flags | kept)


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)


def _root(spec: dict[str, Any]) -> None:
    """Build the private root on a small tmpfs and make it the only one."""
    uid, ranges = spec["uid"], spec["subuids"]
    _mount("none", "/", "", _MS_REC | _MS_PRIVATE)
    root = spec["root"]
    os.makedirs(root, exist_ok=True)
    _mount("jail", root, "tmpfs", _MS_NOSUID | _MS_NODEV, "size=16m,mode=755")
    os.mkdir(f"{root}/build")
    # Relative to the builds directory, in which this process was started.
    _bind(spec["workspace"], f"{root}/build", _MS_NOSUID | _MS_NODEV)
    os.chdir(root)
    for d in ("usr", "etc/ssl", "proc", "dev/shm", "dev/pts", "tmp", "var/tmp", "run/user", "sys", "old"):
        os.makedirs(d)
    _mount("/usr", "usr", "", _MS_BIND | _MS_REC)
    _remount("usr", _MS_RDONLY | _MS_NODEV)
    for link in ("bin", "sbin", "lib", "lib64"):
        os.symlink(f"usr/{link}", link)
    _etc(uid, ranges, resolver=spec["network"] == "open")
    _devices()
    _mount("sysfs", "sys", "sysfs", _MS_RDONLY | _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
    # An empty read-only directory in place of the control groups: limits stay out of reach, and crun is
    # content.
    _mount("cgroup", "sys/fs/cgroup", "tmpfs", _MS_RDONLY, "size=4k,mode=755")
    _mount("proc", "proc", "proc", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
    for name in ("home", "tmp"):
        os.makedirs(f"build/{name}", exist_ok=True)
        os.chown(f"build/{name}", uid, uid)
    _bind("build/tmp", "tmp", _MS_NOSUID | _MS_NODEV)
    _bind("build/tmp", "var/tmp", _MS_NOSUID | _MS_NODEV)
    os.mkdir(f"run/user/{uid}")
    _mount("run", f"run/user/{uid}", "tmpfs", _MS_NOSUID | _MS_NODEV, f"size=16m,mode=700,uid={uid},gid={uid}")
    number = _SYS_PIVOT_ROOT[os.uname().machine]
    _check(_LIBC.syscall(number, b".", b"old"), "pivot_root")
    os.chdir("/")
    _check(_LIBC.umount2(b"/old", _MNT_DETACH), "leave the old root")
    os.rmdir("/old")
    _mount("", "/", "", _MS_REMOUNT | _MS_RDONLY | _MS_NOSUID | _MS_NODEV)


def _etc(uid: int, ranges: int, *, resolver: bool) -> None:
    """Write the few files that programs look for; nothing of the host's users but root and nobody is told."""
    people = (
        "root:x:0:0::/:/usr/sbin/nologin\n"
        f"build:x:{uid}:{uid}::/build/home:/bin/sh\n"
        "nobody:x:65534:65534::/:/usr/sbin/nologin\n"
    )
    _write("etc/passwd", people)
    _write("etc/group", f"root:x:0:\nbuild:x:{uid}:\nnogroup:x:65534:\n")
    for name in ("subuid", "subgid"):
        _write(f"etc/{name}", f"build:{uid + 1}:{ranges}\n")
    _write("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n")
    _write("etc/hosts", "127.0.0.1 localhost\n::1 localhost\n")
    _write("etc/hostname", "build\n")
    if resolver and os.path.exists("/etc/resolv.conf"):
        shutil.copyfile("/etc/resolv.conf", "etc/resolv.conf")
    else:
        _write("etc/resolv.conf", "")
    if os.path.exists("/etc/ld.so.cache"):
        shutil.copyfile("/etc/ld.so.cache", "etc/ld.so.cache")
    for name in _ETC_DIRECTORIES:
        if os.path.isdir(f"/etc/{name}"):
            os.makedirs(f"etc/{name}")
            _bind(f"/etc/{name}", f"etc/{name}", _MS_RDONLY | _MS_NOSUID | _MS_NODEV)


def _devices() -> None:
    for name in ("null", "zero", "full", "random", "urandom", "tty", "fuse"):
        if os.path.exists(f"/dev/{name}"):
            _write(f"dev/{name}", "")
            _mount(f"/dev/{name}", f"dev/{name}", "", _MS_BIND)
    _mount("shm", "dev/shm", "tmpfs", _MS_NOSUID | _MS_NODEV, "size=64m,mode=1777")
    _mount("devpts", "dev/pts", "devpts", _MS_NOSUID | _MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620")
    os.symlink("pts/ptmx", "dev/ptmx")
    os.symlink("/proc/self/fd", "dev/fd")


def _become(uid: int) -> None:
    """Drop to the build's user for good."""
    for capability in _DROPPED:
        _LIBC.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    # A user namespace of one id allows no change of groups (user_namespaces(7)), and has none to give away.
    with contextlib.suppress(PermissionError) if uid == 0 else contextlib.nullcontext():
        os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def _command(spec: dict[str, Any], command: dict[str, Any]) -> int:
    """Run one command as the build's user and return its exit code, reaping whatever else dies meanwhile."""
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            os.close(4)
            with contextlib.suppress(OSError):
                _write("/proc/self/oom_score_adj", "500")  # so that the kernel takes the build before process 1
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            if spec["degraded"]:
                resource.setrlimit(resource.RLIMIT_NPROC, (spec["max_pids"], spec["max_pids"]))
            _become(spec["uid"])
            os.umask(0o022)
            os.chdir(command["cwd"])
            os.execvpe(command["argv"][0], command["argv"], command["env"])
        except OSError as error:
            os.write(2, f"{command['argv'][0]}: {error.strerror}\n".encode())
        finally:
            os._exit(127)
    while True:
        pid, status = os.wait()
        if pid == child:
            _end_strays()
            return os.waitstatus_to_exitcode(status)


def _end_strays() -> None:
    """Kill what a command left running: the next one, and whoever reads `out/`, must meet no writer."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()


def _init(spec: dict[str, Any], control: socket.socket) -> int:
    _LIBC.prctl(_PR_SET_PDEATHSIG, 9, 0, 0, 0)
    _check(_LIBC.sethostname(b"build", 5), "set the host name")
    try:
        _root(spec)
    except OSError as error:
        control.send(f"X the jail could not be made: {error}".encode())
        return 1
    for index, command in enumerate(spec["commands"]):
        control.send(f"S{index}".encode())
        code = _command(spec, command)
        control.send(f"E{index} {code}".encode())
        if code != 0 or not control.recv(16):
            return 0
    return 0


def _own_user_namespace() -> None:
    """Enter a user namespace with the same ids: the build is root in it and can undo nothing that was
    mounted before.
    """
    me, (waiting, ready) = os.getpid(), os.pipe()
    writer = os.fork()
    if writer == 0:
        try:
            os.close(ready)
            os.read(waiting, 1)
            for name in ("uid_map", "gid_map"):
                lines = [line.split() for line in open(f"/proc/self/{name}", encoding="ascii")]
                _write(f"/proc/{me}/{name}", "".join(f"{first} {first} {count}\n" for first, _, count in lines))
            os._exit(0)
        finally:
            os._exit(1)
    _check(_LIBC.unshare(_CLONE_NEWUSER), "make a user namespace")
    os.close(waiting)
    os.close(ready)
    if os.waitpid(writer, 0)[1]:
        raise OSError("the ids of the user namespace could not be set")
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    _LIBC.prctl(_PR_SET_PDEATHSIG, 9, 0, 0, 0)


def main() -> int:
    """Join the control groups and namespaces, then let process 1 do the work."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, 9, 0, 0, 0)
    with os.fdopen(3, encoding="utf-8") as given:
        spec = json.load(given)
    control = socket.socket(fileno=4)
    os.set_inheritable(4, False)
    for path in spec["procs_files"]:
        _write(path, str(os.getpid()))
    if spec["degraded"]:
        _own_user_namespace()
    flags = _CLONE_NEWNS | _CLONE_NEWUTS | _CLONE_NEWIPC | _CLONE_NEWPID
    if spec["netns"]:
        namespace = os.open(spec["netns"], os.O_RDONLY | os.O_CLOEXEC)
        _check(_LIBC.setns(namespace, _CLONE_NEWNET), "join the network")
    else:
        flags |= _CLONE_NEWNET
    _check(_LIBC.unshare(flags), "make namespaces")
    child = os.fork()
    if child == 0:
        os._exit(_init(spec, control))
    control.close()
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main())
