"""One attempt at one build, from claim to end: its stages in order, its log, its usage, and cleanup always."""

from __future__ import annotations

import dataclasses
import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from imagefactory.adapters.logs.base import LogStore
from imagefactory.adapters.logs.masking import Masker
from imagefactory.adapters.logs.notify import LogNotifier
from imagefactory.domain.builds.errors import LeaseLost
from imagefactory.domain.builds.queue import Claim
from imagefactory.domain.builds.services import execution
from imagefactory.domain.builds.services.dry_run import image_path
from imagefactory.domain.builds.services.execution import Failure, Work
from imagefactory.domain.builds.states import BuildStatus, StageStatus
from imagefactory.domain.identity.selectors import tenant_slug
from imagefactory.domain.projects.selectors import get_project, open_build_secrets
from imagefactory.domain.projects.services import mark_credentials_used
from imagefactory.entry.dispatcher.failing import Cancelled, NotDispatched, StageFailed
from imagefactory.entry.dispatcher.fetching import fetch_bases, fetch_source
from imagefactory.entry.dispatcher.log_writer import LogWriter
from imagefactory.entry.dispatcher.publishing import publish
from imagefactory.entry.dispatcher.usage import UsageRecorder
from imagefactory.executors.base import (
    Command,
    End,
    Executor,
    ExecutorUnavailable,
    Exited,
    Finished,
    Isolation,
    Limits,
    Network,
    Output,
    Plan,
    PlanRefused,
    Run,
    Started,
    Usage,
)
from imagefactory.executors.told import sentences
from imagefactory.kernel import actor as actors
from imagefactory.kernel.env import Settings
from imagefactory.kernel.errors import FactoryError
from imagefactory.methods.base import Facts, Method, MethodRefused, ProgressReader, Step
from imagefactory.methods.manifest import Manifest, ManifestInvalid, parse_manifest
from imagefactory.methods.registry import method_for

log = logging.getLogger(__name__)
STAGES = ("fetch", "lint", "build", "publish")
_END_CODES = {
    End.TIMED_OUT: "timed_out", End.OUT_OF_MEMORY: "out_of_memory", End.OUT_OF_DISK: "out_of_disk",
    End.OUT_OF_PIDS: "out_of_processes",
}  # fmt: skip


