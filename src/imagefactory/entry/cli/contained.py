"""A script that unpacks an image into an empty directory and becomes its command there: a plan as JSON on standard input.

For the demo's own look at its image, not for images of strangers: it holds a program away from this machine's files and
ends it for sure, and no more. Root changes into the image's own user; an ordinary user gets a user namespace in which
everything is theirs. Standard library only; the exit status UNABLE means that this machine does not allow it.
"""

import ctypes
import gzip
import json
import os
import shutil
import signal
import stat
import sys
import tarfile
import zlib  # noqa: F401 - tarfile and gzip import it late, when this process sees the image's files only
from typing import Any

UNABLE = 97
_NEW_MOUNTS, _NEW_USERS, _NEW_PIDS = 0x20000, 0x10000000, 0x20000000  # unshare(2)
_BIND, _PRIVATE, _RECURSIVE = 4096, 1 << 18, 16384  # mount(2)
_DIE_WITH_PARENT, _NO_NEW_PRIVILEGES = 1, 38  # prctl(2)
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_libc = ctypes.CDLL(None, use_errno=True)


class _Tar(tarfile.TarFile):
    """A tar whose owners are kept by root alone; in a user namespace there is one user."""

    keep_owners = False
    extraction_filter = staticmethod(lambda entry, _path: entry)  # this process sees nothing that it could harm

    def chown(self, tarinfo: tarfile.TarInfo, targetpath: Any, numeric_owner: bool) -> None:
        if self.keep_owners:
            os.lchown(targetpath, tarinfo.uid, tarinfo.gid)


def _unable(message: str) -> int:
    sys.stderr.write(message + "\n")
    return UNABLE


def _unshare(what: int) -> int:
    """Return 0, or the error's number."""
    return 0 if _libc.unshare(what) == 0 else ctypes.get_errno()


def _separate(*, root: bool) -> tuple[str, bool]:
    """Enter namespaces of its own; return why that is not possible, and whether mounts are private now.

    Root can do without: it has chroot and setuid.
    """
    if root:
        return "", _unshare(_NEW_MOUNTS | _NEW_PIDS) == 0
    uid, gid = os.getuid(), os.getgid()
    if problem := _unshare(_NEW_USERS | _NEW_MOUNTS | _NEW_PIDS):
        return f"this machine lets an ordinary user make no user namespace (unshare: {os.strerror(problem)})", False
    try:
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:  # noqa: PTH123 - the script's whole style
                file.write(text)
    except OSError as error:
        return f"this machine lets an ordinary user fill no user namespace ({error.strerror})", False
    return "", True


def _mount(source: str, target: str, kind: str, flags: int) -> None:
    """Mount if that is possible; the image is tried without it otherwise."""
    _libc.mount(source.encode(), target.encode(), kind.encode(), flags, None)


def _devices(root: str) -> None:
    _mount("none", "/", "", _PRIVATE | _RECURSIVE)  # whatever is mounted here stays here
    for folder in ("dev", "proc", "tmp"):
        os.makedirs(f"{root}/{folder}", exist_ok=True)  # noqa: PTH103 - see above
    for name in ("null", "zero", "urandom"):
        with open(f"{root}/dev/{name}", "wb"):  # noqa: PTH123 - see above
            _mount(f"/dev/{name}", f"{root}/dev/{name}", "", _BIND)
    _mount("proc", f"{root}/proc", "proc", 0)


def _clear(path: str) -> None:
    try:
        is_folder = stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return
    if is_folder:
        shutil.rmtree(path)
    else:
        os.unlink(path)  # noqa: PTH108 - see above


def _unpack(layers: list[tuple[int, bool]]) -> None:
    """Unpack layers, lowest first, into `/`, which is the image's own by now: no link in them leads out of it."""
    for handle, packed in layers:
        with os.fdopen(handle, "rb") as raw:
            stream = gzip.GzipFile(fileobj=raw) if packed else raw
            with _Tar.open(fileobj=stream, mode="r|", errorlevel=1) as tar:
                for entry in tar:
                    tar.members = []  # type: ignore[attr-defined]  # not in the stubs; tarfile keeps all otherwise
                    _entry(tar, entry)


def _entry(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> None:
    path = "/" + os.path.normpath("/" + entry.name).lstrip("/")
    folder, name = os.path.split(path)
    if name == ".wh..wh..opq":
        for child in os.listdir(folder):  # noqa: PTH208 - see above
            _clear(f"{folder}/{child}")
    elif name.startswith(".wh."):
        _clear(f"{folder}/{name.removeprefix('.wh.')}")
    elif path != "/" and not entry.isdev() and path.split("/")[1] not in {"dev", "proc"}:
        if not (entry.isdir() and os.path.isdir(path) and not os.path.islink(path)):  # noqa: PTH112, PTH114 - see above
            _clear(path)
        entry.name = path.lstrip("/")
        tar.extract(entry, "/", numeric_owner=True)


def _ids(user: str) -> tuple[int, int]:
    """Return user and group of an image's `User`: numbers, or names of its own /etc/passwd."""
    name, _, group = user.partition(":")
    if name.isdigit():
        return int(name), int(group) if group.isdigit() else int(name)
    try:
        with open("/etc/passwd", encoding="utf-8") as file:  # noqa: PTH123 - see above
            for line in file:
                parts = line.split(":")
                if parts[0] == name:
                    return int(parts[2]), int(parts[3])
    except (OSError, IndexError, ValueError):
        pass
    return 65534, 65534


def _become(plan: dict[str, Any], *, root: bool) -> int:
    user, cwd, env, argv = plan["user"], plan["cwd"], plan["env"], plan["argv"]
    os.makedirs(cwd, exist_ok=True)  # noqa: PTH103 - see above
    os.makedirs("/tmp", exist_ok=True)  # noqa: PTH103, S108 - see above
    os.chmod("/tmp", 0o1777)  # noqa: PTH101, S103, S108 - as in every image
    os.chdir(cwd)
    if root and user not in {"", "0", "root", "0:0"}:
        uid, gid = _ids(user)
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    _libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    _libc.prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    try:
        os.execvpe(argv[0], argv, {"PATH": _PATH, **env})  # noqa: S606 - the image's command is the purpose
    except OSError as error:
        sys.stderr.write(f"The image's command {argv[0]!r} cannot be started: {error.strerror}.\n")
    return 126


def main() -> int:
    """Return the exit status of the image's command."""
    _libc.prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    plan = json.load(sys.stdin)
    root, place = os.geteuid() == 0, str(plan["root"])
    layers = [(os.open(path, os.O_RDONLY | os.O_CLOEXEC), bool(packed)) for path, packed in plan["layers"]]
    _Tar.keep_owners = root
    why, private = _separate(root=root)
    if why:
        return _unable(why)
    child = os.fork()  # the first process of the new pid namespace: when it ends, all in it end
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        _libc.prctl(_DIE_WITH_PARENT, signal.SIGKILL)
        if private:
            _devices(place)
        os.chroot(place)
        os.chdir("/")
    except OSError as error:
        os._exit(_unable(f"this machine does not let a program be closed in (chroot: {error.strerror})"))
    _unpack(layers)
    sys.stdout.write("unpacked\n")
    sys.stdout.flush()
    os._exit(_become(plan, root=root))


if __name__ == "__main__":
    sys.exit(main())
