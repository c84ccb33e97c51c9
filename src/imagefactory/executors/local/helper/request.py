"""What a client may ask, checked before anything is done: names, sizes and counts have limits."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

_ID = re.compile(r"[0-9a-f][0-9a-f-]{7,63}")
_ENV = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
MAX_COMMANDS, MAX_WORDS, MAX_WORD = 200, 2000, 65_536


class BadRequest(Exception):
    """The request breaks a rule. The message is a sentence."""


def execution_id(message: dict[str, Any]) -> str:
    """Return the id that a message names; the only part of a path that ever comes from a client."""
    text = message.get("id")
    if not isinstance(text, str) or not _ID.fullmatch(text):
        raise BadRequest("The execution id has 8 to 64 of 0-9, a-f and hyphens.")
    return text


def whole(message: dict[str, Any], name: str, low: int, high: int) -> int:
    value = message.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise BadRequest(f"{name} is a whole number from {low} to {high}.")
    return value


@dataclasses.dataclass(frozen=True)
class RunRequest:
    """A checked request to run commands."""

    id: str
    commands: list[dict[str, Any]]
    cpus: float
    memory_mib: int
    disk_mib: int
    pids: int
    timeout_seconds: int
    network: str


def run_request(message: dict[str, Any]) -> RunRequest:
    """Return the checked request.

    Raises BadRequest.
    """
    limits, commands = message.get("limits"), message.get("commands")
    if not isinstance(limits, dict) or not isinstance(commands, list) or not 1 <= len(commands) <= MAX_COMMANDS:
        raise BadRequest(f"A run has limits and 1 to {MAX_COMMANDS} commands.")
    cpus = limits.get("cpus")
    if not isinstance(cpus, int | float) or not 0.05 <= cpus <= 1024:
        raise BadRequest("cpus is a number from 0.05 to 1024.")
    if message.get("network") not in {"none", "registry", "open"}:
        raise BadRequest("network is none, registry or open.")
    return RunRequest(
        execution_id(message),
        [_command(c) for c in commands],
        float(cpus),
        whole(limits, "memory_mib", 16, 4_194_304),
        whole(limits, "disk_mib", 16, 4_194_304),
        whole(limits, "pids", 8, 1_000_000),
        whole(limits, "timeout_seconds", 1, 604_800),
        str(message["network"]),
    )


def _words(value: Any) -> list[str]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_WORDS:
        raise BadRequest(f"A command has 1 to {MAX_WORDS} words.")
    if not all(isinstance(w, str) and len(w) <= MAX_WORD and "\0" not in w for w in value):
        raise BadRequest(f"Each word of a command is text of at most {MAX_WORD} characters without a zero byte.")
    return value


def _command(c: Any) -> dict[str, Any]:
    if not isinstance(c, dict) or not isinstance(c.get("env", {}), dict):
        raise BadRequest("A command is a table with argv, env and cwd.")
    env = c.get("env", {})
    if len(env) > 500 or not all(
        isinstance(k, str) and _ENV.fullmatch(k) and isinstance(v, str) and len(v) <= MAX_WORD and "\0" not in v
        for k, v in env.items()
    ):
        raise BadRequest("The environment of a command has at most 500 proper names with text.")
    cwd = c.get("cwd", "/build")
    if not isinstance(cwd, str) or not cwd.startswith("/build") or ".." in cwd or "\0" in cwd:
        raise BadRequest("cwd lies below /build.")
    return {"argv": _words(c.get("argv")), "env": env, "cwd": cwd}
