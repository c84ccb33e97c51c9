"""One run of an executor: what it may use, what it said, and the sentence when it ended badly."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path

from imagefactory.domain.builds.queue import Claim
from imagefactory.domain.builds.services import execution
from imagefactory.domain.builds.services.execution import Failure
from imagefactory.entry.dispatcher.log_writer import LogWriter
from imagefactory.entry.dispatcher.usage import UsageRecorder
from imagefactory.executors.base import Command, End, Exited, Finished, Limits, Output, Plan, Run, Started, Usage
from imagefactory.kernel.env import Settings
from imagefactory.methods.base import Progress, ProgressReader, Step
from imagefactory.methods.manifest import Manifest

_CODES = {
    End.TIMED_OUT: "timed_out", End.OUT_OF_MEMORY: "out_of_memory", End.OUT_OF_DISK: "out_of_disk",
    End.OUT_OF_PIDS: "out_of_processes",
}  # fmt: skip


def limits_of(manifest: Manifest, settings: Settings) -> Limits:
    """Return what a build may use: what it asks for, or the installation's own limits, and never more than those."""
    asked = manifest.limits
    return Limits(
        min(asked.cpu or settings.build_cpus, settings.build_cpus),
        min(asked.memory_mib or settings.build_memory_mib, settings.build_memory_mib),
        min(asked.disk_mib or settings.build_disk_mib, settings.build_disk_mib),
        settings.build_pids,
        min(manifest.timeout_seconds or settings.build_timeout_seconds, settings.build_timeout_seconds),
    )


def plan_of(execution_id: str, workspace: Path, steps: Sequence[Step], manifest: Manifest, settings: Settings) -> Plan:
    """Return the executor's plan, with no limit above the installation's."""
    commands = [Command(x.stage, x.argv, x.env, x.cwd) for x in steps]
    return Plan(
        execution_id, workspace, commands, limits_of(manifest, settings), manifest.network or settings.build_network
    )


@dataclasses.dataclass
class Seen:
    """How a run ended, the step that was running then, and the last line that it printed."""

    end: End = End.LOST
    reason: str = "The executor ended without saying how."
    exit_code: int | None = None
    step: Progress | None = None
    last_output: int = 0

    def failure(self) -> Failure:
        """Return why the build failed: which step, where it stands, and what to do."""
        where = "Before its first step"
        if self.step is not None:
            where = f"Line {self.step.line} of the Dockerfile, {_short(self.step.text)}"
        code = _CODES.get(self.end, "step_failed")
        if code == "step_failed":
            log = f"; line {self.last_output} of the log and those above it say why" if self.last_output else ""
            message = f"{where}: ended with exit code {self.exit_code}{log}. Mend this step and build again."
        else:
            message = f"{where}: {self.reason}"
        line = self.step.line if self.step else 0
        return Failure(code, "build", message, "you", self.last_output, self.exit_code, line)


def follow(run: Run, progress: ProgressReader, writer: LogWriter, claim: Claim, usage: UsageRecorder) -> Seen:
    """Write down what a run says until it ends.

    Raises LeaseLost.
    """
    seen, last_tick = Seen(), time.monotonic()
    for event in run.events():
        match event:
            case Output(stream=stream, data=data):
                for line in writer.feed(stream, data):
                    seen.last_output = line.number
                    if line.stream == "out" and (p := progress.read(line.text)) is not None:
                        seen.step = p
                        execution.set_progress(claim, p.current, p.total, "build", p.text)
            case Usage():
                usage.add(event)
            case Exited(exit_code=code):
                seen.exit_code = code
            case Finished(end=end, reason=reason):
                seen.end, seen.reason = end, reason
            case Started():
                pass
        if time.monotonic() - last_tick > 0.3:
            last_tick = time.monotonic()
            writer.tick()
    return seen


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= 120 else words[:117] + "..."
