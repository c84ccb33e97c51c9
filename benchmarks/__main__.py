"""`python -m benchmarks`: each part in a process and a directory of its own, one table a part, JSON if asked.

A part that fails or takes too long is stopped with all that it started, and the others go on. The exit code says
only whether the parts could be measured, never whether a number was reached.
"""

from __future__ import annotations

import argparse
import compileall
import contextlib
import dataclasses
import datetime as dt
import importlib
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from rich.console import Console

from benchmarks.figures import Figure, Options, PartResult, load, show, written


@dataclasses.dataclass(frozen=True)
class Part:
    """A part is a module with `measure(options)`; `seconds` is when it is stopped, at the latest."""

    module: str
    title: str
    seconds: int


PARTS: dict[str, Part] = {
    "queue": Part("queue_latency", "Queue to start, idle dispatcher", 300),
    "claims": Part("claims", "Claims from a long queue", 900),
    "build": Part("build_overhead", "Overhead around one real buildah build", 600),
    "noop": Part("noop_builds", "No-op builds through the whole path", 400),
    "logs": Part("logs", "Build log: lines in, and producer to viewer", 240),
    "up": Part("first_page", "`imagefactory up` to the first page", 400),
    "lists": Part("lists", "Lists and pages at 100,000 builds", 600),
    "wall": Part("wall", "The wall between tenants: with and without", 600),
    "pull": Part("pull", "The decision before each request to the registry", 300),
    "audit": Part("audit", "The audit trail at 10,000,000 entries", 3600),
}


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--list", action="store_true", help="show the parts and stop")
    parser.add_argument("--only", default="", metavar="PART[,PART]", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--quick", action="store_true", help="fewer samples: minutes become tens of seconds")
    parser.add_argument("--large", action="store_true", help="also a queue of 1,000,000 builds")
    parser.add_argument("--json", metavar="FILE", help="write everything as JSON too; - is standard output")
    parser.add_argument("--child", choices=sorted(PARTS), help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    given.only = [name for name in given.only.split(",") if name]
    if unknown := sorted(set(given.only) - set(PARTS)):
        parser.error(f"there is no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    return given


def _unwind_on_sigterm() -> None:
    """Let a stop from outside leave every `with`, so that nothing stays behind; once, not again while it does."""

    def leave(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        sys.exit(1)

    signal.signal(signal.SIGTERM, leave)


def child(name: str, options: Options) -> int:
    """Measure one part in this process; each figure is a line of JSON on standard output."""
    _unwind_on_sigterm()
    say = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what programs print is not a figure
    for figure in importlib.import_module(f"benchmarks.{PARTS[name].module}").measure(options):
        say.write(json.dumps(dataclasses.asdict(figure)) + "\n")
    return 0


def _end(process: subprocess.Popen[str]) -> None:
    """Stop a part kindly: it stops what it started. What it leaves is swept with its directory."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(90)
    process.kill()
    process.wait()


def _sweep(place: Path) -> list[str]:
    """End every process that names this directory, which only ours do, and unmount what is in it."""
    left = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if any(str(place) in word for word in process.cmdline()):
                left.append(" ".join(process.cmdline())[:100])
                process.kill()
    for line in Path("/proc/mounts").read_text().splitlines():
        if f"{place}/" in line:
            subprocess.run(["umount", "--lazy", line.split()[1]], check=False, capture_output=True)
    return left


@contextlib.contextmanager
def _place() -> Iterator[Path]:
    """Make the one directory that a part and all it starts write to."""
    place = Path(tempfile.mkdtemp(prefix="ifbench-"))
    place.chmod(0o711)  # the database's user passes through
    try:
        yield place
    finally:
        for left in _sweep(place):
            print(f"Left over and ended: {left}", file=sys.stderr)
        shutil.rmtree(place, ignore_errors=True)


def run(name: str, options: Options) -> PartResult:
    """Measure one part in a child process."""
    part = PARTS[name]
    result = PartResult(name, part.title, [])
    began, before = time.monotonic(), load()
    # It ends with this process, however that ends; a session of its own keeps the terminal's interrupt for us.
    argv = ["setpriv", "--pdeathsig", "TERM", sys.executable, "-m", "benchmarks", "--child", name]
    argv += [f"--{flag}" for flag in ("quick", "large") if getattr(options, flag)]
    with _place() as place, tempfile.TemporaryFile("w+") as complaints:
        environment = {n: v for n, v in os.environ.items() if not n.startswith("IMAGEFACTORY_")}
        environment |= {"TMPDIR": str(place), "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        process = subprocess.Popen(
            argv, env=environment, stdout=subprocess.PIPE, stderr=complaints, text=True, start_new_session=True
        )
        try:
            out, _ = process.communicate(timeout=part.seconds * (4 if options.large else 1))
        except subprocess.TimeoutExpired:
            result.failed = f"stopped after {part.seconds} s."
            _end(process)
            out = process.stdout.read() if process.stdout else ""
        except BaseException:
            _end(process)
            raise
        result.figures = [Figure(**json.loads(line)) for line in out.splitlines()]
        if process.returncode and not result.failed:
            complaints.seek(0)
            last = [line.strip() for line in complaints.read().splitlines() if line.strip()][-12:]
            result.failed = f"status {process.returncode}: " + "\n    ".join(last)
    result.seconds, result.load = time.monotonic() - began, (before, load())
    return result


def main() -> int:
    """Run what was asked for."""
    given = arguments()
    options = Options(quick=given.quick, large=given.large)
    if given.child:
        return child(given.child, options)
    if given.list:
        for name, part in PARTS.items():
            print(f"{name:8} {part.title}")
        return 0
    _unwind_on_sigterm()
    # As scripts/bootstrap.sh does: without byte code every process compiles at its start, which is not the factory's pace.
    compileall.compile_dir(str(Path(__file__).resolve().parents[1] / "src"), quiet=2)
    console = Console(stderr=given.json == "-", width=None if sys.stdout.isatty() else 170)
    about = {
        "at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"), "cores": os.cpu_count(),
        "memory_mib": psutil.virtual_memory().total // 1_048_576, "kernel": platform.release(),
        "python": platform.python_version(), "quick": given.quick,
    }  # fmt: skip
    console.print("  ".join(f"{name} {value}" for name, value in about.items()), markup=False, highlight=False)
    results = []
    for name in given.only or PARTS:
        results.append(run(name, options))
        show(results[-1], console)
    if given.json == "-":
        print(written(results, **about), end="")
    elif given.json:
        Path(given.json).write_text(written(results, **about))
    return 1 if any(result.failed for result in results) else 0


if __name__ == "__main__":
    raise SystemExit(main())