class Attempt:
    """Runs one claimed build on the calling thread. `cancel` and `abandon` may be called from others."""

    def __init__(
        self, claim: Claim, executor: Executor, store: LogStore, notifier: LogNotifier, settings: Settings
    ) -> None:
        self.claim, self._executor, self._settings = claim, executor, settings
        self._store, self._notifier = store, notifier
        self._cancelled, self._abandoned = threading.Event(), threading.Event()
        self._run: Run | None = None
        self._usage = UsageRecorder(claim)
        self._stage = ""

    @property
    def id(self) -> str:
        return str(self.claim.execution_id)

    def cancel(self) -> None:
        """Stop as soon as possible and end as cancelled."""
        self._cancelled.set()
        if self._run is not None:
            self._run.cancel()

    def abandon(self) -> None:
        """Stop as soon as possible and write nothing more: the lease is lost."""
        self._abandoned.set()
        self.cancel()

    def run(self) -> None:
        """Run to the end; nothing of the build is left on the host afterwards, whatever happened."""
        writer: LogWriter | None = None
        try:
            work = execution.get_work(self.claim)
            secrets = self._secrets(work)
            writer = LogWriter(self._store, self._notifier, self.id, Masker(secrets.values()))
            self._perform(work, secrets, writer)
        except LeaseLost:
            log.warning("lost the lease of build #%s, attempt %s", self.claim.number, self.claim.attempt)
        except Exception:
            log.exception("attempt at build #%s broke", self.claim.number)
            if writer is None:
                writer = LogWriter(self._store, self._notifier, self.id, Masker(()))
            message = "The factory itself made an error while it ran this build. Rerun it, and tell the operator if it happens again."
            self._end(writer, BuildStatus.FAILED, Failure("internal_error", self._stage, message, "operator"))
        finally:
            if writer is not None:
                writer.finish()
            self._clean()

    def _secrets(self, work: Work) -> dict[str, str]:
        wanted = set(work.manifest.get("secrets") or ())
        return {n: v for n, v in open_build_secrets(self.claim.project_id).items() if n in wanted}

    def _perform(self, work: Work, secrets: Mapping[str, str], writer: LogWriter) -> None:
        try:
            execution.begin(self.claim, STAGES)
            image = self._stages(work, secrets, writer)
        except StageFailed as error:
            self._end(writer, BuildStatus.FAILED, error.failure)
        except Cancelled:
            writer.note("Cancelled.")
            self._end(writer, BuildStatus.CANCELLED, None)
        except NotDispatched as error:
            if self._cancelled.is_set():
                self._end(writer, BuildStatus.CANCELLED, None)
                return
            writer.note(f"Not started: {error} The build goes back to the queue.")
            execution.give_back(self.claim, str(error))
        else:
            self._end(writer, BuildStatus.SUCCEEDED, None, image)

    def _end(
        self,
        writer: LogWriter,
        status: BuildStatus,
        failure: Failure | None,
        image: Mapping[str, Any] | None = None,
    ) -> None:
        if self._abandoned.is_set():
            return
        if failure is not None:
            writer.note(f"Failed: {failure.message}")
            failure = dataclasses.replace(failure, line=failure.line or writer.last)
        try:
            self._usage.flush()
            execution.finish(
                self.claim, status, failure=failure, image=image, log_lines=writer.last, masked_values=writer.masked,
                usage=self._usage.summary(),
            )  # fmt: skip
        except LeaseLost:
            log.warning("the end of build #%s was refused: it belongs to another worker now", self.claim.number)

    def _check(self) -> None:
        if self._cancelled.is_set():
            raise Cancelled

    @contextmanager
    def _in_stage(self, name: str, writer: LogWriter) -> Iterator[None]:
        self._check()
        self._stage = name
        execution.set_stage(self.claim, name, StageStatus.RUNNING, first_line=writer.enter(name))
        try:
            yield
        except StageFailed as error:
            execution.set_stage(
                self.claim, name, StageStatus.FAILED, exit_code=error.failure.exit_code, last_line=writer.last,
                message=error.failure.message,
            )  # fmt: skip
            raise
        except Cancelled:
            execution.set_stage(self.claim, name, StageStatus.FAILED, last_line=writer.last, message="Cancelled.")
            raise
        execution.set_stage(self.claim, name, StageStatus.SUCCEEDED, exit_code=0, last_line=writer.last)

    def _stages(self, work: Work, secrets: Mapping[str, str], writer: LogWriter) -> dict[str, Any]:
        settings, claim = self._settings, self.claim
        slug = tenant_slug(claim.tenant_id)
        try:
            manifest = parse_manifest(work.manifest)
            method = method_for(manifest)
            project = get_project(actors.system("dispatcher"), claim.project_id)
        except (ManifestInvalid, FactoryError) as error:
            raise StageFailed(Failure("manifest_invalid", "fetch", str(error))) from None
        workspace = self._workspace(manifest)
        with self._in_stage("fetch", writer):
            walls = self._walls(manifest, writer)
            fetched = fetch_source(work, manifest, claim.project_id, workspace, settings, writer.note)
            if fetched.commit:
                execution.set_commit(claim, commit=fetched.commit, message=fetched.message)
                writer.note(f"Commit {fetched.commit[:12]}: {fetched.message}")
            writer.note(f"Source: {fetched.files:,} files, {fetched.size_bytes / 1_048_576:.1f} MiB")
            try:
                written = method.bases(manifest, workspace)
            except MethodRefused as error:
                raise StageFailed(Failure("dockerfile_invalid", "fetch", str(error))) from None
            self._check()
            bases = fetch_bases(written, work, slug, workspace, settings)
            for base in bases:
                writer.note(f"Base {base.written} is {base.digest}")
            execution.set_facts(
                claim, facts={"bases": [dataclasses.asdict(b) for b in bases], "commit": fetched.commit}
            )
        facts = Facts(
            network=cast(Network, walls.network), options=_options(walls), bases=bases, commit=fetched.commit,
            commit_time=fetched.committed_at, labels=_labels(fetched.commit, work), secrets=sorted(secrets),
        )  # fmt: skip
        with self._in_stage("lint", writer):
            self._lint(method, manifest, workspace, facts, writer)
        with self._in_stage("build", writer):
            _write_secrets(workspace, secrets)
            mark_credentials_used(claim.project_id, sorted(secrets))
            method.prepare(manifest, workspace)
            self._build(
                method.plan(manifest, workspace, facts),
                manifest,
                workspace,
                method.progress(manifest, workspace),
                writer,
            )
        with self._in_stage("publish", writer):
            path = image_path(slug, project.slug, manifest.image)
            return publish(claim, work, manifest, path, workspace, secrets, writer, settings, fetched.commit)

    def _walls(self, manifest: Manifest, writer: LogWriter) -> Isolation:
        """Say which walls the build will have, and return them."""
        asked = manifest.network or self._settings.build_network
        try:
            walls = self._executor.expected(asked)
        except ExecutorUnavailable as error:
            raise NotDispatched(str(error)) from None
        for sentence in sentences(walls, asked):
            writer.note(sentence)
        return walls

    def _workspace(self, manifest: Manifest) -> Path:
        disk = min(manifest.limits.disk_mib or self._settings.build_disk_mib, self._settings.build_disk_mib)
        try:
            return self._executor.workspace(self.id, disk)
        except ExecutorUnavailable as error:
            raise NotDispatched(str(error)) from None
        except PlanRefused as error:
            raise StageFailed(Failure("refused", "fetch", str(error), "operator")) from None

    def _lint(self, method: Method, manifest: Manifest, workspace: Path, facts: Facts, writer: LogWriter) -> None:
        findings = method.lint(manifest, workspace, facts)
        for f in findings:
            writer.note(f"{f.level.upper()}{f' line {f.line}' if f.line else ''}: {f.message} [{f.rule}]")
        errors = [f for f in findings if f.level == "error"]
        if errors:
            first = errors[0]
            where = f"Line {first.line} of the Dockerfile: " if first.line else ""
            raise StageFailed(Failure("dockerfile_invalid", "lint", where + first.message))
        if not findings:
            writer.note("No complaints.")

    def _build(
        self,
        steps: Sequence[Step],
        manifest: Manifest,
        workspace: Path,
        progress: ProgressReader,
        writer: LogWriter,
    ) -> None:
        s, limits = self._settings, manifest.limits
        plan = Plan(
            self.id, workspace, [Command(x.stage, x.argv, x.env, x.cwd) for x in steps],
            Limits(
                min(limits.cpu or s.build_cpus, s.build_cpus), min(limits.memory_mib or s.build_memory_mib, s.build_memory_mib),
                min(limits.disk_mib or s.build_disk_mib, s.build_disk_mib), s.build_pids,
                min(manifest.timeout_seconds or s.build_timeout_seconds, s.build_timeout_seconds),
            ),
            manifest.network or s.build_network,
        )  # fmt: skip
        try:
            self._run = self._executor.start(plan)
        except ExecutorUnavailable as error:
            raise NotDispatched(str(error)) from None
        except PlanRefused as error:
            raise StageFailed(Failure("refused", "build", str(error), "operator")) from None
        execution.set_facts(self.claim, isolation=dataclasses.asdict(self._run.isolation))
        if self._cancelled.is_set():
            self._run.cancel()
        self._end_of_run(*self._follow(self._run, progress, writer))

    def _follow(self, run: Run, progress: ProgressReader, writer: LogWriter) -> tuple[Finished, int | None]:
        exit_code, last_tick = None, time.monotonic()
        end = Finished(End.LOST, "The executor ended without saying how.")
        for event in run.events():
            match event:
                case Output(stream=stream, data=data):
                    for line in writer.feed(stream, data):
                        if line.stream == "out" and (p := progress.read(line.text)) is not None:
                            execution.set_progress(self.claim, p.current, p.total, "build", p.text)
                case Usage():
                    self._usage.add(event)
                case Exited(exit_code=code):
                    exit_code = code
                case Finished():
                    end = event
                case Started():
                    pass
            if time.monotonic() - last_tick > 0.3:
                last_tick = time.monotonic()
                writer.tick()
        return end, exit_code

    def _end_of_run(self, end: Finished, exit_code: int | None) -> None:
        if end.end is End.SUCCEEDED:
            return
        if self._cancelled.is_set() or end.end is End.CANCELLED:
            raise Cancelled
        if end.end is End.LOST:
            raise NotDispatched(end.reason)
        code = _END_CODES.get(end.end, "step_failed")
        message = end.reason
        if code == "step_failed":
            message = f"A step of the Dockerfile ended with exit code {exit_code}. The lines above say why."
        raise StageFailed(Failure(code, "build", message, exit_code=exit_code))

    def _clean(self) -> None:
        try:
            self._executor.cleanup(self.id)
        except ExecutorUnavailable as error:
            log.warning("cleanup of %s waits for the helper: %s", self.id, error)


def _options(walls: Isolation) -> list[str]:
    """Return buildah's global options: where there is one user only, base images must not fail on files of others."""
    few = [] if walls.many_ids else ["--storage-opt", "overlay.ignore_chown_errors=true"]
    return ["--storage-driver", "overlay", *few]


def _labels(commit: str, work: Work) -> dict[str, str]:
    labels = {"org.opencontainers.image.title": work.name}
    if commit:
        labels["org.opencontainers.image.revision"] = commit
    return labels


def _write_secrets(workspace: Path, secrets: Mapping[str, str]) -> None:
    """Write each secret into a file of its own, readable by its owner only."""
    if not secrets:
        return
    directory = workspace / "secrets"
    directory.mkdir(mode=0o700)
    for name, value in secrets.items():
        fd = os.open(directory / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "w") as out:
            out.write(value)
