"""The few Linux system calls that Python 3.11 lacks: namespaces, mounts, capabilities, loop devices."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import platform
import signal
import stat
import struct

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_NOATIME = 1024
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MNT_DETACH = 2

CAP_KILL, CAP_SETGID, CAP_SETUID, CAP_SETPCAP, CAP_SYS_ADMIN, CAP_NET_ADMIN = 5, 6, 7, 8, 21, 12
LAST_CAPABILITY = 63

_PR_SET_PDEATHSIG = 1
_PR_CAPBSET_READ = 23
_PR_CAPBSET_DROP = 24
# asm/unistd_64.h and asm-generic/unistd.h: clone, pivot_root, capset.
_SYSCALLS = {"x86_64": (56, 155, 126), "aarch64": (220, 41, 91)}
_CAP_VERSION_3 = 0x20080522

_libc = ctypes.PyDLL(None, use_errno=True)


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def _syscall(position: int, *args: object) -> int:
    try:
        number = _SYSCALLS[platform.machine()][position]
    except KeyError:
        raise OSError(errno.ENOSYS, f"The processor {platform.machine()} is not supported.") from None
    return int(_libc.syscall(number, *args))


def fork_into(flags: int) -> int:
    """Fork a child into new namespaces (clone(2)); returns its pid, or 0 in the child.

    Only for a process with one thread. Raises OSError.
    """
    ctypes.pythonapi.PyOS_BeforeFork()
    pid = _syscall(
        0, ctypes.c_ulong(flags | signal.SIGCHLD), ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p(),
        ctypes.c_void_p(),
    )  # fmt: skip
    if pid == 0:
        ctypes.pythonapi.PyOS_AfterFork_Child()
        return 0
    ctypes.pythonapi.PyOS_AfterFork_Parent()
    return _check(pid, "clone")


def mount(source: str, target: str, kind: str, flags: int = 0, data: str = "") -> None:
    """mount(2). Raises OSError naming the target."""
    result = _libc.mount(
        source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), data.encode() or None
    )
    _check(result, f"mount {kind or 'bind'} on {target}")


def umount(target: str, flags: int = 0) -> None:
    """umount2(2). Raises OSError."""
    _check(_libc.umount2(target.encode(), flags), f"umount {target}")


def pivot_root(new: str, old: str) -> None:
    """pivot_root(2). Raises OSError."""
    _check(_syscall(1, new.encode(), old.encode()), "pivot_root")


def die_with_parent() -> None:
    """Ask the kernel for SIGKILL when the parent ends. A later change of uid takes this back (prctl(2))."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")


def keep_bounding(kept: frozenset[int]) -> None:
    """Drop every capability but these from the bounding set: nothing that is run later can have them here."""
    for number in range(LAST_CAPABILITY):
        if number not in kept and _libc.prctl(_PR_CAPBSET_READ, number, 0, 0, 0) == 1:
            _check(_libc.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0), "prctl")


def keep_capabilities(kept: frozenset[int]) -> None:
    """Give up all capabilities but these (capset(2), version 3)."""
    mask = sum(1 << number for number in kept)
    low, high = mask & 0xFFFFFFFF, mask >> 32
    header = ctypes.create_string_buffer(struct.pack("=II", _CAP_VERSION_3, 0))
    data = ctypes.create_string_buffer(struct.pack("=6I", low, low, 0, high, high, 0))
    _check(_syscall(2, header, data), "capset")


_LOOP_CTL_GET_FREE = 0x4C82
_LOOP_CONFIGURE = 0x4C0A
_LO_FLAGS_AUTOCLEAR = 4
_LOOP_MAJOR = 7


def attach_loop(image: str) -> tuple[str, int]:
    """Bind a free loop device to this file; returns its path and an open descriptor.

    The device frees itself at the last close or unmount (loop(4), LO_FLAGS_AUTOCLEAR). Raises OSError.
    """
    for _ in range(64):
        control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
        try:
            number = fcntl.ioctl(control, _LOOP_CTL_GET_FREE)
        finally:
            os.close(control)
        path = f"/dev/loop{number}"
        if not os.path.exists(path):  # a /dev without devtmpfs, as in containers  # noqa: PTH110
            os.mknod(path, stat.S_IFBLK | 0o600, os.makedev(_LOOP_MAJOR, number))
        device = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        file = os.open(image, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            # struct loop_config: fd, block size, loop_info64 (flags at byte 52 of it), 8 reserved words.
            info = bytearray(232)
            struct.pack_into("=I", info, 52, _LO_FLAGS_AUTOCLEAR)
            fcntl.ioctl(device, _LOOP_CONFIGURE, struct.pack("=II", file, 0) + bytes(info) + bytes(64))
        except OSError as error:
            os.close(device)
            if error.errno != errno.EBUSY:  # another helper was faster
                raise
        else:
            return path, device
        finally:
            os.close(file)
    raise OSError(errno.EBUSY, "No free loop device was found.")
