"""The directory that holds the running builds' files: it belongs to whom the runner helper runs as."""

from __future__ import annotations

import os

from imagefactory.entry.up import isolation
from imagefactory.entry.up.errors import StartError
from imagefactory.entry.up.site import Site
from imagefactory.executors.local.helper.workspace import Workspace


def prepare(site: Site) -> None:
    """Make it, or take it over from a helper of the other kind with what that left. Call it while no helper runs.

    Raises StartError when it is another user's and holds something.
    """
    path = site.data / "builds"
    # A helper in the jail's way takes it for root by itself.
    degraded = isolation.choose(site.settings).level == "degraded"
    owner, group = (site.account.uid, site.account.gid) if site.account and degraded else (os.geteuid(), os.getegid())
    if degraded and path.exists() and path.stat().st_uid != owner:
        _take_over(site)
    path.mkdir(mode=0o711, exist_ok=True)
    if os.geteuid() == 0:
        os.chown(path, owner, group, follow_symlinks=False)
    if path.stat().st_uid == os.geteuid() or os.geteuid() == 0:
        path.chmod(0o711)


def _take_over(site: Site) -> None:
    """Empty a directory of another owner, in which a degraded helper could remove nothing."""
    path = site.data / "builds"
    if os.geteuid() == 0:
        for name in sorted({entry.name.removesuffix(".img") for entry in path.iterdir()}):
            Workspace(path, name).destroy()
        return
    try:
        path.rmdir()
    except OSError:
        raise StartError(
            f"{path} is root's and holds builds of an earlier start with the jail, and builds would run degraded now. "
            f"Run `sudo rm -r {path}` once, or start with root or sudo as before."
        ) from None
