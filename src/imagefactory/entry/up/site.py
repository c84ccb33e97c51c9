"""The data directory: what is in it, whose it is, and which factory wrote it."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from imagefactory.adapters.postgres.embedded import Account
from imagefactory.entry.up.errors import StartError
from imagefactory.kernel.env import Settings

SERVICE_USER = "imagefactory"
# The shape of the data directory. Raise it with a change that an older factory could not read.
DATA_VERSION = 1
# The oldest shape that this factory brings up to date by itself, in `prepare`; raise it when such a step is dropped.
OLDEST_VERSION = 1
LEAST_FREE_BYTES = 1024**3
_LEAST_FREE_FILES = 10_000
# The longest socket in `run` must fit into 107 bytes (unix(7)).
_LONGEST_SOCKET = "pg/.s.PGSQL.5432.lock"


@dataclasses.dataclass(frozen=True)
class Site:
    """One factory on one machine: its settings, and the user of its unprivileged processes when root starts
    it.
    """

    settings: Settings
    account: Account | None

    @property
    def data(self) -> Path:
        return self.settings.data_dir

    @property
    def run(self) -> Path:
        return self.settings.run_dir

    @property
    def supervisor(self) -> Path:
        """The supervisor's own directory: closed to the service user, who must not steer a supervisor of
        root.
        """
        return self.data / "supervisor"

    @property
    def logs(self) -> Path:
        return self.data / "process-logs"

    @property
    def secrets(self) -> Path:
        return self.data / "secrets"

    def log(self, process: str) -> Path:
        return self.logs / f"{process}.log"


def find_account(*, create: bool) -> Account | None:
    """Return the service user when the caller is root, making it with `create`; None for an ordinary user."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(SERVICE_USER)
    except KeyError:
        if not create:
            return None
        _add_user()
        entry = pwd.getpwnam(SERVICE_USER)
    return Account(entry.pw_uid, entry.pw_gid)


def user_name(uid: int) -> str:
    """Return the name of a user of this machine, or the number where there is no such user."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _add_user() -> None:
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if not useradd:
        raise StartError(
            f"The factory's processes run as the user {SERVICE_USER}, which is not there, and useradd is "
            "missing. "
            "Install the Debian package passwd, or make a system user of that name."
        )
    command = [useradd, "--system", "--user-group", "--no-create-home", "--home-dir", "/var/lib/imagefactory"]
    ran = subprocess.run(
        [*command, "--shell", "/usr/sbin/nologin", SERVICE_USER],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    # 9: somebody else made it meanwhile (useradd(8)).
    if ran.returncode not in {0, 9}:
        raise StartError(f"Could not make the system user {SERVICE_USER}: {ran.stderr.strip()}.")


def check(site: Site) -> None:
    """Refuse a data directory that no process of this factory can use. Changes nothing.

    Raises StartError with every reason: path too long, closed to the service user, another version's, full disk.
    """
    found = []
    for look in (_check_length, _check_version, _check_way, _check_room):
        try:
            look(site)
        except StartError as error:
            found.append(str(error))
    if found:
        raise StartError("\n".join(found))


def _check_length(site: Site) -> None:
    longest = site.run / _LONGEST_SOCKET
    if len(os.fsencode(longest)) > 107:
        raise StartError(
            f"The data directory's name is too long: sockets such as {longest} may have 107 bytes. Set "
            f"IMAGEFACTORY_DATA_DIR to a path {len(os.fsencode(longest)) - 107} bytes shorter."
        )


def _check_way(site: Site) -> None:
    if site.account is not None:
        check_reachable(site.data.parent, "the data directory", "Set IMAGEFACTORY_DATA_DIR to another place")


def _check_room(site: Site) -> None:
    disk = os.statvfs(existing(site.data))
    free = disk.f_bavail * disk.f_frsize
    if free < LEAST_FREE_BYTES:
        raise StartError(
            f"The disk of {site.data} is full: {free // 1024**2} MiB are left, and the factory needs "
            f"{LEAST_FREE_BYTES // 1024**2} MiB to start, because the database must never meet a full disk. Free some "
            "space, or set IMAGEFACTORY_DATA_DIR to a larger disk. Nothing was changed."
        )
    if disk.f_files and disk.f_favail < _LEAST_FREE_FILES:
        raise StartError(
            f"The disk of {site.data} has room for {disk.f_favail} more files only, and the factory needs "
            f"{_LEAST_FREE_FILES} (`df -i` shows it). Remove some files, or set IMAGEFACTORY_DATA_DIR to another disk. "
            "Nothing was changed."
        )


def check_reachable(path: Path, what: str, remedy: str) -> None:
    """Raise StartError when a directory on the way to `path` is closed to other users."""
    for place in (path, *path.parents):
        with contextlib.suppress(FileNotFoundError):
            if not place.stat().st_mode & 0o001:
                raise StartError(
                    f"The factory's processes run as the user {SERVICE_USER}, who cannot reach {what}, "
                    f"{path}, because "
                    f"{place} is closed to others. {remedy}."
                )


def existing(path: Path) -> Path:
    """Return the path itself, or the nearest directory above it that is there."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def _check_version(site: Site) -> None:
    data = site.data
    try:
        text = (data / "VERSION").read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return
    except OSError as error:
        raise StartError(f"Cannot read the data directory {data}: {error.strerror}. Start as its owner.") from error
    if not text.isdigit():
        raise StartError(
            f"{data / 'VERSION'} should hold a number and holds {text[:40]!r}. Is {data} really the data "
            "directory of a "
            "factory? Set IMAGEFACTORY_DATA_DIR, or put the file back from a backup."
        )
    if int(text) > DATA_VERSION:
        raise StartError(
            f"The data directory {data} was written by a newer factory (its version is {text}, this factory "
            "knows "
            f"{DATA_VERSION}). Install the newer factory again, or put back the backup made before the "
            "upgrade. "
            "Nothing was changed."
        )
    if int(text) < OLDEST_VERSION:
        raise StartError(
            f"The data directory {data} was written by a factory too old for this one (its version is {text}, this "
            f"factory reads {OLDEST_VERSION} to {DATA_VERSION}). Upgrade with a factory in between first, as its "
            "release notes say, or start the old factory again. Nothing was changed."
        )


