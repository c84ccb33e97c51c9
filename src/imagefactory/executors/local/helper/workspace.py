"""The build directory: a file system of its own with a size limit, handed from the dispatcher to the build
and back.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import subprocess
import time
from pathlib import Path

_SPARE_MIB = 512  # of the host's disk, beyond what a new workspace may grow to before builds are refused


class WorkspaceUnavailable(Exception):
    """There is no room or no way to make a build directory. The message is a sentence."""


class Workspace:
    """`<builds>/<id>`, mounted from the sparse file `<builds>/<id>.img`; a plain directory where loops are
    missing.
    """

    def __init__(self, builds: Path, execution_id: str) -> None:
        self.path = builds / execution_id
        self.image = builds / f"{execution_id}.img"
        self._count, self._count_next = 0, 0.0

    @property
    def limited(self) -> bool:
        """Whether the size limit really holds."""
        return self.path.is_mount()

    def create(self, disk_mib: int, uid: int, gid: int, *, limited: bool = True) -> None:
        """Make it empty, owned by the dispatcher; `limited` makes a file system of its own.

        Raises WorkspaceUnavailable.
        """
        free = shutil.disk_usage(self.path.parent).free // (1024 * 1024)
        if free < min(disk_mib, 1024) + _SPARE_MIB:
            raise WorkspaceUnavailable(
                f"The disk of the build host is full: {free} MiB are free, and a build needs at least "
                f"{min(disk_mib, 1024) + _SPARE_MIB} MiB. Free some space; the build waits."
            )
        self.path.mkdir(mode=0o700)
        if limited:
            self._mount(disk_mib)
        os.chown(self.path, uid, gid)
        self.path.chmod(0o700)

    def _mount(self, disk_mib: int) -> None:
        fd = os.open(self.image, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.ftruncate(fd, disk_mib * 1024 * 1024)
        finally:
            os.close(fd)
        # No journal and no reserve: nothing here outlives a crash, and the whole size is the build's.
        make = [
            "mkfs.ext4",
            "-q",
            "-F",
            "-m",
            "0",
            "-O",
            "^has_journal",
            "-E",
            "lazy_itable_init=1,nodiscard",
        ]
        mount = ["mount", "-o", "loop,nosuid,nodev", str(self.image), str(self.path)]
        for argv in ([*make, str(self.image)], mount):
            done = subprocess.run(argv, capture_output=True, timeout=60, check=False)
            if done.returncode:
                self.image.unlink(missing_ok=True)
                break
        else:
            with contextlib.suppress(OSError):
                (self.path / "lost+found").rmdir()

    def hand_over(self, uid: int, gid: int) -> None:
        """Give everything to the build's user; links are never followed."""
        for _, directories, files, here in os.fwalk(self.path, follow_symlinks=False):
            os.fchown(here, uid, gid)
            for name in (*directories, *files):
                os.chown(name, uid, gid, dir_fd=here, follow_symlinks=False)

    def hand_back(self, uid: int, gid: int) -> None:
        """Give `out/` to the dispatcher: directories and regular files of one link; all else is removed.

        A link left there by a hostile build would make the dispatcher read a file of the host.
        """
        os.chown(self.path, uid, gid)
        out = self.path / "out"
        if out.is_symlink() or not out.is_dir():
            return
        for _, directories, files, here in os.fwalk(out, follow_symlinks=False):
            os.fchown(here, uid, gid)
            os.fchmod(here, 0o700)
            for name in list(directories):
                if stat.S_ISLNK(os.stat(name, dir_fd=here, follow_symlinks=False).st_mode):
                    os.unlink(name, dir_fd=here)
                    directories.remove(name)
            for name in files:
                seen = os.stat(name, dir_fd=here, follow_symlinks=False)
                if stat.S_ISREG(seen.st_mode) and seen.st_nlink == 1:
                    os.chown(name, uid, gid, dir_fd=here, follow_symlinks=False)
                    os.chmod(name, 0o600, dir_fd=here)
                else:
                    os.unlink(name, dir_fd=here)

    def usage(self) -> tuple[int, int]:
        """Return bytes used and bytes free in the workspace."""
        if not self.limited:
            return self._counted(), shutil.disk_usage(self.path.parent).free
        try:
            v = os.statvfs(self.path)
        except OSError:
            return 0, 0
        return (v.f_blocks - v.f_bfree) * v.f_frsize, v.f_bavail * v.f_frsize

    def _counted(self) -> int:
        """Add up what lies in a plain directory; at most every few seconds, since that takes a while."""
        now = time.monotonic()
        if now >= self._count_next:
            total = 0
            for _, directories, files, here in os.fwalk(self.path, follow_symlinks=False):
                for name in (*directories, *files):
                    with contextlib.suppress(OSError):
                        total += os.stat(name, dir_fd=here, follow_symlinks=False).st_blocks * 512
            self._count = total
            self._count_next = time.monotonic() + max(1.0, 10 * (time.monotonic() - now))
        return self._count

    def transferred(self) -> tuple[int, int] | None:
        """Return bytes read and written by the workspace's own device, late writes included; None without
        one.
        """
        if not self.limited:
            return None
        device = self.path.stat().st_dev
        try:
            text = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat").read_text(encoding="ascii")
            # Documentation/block/stat: sectors of 512 bytes read and written are the third and the seventh
            # number.
            return int(text.split()[2]) * 512, int(text.split()[6]) * 512
        except (OSError, ValueError, IndexError):
            return None

    def destroy(self, seconds: float = 10.0) -> bool:
        """Unmount and delete; returns whether nothing is left."""
        deadline = time.monotonic() + seconds
        while self.path.is_mount():
            done = subprocess.run(["umount", str(self.path)], capture_output=True, timeout=30, check=False)
            if done.returncode and time.monotonic() > deadline:
                subprocess.run(["umount", "-l", str(self.path)], capture_output=True, timeout=30, check=False)
                break
            if done.returncode:
                time.sleep(0.05)
        if self.path.exists() and not self.path.is_mount():
            shutil.rmtree(self.path, ignore_errors=True)
        self.image.unlink(missing_ok=True)
        return not self.path.exists()
