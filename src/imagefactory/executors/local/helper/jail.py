"""The private root of a build: what is in it, and the steps by which a new mount namespace becomes it.

Runs in the child, in its own mount, pid, ipc and uts namespaces. Only a read-only `/usr`, a minimal `/etc`, a few devices
and the build's own directory are there; the host's root is detached before any command of the build starts.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import shutil
from pathlib import Path

from imagefactory.executors.local.helper import linux

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_ROOT_MIB = 16
_RUN_MIB = 16
_SHM_MIB = 64


@dataclasses.dataclass(frozen=True)
class Account:
    """Who a build runs as: its own uid and gid, and a range of subordinate ids for the users inside its images."""

    uid: int
    gid: int
    subid_start: int
    subid_count: int = 65536


@dataclasses.dataclass(frozen=True)
class Root:
    """What the private root is made from. `hosts` are lines added to /etc/hosts."""

    workspace: str
    account: Account
    host_network: bool
    nameservers: tuple[str, ...]
    hosts: tuple[str, ...] = ()


def enter(root: Root) -> None:
    """Turn this mount namespace's root into the private one. Raises OSError; the caller then ends the process."""
    linux.mount("none", "/", "", linux.MS_REC | linux.MS_PRIVATE)
    base = _staging_directory()
    linux.mount(
        "jail", base, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, f"size={_ROOT_MIB}m,nr_inodes=4096,mode=755"
    )
    # The workspace's path may be relative to the present directory: bind it before leaving.
    os.mkdir(f"{base}/build", 0o755)
    linux.mount(root.workspace, f"{base}/build", "", linux.MS_BIND)
    _remount("build", f"{base}/build", linux.MS_NOSUID | linux.MS_NODEV)
    os.chdir(base)
    for name in ("usr", "etc", "proc", "dev", "sys", "run", "run/user", "tmp", "var", "var/tmp", "old"):
        os.mkdir(name, 0o755)
    _system_directories()
    _devices()
    _kernel_views(root)
    _etc(root)
    _writable(root)
    linux.pivot_root(".", "old")
    os.chdir("/")
    linux.umount("/old", linux.MNT_DETACH)
    os.rmdir("/old")
    _remount("jail", "/", linux.MS_RDONLY | linux.MS_NOSUID | linux.MS_NODEV)


def _staging_directory() -> str:
    # Any directory of the host does as a mount point: this namespace is private, so the host never sees the mount.
    return "/tmp" if os.path.isdir("/tmp") else "/mnt"  # noqa: S108, PTH112 - only mounted over, never written


def _remount(source: str, target: str, flags: int) -> None:
    """Set flags on a mount, keeping those that a user namespace may not clear."""
    kept = os.statvfs(target).f_flag & (os.ST_NOSUID | os.ST_NODEV | os.ST_NOEXEC | os.ST_RDONLY)
    if os.statvfs(target).f_flag & os.ST_NOATIME:
        kept |= linux.MS_NOATIME
    if os.statvfs(target).f_flag & os.ST_RELATIME:
        kept |= 1 << 21
    linux.mount(source, target, "", linux.MS_REMOUNT | linux.MS_BIND | flags | kept)


def _system_directories() -> None:
    linux.mount("/usr", "usr", "", linux.MS_BIND | linux.MS_REC)
    # Not nosuid: newuidmap, which rootless buildah needs, is set-uid. What else is set-uid finds no accounts here.
    _remount("usr", "usr", linux.MS_RDONLY | linux.MS_NODEV)
    for name in ("bin", "sbin", "lib", "lib32", "lib64"):
        host = Path("/") / name
        if host.is_symlink():
            os.symlink(host.readlink(), name)
        elif host.is_dir():
            os.mkdir(name)
            linux.mount(str(host), name, "", linux.MS_BIND | linux.MS_REC)
            _remount(name, name, linux.MS_RDONLY | linux.MS_NODEV)


