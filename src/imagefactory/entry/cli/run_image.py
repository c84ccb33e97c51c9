"""Runs a pulled image for a moment and asks it for its page: the demo's proof that what was built works."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx

from imagefactory.adapters.registries.layout import Image, LayoutInvalid, read_image
from imagefactory.entry.cli.contained import UNABLE

_UNPACK_SECONDS: Final = 300
_ANSWER_SECONDS: Final = 90  # an interpreter on a machine that is busy with other things
_LARGEST: Final = 4 * 1024 * 1024 * 1024  # bytes of packed layers
_MOST_SAID: Final = 20  # lines of the image's own words that are kept
_PACKED: Final = ("application/vnd.oci.image.layer.v1.tar+gzip", "application/vnd.docker.image.rootfs.diff.tar.gzip")


class NotRun(Exception):
    """The image was not run, and why: this machine or this image does not allow it. The message is part of a sentence."""


class NoAnswer(Exception):
    """The image ran and did not answer as it should. The message is a sentence."""


class Answer(NamedTuple):
    """What the image said: the status of its answer and its first line."""

    status: int
    first_line: str


def ask(layout: Path, progress: Callable[[str], None]) -> Answer:
    """Run the image of a layout on a free loopback port, ask it for `/` and end it. Nothing of it is left.

    Raises NotRun, NoAnswer.
    """
    try:
        image = read_image(layout)
    except LayoutInvalid as error:
        raise NotRun(f"the image cannot be read: {error}") from None
    config: Mapping[str, Any] = image.config.get("config") or {}
    env = dict(pair.partition("=")[::2] for pair in config.get("Env") or ())
    port = _port(config, env)
    argv = [*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())]
    if not argv:
        raise NotRun("the image names no command")
    place = Path(tempfile.mkdtemp(prefix="if-run-"))
    try:
        place.chmod(0o711)
        (place / "root").mkdir(mode=0o755)
        plan = {
            "root": str(place / "root"), "layers": _layers(layout, image), "argv": argv,
            "env": {**env, "PORT": str(port), "HOST": "127.0.0.1"}, "cwd": config.get("WorkingDir") or "/",
            "user": str(config.get("User") or ""),
        }  # fmt: skip
        progress(f"Unpacking {sum(int(layer['size']) for layer in image.layers) / 1_048_576:.0f} MiB of layers.")
        with _started(plan) as running:
            running.wait_unpacked()
            progress(f"Running {' '.join(argv)} on port {port} of this machine.")
            return running.answer(port)
    finally:
        _remove(place)


def _remove(place: Path) -> None:
    """Remove what was unpacked; images have directories that even their owner may not write into."""
    for folder, names, _ in os.walk(place):
        for inner in (Path(folder) / name for name in names):
            if not inner.is_symlink():
                inner.chmod(0o700)
    shutil.rmtree(place)


def _layers(layout: Path, image: Image) -> list[tuple[str, bool]]:
    found = []
    if sum(int(layer["size"]) for layer in image.layers) > _LARGEST:
        raise NotRun("the image is larger than 4 GiB")
    for layer in image.layers:
        kind = str(layer["media_type"])
        if kind not in _PACKED and not kind.endswith(".tar"):
            raise NotRun(f"a layer is packed in a way that this demo does not know ({kind[-40:]})")
        found.append((str(layout / "blobs" / "sha256" / str(layer["digest"]).removeprefix("sha256:")), kind in _PACKED))
    return found


def _port(config: Mapping[str, Any], env: Mapping[str, str]) -> int:
    """Return the port to ask at: a free one where the image takes its port from PORT, else the one it exposes."""
    with socket.socket() as probe:
        if env.get("PORT", "").isdigit():
            probe.bind(("127.0.0.1", 0))
            return int(probe.getsockname()[1])
        exposed = [name.partition("/")[0] for name in config.get("ExposedPorts") or ()]
        if len(exposed) != 1 or not exposed[0].isdigit():
            raise NotRun("the image says neither PORT nor exactly one exposed port, so there is no port to ask at")
        try:
            probe.bind(("127.0.0.1", int(exposed[0])))
        except OSError:
            raise NotRun(f"the image wants port {exposed[0]}, which is in use on this machine") from None
        return int(exposed[0])


class _Running:
    """The script and the image's command in it, with the last lines that they said."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._unpacked, self._said = threading.Event(), list[str]()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            if not self._unpacked.is_set() and line == "unpacked\n":
                self._unpacked.set()
            else:
                self._said[:] = [*self._said[1 - _MOST_SAID :], line.rstrip()[:300]]
        self._unpacked.set()

    def wait_unpacked(self) -> None:
        if not self._unpacked.wait(_UNPACK_SECONDS):
            raise NotRun(f"unpacking took longer than {_UNPACK_SECONDS} seconds")
        if self._process.poll() == UNABLE:
            raise NotRun(self._last())

    def answer(self, port: int) -> Answer:
        """Ask until there is an answer.

        Raises NoAnswer, NotRun.
        """
        deadline = time.monotonic() + _ANSWER_SECONDS
        while time.monotonic() < deadline:
            ended = self._process.poll()
            if ended == UNABLE:
                raise NotRun(self._last())
            if ended is not None:
                raise NoAnswer(f"The image ended with exit status {ended} before it answered; it said: {self._last()}")
            with contextlib.suppress(httpx.TransportError):
                reply = httpx.get(f"http://127.0.0.1:{port}/", timeout=5, trust_env=False)
                return Answer(reply.status_code, next(iter(reply.text.splitlines()), "")[:200])
            time.sleep(0.1)
        raise NoAnswer(f"The image did not answer within {_ANSWER_SECONDS} seconds; it said: {self._last()}")

    def _last(self) -> str:
        self._reader.join(2)
        return self._said[-1] if self._said else "nothing"


@contextlib.contextmanager
def _started(plan: Mapping[str, Any]) -> Iterator[_Running]:
    script = Path(__file__).with_name("contained.py")
    argv: Sequence[str] = [sys.executable, "-I", "-S", str(script)]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        start_new_session=True, env={"PATH": os.environ.get("PATH", os.defpath)},
    ) as process:  # fmt: skip
        try:
            assert process.stdin is not None  # noqa: S101 - says to the type checker what PIPE means
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(json.dumps(plan))
                process.stdin.close()
            yield _Running(process)
        finally:
            # The kernel ends the image's command with the script, wherever it has hidden by then.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
