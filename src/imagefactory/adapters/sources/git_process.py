"""Runs git with a clean environment, a deadline and a limit on what it writes."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from imagefactory.adapters.sources.base import Problem, SourceLimits, SourceUnavailable, human_size

_MAX_STDERR = 64 * 1024
_POLL_SECONDS = 0.2


class GitFailed(Exception):
    """Git ended with an error; `stderr` is what it said (for `git_errors`, never for people as it is)."""

    def __init__(self, stderr: str) -> None:
        super().__init__(stderr)
        self.stderr = stderr


@dataclasses.dataclass(frozen=True)
class Git:
    """One private session: its directory is the home, and all that git writes outside the destination."""

    private: Path
    env: Mapping[str, str]
    limits: SourceLimits
    options: Sequence[str]
    started: float = dataclasses.field(default_factory=time.monotonic)

    def run(self, arguments: Sequence[str], *, what: str, max_bytes: int = 1024 * 1024) -> str:
        """Run git and return its standard output. Raises GitFailed, or SourceUnavailable for a limit."""
        out = bytearray()
        for chunk in self._chunks(arguments, what):
            out += chunk
            if len(out) > max_bytes:
                raise SourceUnavailable(Problem.TOO_LARGE, f"{what} answers with more than {human_size(max_bytes)}.")
        return out.decode("utf-8", "replace")

    def lines(self, arguments: Sequence[str]) -> Iterator[bytes]:
        """Run git and yield its zero-separated records as they come."""
        rest = b""
        for chunk in self._chunks(arguments, "git"):
            *records, rest = (rest + chunk).split(b"\0")
            yield from records
        if rest:
            yield rest

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.private),
            "XDG_CONFIG_HOME": str(self.private),
            "TMPDIR": str(self.private),
            "LC_ALL": "C.UTF-8",
            "LANGUAGE": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_LFS_SKIP_SMUDGE": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_ATTR_NOSYSTEM": "1",
            **{
                name: os.environ[name]
                for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO")
                if name in os.environ
            },
            **self.env,
        }

    def _chunks(self, arguments: Sequence[str], what: str) -> Iterator[bytes]:
        process = subprocess.Popen(
            ["git", *self.options, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._environment(),
            cwd=self.private,
            start_new_session=True,
        )
        errors = bytearray()
        try:
            yield from self._read(process, errors, what)
            code = process.wait(timeout=max(1.0, self._left()))
        except subprocess.TimeoutExpired:
            raise self._late(what) from None
        finally:
            _end(process)
        if code != 0:
            raise GitFailed(errors.decode("utf-8", "replace"))

    def _read(self, process: subprocess.Popen[bytes], errors: bytearray, what: str) -> Iterator[bytes]:
        assert process.stdout is not None  # noqa: S101 - says to the type checker what PIPE means
        assert process.stderr is not None  # noqa: S101 - the same
        checked = time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ, "out")
            selector.register(process.stderr, selectors.EVENT_READ, "err")
            while selector.get_map():
                for key, _ in selector.select(_POLL_SECONDS):
                    data = os.read(key.fd, 65536)
                    if not data:
                        selector.unregister(key.fileobj)
                    elif key.data == "out":
                        yield data
                    elif len(errors) < _MAX_STDERR:
                        errors += data
                if self._left() <= 0:
                    raise self._late(what)
                if time.monotonic() - checked > _POLL_SECONDS:
                    self._check_written(what)
                    checked = time.monotonic()

    def _left(self) -> float:
        return self.limits.timeout_seconds - (time.monotonic() - self.started)

    def _late(self, what: str) -> SourceUnavailable:
        return SourceUnavailable(
            Problem.TIMED_OUT,
            f"Reading {what} took longer than {self.limits.timeout_seconds:.0f} seconds; try again, or make the repository smaller.",
        )

    def _check_written(self, what: str) -> None:
        written = 0
        for folder, _, names in os.walk(self.private):
            for name in names:
                with contextlib.suppress(OSError):
                    written += os.lstat(os.path.join(folder, name)).st_size  # noqa: PTH118 - os.walk hands out text
        if written > self.limits.max_bytes:
            raise SourceUnavailable(
                Problem.TOO_LARGE,
                f"{what} holds more than {human_size(self.limits.max_bytes)}; take large files out of the repository.",
            )


def _end(process: subprocess.Popen[bytes]) -> None:
    """End git and what it started (ssh, helpers), if anything is left."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()