def _devices() -> None:
    for name in _DEVICES:
        Path("dev", name).touch()
        linux.mount(f"/dev/{name}", f"dev/{name}", "", linux.MS_BIND)
    for name in ("shm", "pts", "net"):
        os.mkdir(f"dev/{name}")
    linux.mount("shm", "dev/shm", "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, f"size={_SHM_MIB}m,mode=1777")
    linux.mount("devpts", "dev/pts", "devpts", linux.MS_NOSUID | linux.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620")
    os.symlink("pts/ptmx", "dev/ptmx")
    for name, target in (("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        os.symlink(target, f"dev/{name}")


def _kernel_views(root: Root) -> None:
    flags = linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC
    linux.mount("proc", "proc", "proc", flags)
    if root.host_network:
        # sysfs belongs to the network namespace; without one of our own only the host's can be shown.
        linux.mount("/sys", "sys", "", linux.MS_BIND | linux.MS_REC)
        _remount("sys", "sys", flags | linux.MS_RDONLY)
    else:
        linux.mount("sysfs", "sys", "sysfs", flags | linux.MS_RDONLY)
    # Hides the host's groups, and spares crun a mix of cgroup versions that it refuses.
    with contextlib.suppress(FileNotFoundError):
        linux.mount("none", "sys/fs/cgroup", "tmpfs", flags | linux.MS_RDONLY, "size=4k,mode=755")


def _etc(root: Root) -> None:
    account = root.account
    ids = f"build:{account.subid_start}:{account.subid_count}\n"
    home = "/build/home:/usr/sbin/nologin"
    passwd = "root:x:0:0:root:/root:/usr/sbin/nologin\n"
    group = "root:x:0:\n"
    if account.uid:
        passwd += f"build:x:{account.uid}:{account.gid}:build:{home}\n"
        group += f"build:x:{account.gid}:\n"
    files = {
        "passwd": passwd,
        "group": group,
        "subuid": ids,
        "subgid": ids,
        "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
        "hosts": "".join(f"{line}\n" for line in ("127.0.0.1 localhost build", "::1 localhost", *root.hosts)),
        "resolv.conf": "".join(f"nameserver {address}\n" for address in root.nameservers),
        "hostname": "build\n",
    }
    for name, text in files.items():
        Path("etc", name).write_text(text, encoding="ascii")
    for name in ("ld.so.cache", "ld.so.conf", "localtime", "protocols", "services"):
        with contextlib.suppress(OSError):
            shutil.copyfile(f"/etc/{name}", f"etc/{name}")
    for name in ("containers", "alternatives", "ssl/certs"):
        _copy_tree(Path("/etc", name), Path("etc", name))


def _copy_tree(source: Path, target: Path) -> None:
    """Copy the small, world-readable files of a directory; certificates and settings, never keys."""
    if not source.is_dir():
        return
    target.mkdir(parents=True)
    for entry in sorted(source.iterdir())[:1024]:
        if entry.is_symlink():
            os.symlink(entry.readlink(), target / entry.name)
        elif entry.is_dir() and len(target.parts) < 6:
            _copy_tree(entry, target / entry.name)
        elif entry.is_file() and entry.stat().st_mode & 0o004 and entry.stat().st_size < 1 << 20:
            shutil.copyfile(entry, target / entry.name)


def _writable(root: Root) -> None:
    for name in ("tmp", "var/tmp"):
        linux.mount("build/tmp", name, "", linux.MS_BIND)
        _remount("tmp", name, linux.MS_NOSUID | linux.MS_NODEV)
    account = root.account
    run = f"run/user/{account.uid}"
    os.mkdir(run)
    owner = f"size={_RUN_MIB}m,nr_inodes=4096,mode=700,uid={account.uid},gid={account.gid}"
    linux.mount("run", run, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, owner)
    try:
        os.symlink("/run", "var/run")
    except OSError as error:  # pragma: no cover - a fresh tmpfs
        if error.errno != errno.EEXIST:
            raise