def prepare(site: Site) -> None:
    """Make the directories of the data directory and record its version. May be called at every start."""
    site.data.mkdir(mode=0o755, parents=True, exist_ok=True)
    # Root's own: nothing that the service user could replace is read or run by root.
    for name, mode in (("supervisor", 0o700), ("process-logs", 0o750)):
        _directory(site.data / name, mode, None)
    for name, mode in (
        ("run", 0o750),
        ("run/pg", 0o700),
        ("secrets", 0o700),
        ("registry", 0o700),
        ("blobs", 0o700),
        ("build-logs", 0o700),
    ):
        _directory(site.data / name, mode, site.account)
    write(site.data / "VERSION", f"{DATA_VERSION}\n", None, mode=0o644)


def _directory(path: Path, mode: int, account: Account | None) -> None:
    path.mkdir(mode=mode, exist_ok=True)
    if path.stat().st_uid != os.geteuid() != 0:
        # `builds` of an ordinary user: the runner helper has made it root's, as it must be.
        return
    path.chmod(mode)
    if account is not None:
        os.chown(path, account.uid, account.gid, follow_symlinks=False)


def write(path: Path, text: str, account: Account | None, *, mode: int = 0o600) -> None:
    """Write a file so that it appears whole, and never through a link that somebody put there."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(fd, "w", encoding="utf-8") as out:
        os.fchmod(fd, mode)
        if account is not None:
            os.fchown(fd, account.uid, account.gid)
        out.write(text)
    draft.replace(path)


@contextlib.contextmanager
def locked(site: Site, *, wait: bool = False) -> Iterator[None]:
    """Hold the data directory while starting or stopping.

    Raises StartError when another `up` or `down` has it, unless it may `wait`, or when it is another user's.
    """
    try:
        site.data.mkdir(mode=0o755, parents=True, exist_ok=True)
        _directory(site.supervisor, 0o700, None)
        lock = (site.supervisor / "lock").open("a", encoding="ascii")
    except OSError as error:
        raise StartError(
            f"Cannot use the data directory {site.data}: {error.strerror}: {error.filename}. Start as its "
            "owner, or set IMAGEFACTORY_DATA_DIR to a directory of your own."
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise StartError(
                f"Another `imagefactory up` or `down` is at work on {site.data}. Wait for it, then try again."
            ) from None
        yield
