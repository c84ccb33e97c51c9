"""Typed requests between an executor and the runner helper, checked field by field before anything is done with them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any, Literal

EXECUTION_ID = re.compile(r"[0-9a-f][0-9a-f-]{7,63}")
_STAGE = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
MAX_COMMANDS = 64
MAX_ARGUMENTS = 1024
MAX_TEXT = 96 * 1024  # of one argument or variable; the kernel's own bound is 128 KiB
MAX_REQUEST = 2 * 1024 * 1024
_LIMITS = {
    "memory_mib": (16, 1_048_576),
    "disk_mib": (32, 1_048_576),
    "pids": (8, 100_000),
    "timeout_seconds": (1, 86_400),
}


class RequestInvalid(Exception):
    """A request breaks its form. The message names the field."""


@dataclasses.dataclass(frozen=True)
class PlannedCommand:
    """One process to run, as checked."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str


@dataclasses.dataclass(frozen=True)
class PlannedLimits:
    """What an execution may use: cores, MiB, processes, seconds."""

    cpus: float
    memory_mib: int
    disk_mib: int
    pids: int
    timeout_seconds: int


Network = Literal["none", "registry", "open"]


@dataclasses.dataclass(frozen=True)
class StartRequest:
    """A checked plan."""

    commands: tuple[PlannedCommand, ...]
    limits: PlannedLimits
    network: Network


def execution_id(value: object) -> str:
    """Return the id. Raises RequestInvalid; what passes is safe as one component of a path."""
    if not isinstance(value, str) or not EXECUTION_ID.fullmatch(value):
        raise RequestInvalid("execution_id must be 8 to 64 characters of 0-9, a-f and '-'.")
    return value


def whole(value: object, field: str, low: int, high: int) -> int:
    """Return a whole number between these bounds. Raises RequestInvalid."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise RequestInvalid(f"{field} must be a whole number from {low} to {high}.")
    return value


def disk_mib(value: object) -> int:
    """Return the size of a workspace in MiB. Raises RequestInvalid."""
    return whole(value, "disk_mib", *_LIMITS["disk_mib"])


def start_request(message: Mapping[str, Any]) -> StartRequest:
    """Check a whole plan. Raises RequestInvalid."""
    commands = message.get("commands")
    if not isinstance(commands, list) or not 1 <= len(commands) <= MAX_COMMANDS:
        raise RequestInvalid(f"commands must be a list of 1 to {MAX_COMMANDS}.")
    network = message.get("network")
    if network not in {"none", "registry", "open"}:
        raise RequestInvalid("network must be none, registry or open.")
    checked = tuple(_command(command, f"commands[{index}]") for index, command in enumerate(commands))
    return StartRequest(checked, _limits(message.get("limits")), network)


def _limits(value: object) -> PlannedLimits:
    if not isinstance(value, dict):
        raise RequestInvalid("limits must be an object.")
    cpus = value.get("cpus")
    if isinstance(cpus, bool) or not isinstance(cpus, int | float) or not 0.01 <= cpus <= 1024:
        raise RequestInvalid("limits.cpus must be a number from 0.01 to 1024.")
    whole_ones = {name: whole(value.get(name), f"limits.{name}", *bounds) for name, bounds in _LIMITS.items()}
    return PlannedLimits(cpus=float(cpus), **whole_ones)


def _text(value: object, field: str) -> str:
    if not isinstance(value, str) or "\0" in value or len(value.encode(errors="surrogatepass")) > MAX_TEXT:
        raise RequestInvalid(f"{field} must be text of at most {MAX_TEXT} bytes without a zero byte.")
    return value


def _command(value: object, field: str) -> PlannedCommand:
    if not isinstance(value, dict):
        raise RequestInvalid(f"{field} must be an object.")
    argv = value.get("argv")
    if not isinstance(argv, list) or not 1 <= len(argv) <= MAX_ARGUMENTS or not argv[0]:
        raise RequestInvalid(f"{field}.argv must be a list of 1 to {MAX_ARGUMENTS} arguments.")
    env = value.get("env", {})
    if not isinstance(env, dict) or len(env) > MAX_ARGUMENTS:
        raise RequestInvalid(f"{field}.env must be an object of at most {MAX_ARGUMENTS} entries.")
    for name in env:
        if not _ENV_NAME.fullmatch(name):
            raise RequestInvalid(f"{field}.env has a name that is not letters, digits and '_'.")
    cwd = _text(value.get("cwd", "/build"), f"{field}.cwd")
    if not cwd.startswith("/"):
        raise RequestInvalid(f"{field}.cwd must start with '/'.")
    return PlannedCommand(
        tuple(_text(argument, f"{field}.argv") for argument in argv),
        {name: _text(text, f"{field}.env.{name}") for name, text in env.items()},
        cwd,
    )
