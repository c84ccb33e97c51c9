"""What a build method promises: a manifest and its source become checked findings and an ordered list of steps.

Methods are pure: they read the prepared workspace, never the network or the database, and know no executor. The
dispatcher turns each `Step` into a command of the executor it chose.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

from imagefactory.methods.dockerfile import Image
from imagefactory.methods.manifest import Manifest

Level = Literal["error", "warning", "info"]


@dataclasses.dataclass(frozen=True)
class Finding:
    """One remark about a manifest or Dockerfile. `error` stops the build in its lint stage; the rest is advice.

    `line` counts from 1 in the file that was checked, and is None for what has no place in it.
    """

    level: Level
    rule: str
    message: str
    line: int | None = None


@dataclasses.dataclass(frozen=True)
class Step:
    """One process to run inside the isolation, in order; paths are as seen inside (`/build` is the workspace)."""

    stage: str
    argv: Sequence[str]
    env: Mapping[str, str] = dataclasses.field(default_factory=dict)
    cwd: str = "/build"


@dataclasses.dataclass(frozen=True)
class Base:
    """A base image that lies in the workspace as the OCI layout `bases/<position in Facts.bases>`.

    `written` is the text that `Method.bases` returned, `resolved` the complete reference that it was really read from.
    """

    written: str
    resolved: str
    digest: str = ""


@dataclasses.dataclass(frozen=True)
class Facts:
    """What the dispatcher knows when it asks for a plan.

    `isolation` is buildah's word: `rootless` inside the jail (crun starts each RUN), `chroot` where there is no jail.
    `options` go between `buildah` and its verb (storage driver, root); `commit_time` is the commit's time in seconds
    since 1970, which makes digests reproducible.
    """

    isolation: Literal["rootless", "chroot"] = "rootless"
    runtime: str = "crun"
    options: Sequence[str] = ("--storage-driver", "overlay")
    env: Mapping[str, str] = dataclasses.field(default_factory=dict)
    network: Literal["none", "registry", "open"] = "open"
    bases: Sequence[Base] = ()
    commit: str = ""
    commit_time: int | None = None
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    secrets: Sequence[str] = ()


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far a build came: step `current` of `total` has started; `text` is its line in the Dockerfile."""

    current: int
    total: int
    text: str
    line: int


class ProgressReader(Protocol):
    """Reads a build's output line by line. One reader belongs to one build."""

    def read(self, line: str) -> Progress | None:
        """Return the progress that this line of standard output states, or None. Never raises."""
        ...


class MethodRefused(Exception):
    """This source can not be built with this manifest. The message says why and what to change.

    `line` is the line of the Dockerfile that is to blame, or 0.
    """

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


class Method(Protocol):
    """One way to build. Every call may be repeated; only `prepare` writes, and only below the workspace."""

    name: str

    def validate(self, manifest: Manifest) -> None:
        """Raise ManifestInvalid for what this method can not do."""
        ...

    def bases(self, manifest: Manifest, workspace: Path) -> list[Image]:
        """Return the outside images that the build needs, each once with its line, in order of appearance.

        Raises MethodRefused when the source can not be read.
        """
        ...

    def lint(self, manifest: Manifest, workspace: Path, facts: Facts) -> list[Finding]:
        """Check the source. Never raises for what is wrong in it: that is what findings are for."""
        ...

    def prepare(self, manifest: Manifest, workspace: Path) -> None:
        """Write the files that the plan's steps read, such as an inline Dockerfile."""
        ...

    def plan(self, manifest: Manifest, workspace: Path, facts: Facts) -> list[Step]:
        """Return what to run. The image is then in the OCI layout `out/image` of the workspace."""
        ...

    def progress(self, manifest: Manifest, workspace: Path) -> ProgressReader:
        """Return a reader of this build's output."""
        ...
