"""Parts that tests of the dispatcher share: a base image in the registry's library, and the end of a build."""

from __future__ import annotations

import os
import subprocess
import tarfile
import uuid
from pathlib import Path
from typing import Any

from imagefactory.adapters.logs.files import FileLogStore
from imagefactory.adapters.registries import layout, skopeo
from imagefactory.domain.builds import selectors
from imagefactory.entry.http.registry import issuer
from imagefactory.kernel import env
from tests.conftest import World
from tests.dispatcher.waiting import wait_for

BUSYBOX = Path("/bin/busybox")
FINISHED = {"succeeded", "failed", "cancelled"}


def push_base(place: Path, repository: str = "library/box", tag: str = "1") -> str:
    """Push a base with a shell in it (busybox) into the registry of the tests, and return its digest."""
    place.mkdir(parents=True)
    tar = place / "root.tar"
    with tarfile.open(tar, "w") as out:
        for name in ("bin/sh", "bin/busybox"):
            out.add(BUSYBOX, name)
    layout.write_from_tar(tar, place / "image", config={"Cmd": ["/bin/sh"]}, created="2023-11-14T22:13:20Z")
    host = env.get().host
    grant = issuer().issue_grant("dispatcher", repository, ["pull", "push"])
    return skopeo.push(place / "image", "latest", f"{host}/{repository}:{tag}", host, password=grant, tls=False)


def ended(world: World, build_id: uuid.UUID, seconds: float = 90) -> selectors.BuildDetail:
    """Return the build once it is at its end."""

    def look() -> selectors.BuildDetail | None:
        build = selectors.get_build(world.actor("owner"), build_id)
        return build if build.status in FINISHED else None

    found: selectors.BuildDetail = wait_for(look, seconds)
    return found


def log_text(store: FileLogStore, world: World, build_id: uuid.UUID) -> str:
    """Return the whole log of the newest attempt."""
    execution = selectors.get_execution(world.actor("owner"), build_id)
    wait_for(lambda: store.state(str(execution.id)).finished, 10)
    return "\n".join(line.text for line in store.read(str(execution.id), 0, 10_000))


class Repository:
    """A Git repository on disk, and the settings under which a dispatcher may read it."""

    def __init__(self, place: Path) -> None:
        self.place = place
        place.mkdir(parents=True)
        self._git("init", "--quiet", "-b", "main")

    @property
    def url(self) -> str:
        return f"file://{self.place}"

    @property
    def allowed(self) -> dict[str, Any]:
        return {"allow_file_sources": True, "source_root": self.place.parent}

    def commit(self, files: dict[str, str], message: str = "Change") -> str:
        """Write these files, commit all there is and return the commit."""
        for name, text in files.items():
            (self.place / name).parent.mkdir(parents=True, exist_ok=True)
            (self.place / name).write_text(text)
        self._git("add", "--all")
        self._git("commit", "--quiet", "--allow-empty", "-m", message)
        return self._git("rev-parse", "HEAD")

    def branch(self, name: str) -> None:
        self._git("branch", name)

    def _git(self, *arguments: str) -> str:
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.place), "GIT_CONFIG_NOSYSTEM": "1"}
        who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.test"]
        done = subprocess.run(
            ["git", *who, *arguments], cwd=self.place, env=environment, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()
