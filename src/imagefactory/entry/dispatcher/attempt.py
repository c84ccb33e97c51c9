"""One attempt at one build, from claim to end: its stages in order, its log, its usage, and cleanup always."""

from __future__ import annotations

import dataclasses
import logging
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from django.db import InterfaceError, OperationalError

from imagefactory.adapters.logs.base import LogStore
from imagefactory.adapters.logs.masking import MIN_LENGTH, Masker
from imagefactory.adapters.logs.notify import LogNotifier
from imagefactory.adapters.sources.base import Fetched
from imagefactory.domain.builds.errors import LeaseLost
from imagefactory.domain.builds.queue import Claim
from imagefactory.domain.builds.services import execution
from imagefactory.domain.builds.services.dry_run import image_path
from imagefactory.domain.builds.services.execution import Failure, Work
from imagefactory.domain.builds.states import BuildStatus, StageName, StageStatus
from imagefactory.domain.identity.selectors import tenant_slug
from imagefactory.domain.projects.selectors import ProjectView, get_project, open_build_secrets
from imagefactory.domain.projects.services import mark_credentials_used
from imagefactory.entry.dispatcher.effective import effective_manifest
from imagefactory.entry.dispatcher.failing import Cancelled, NotDispatched, StageFailed, room
from imagefactory.entry.dispatcher.fetching import fetch_bases, fetch_source
from imagefactory.entry.dispatcher.log_writer import LogWriter
from imagefactory.entry.dispatcher.publishing import publish
from imagefactory.entry.dispatcher.running import follow, limits_of, plan_of
from imagefactory.entry.dispatcher.usage import UsageRecorder
from imagefactory.executors.base import End, Executor, ExecutorUnavailable, Isolation, Network, PlanRefused, Run
from imagefactory.executors.told import sentences
from imagefactory.kernel import actor as actors
from imagefactory.kernel import pg
from imagefactory.kernel.env import Settings
from imagefactory.kernel.errors import FactoryError
from imagefactory.methods.base import Base, Facts, Method, MethodRefused, ProgressReader, Step
from imagefactory.methods.manifest import Manifest, ManifestInvalid, parse_manifest
from imagefactory.methods.registry import method_for
from imagefactory.methods.repository_file import FILE_NAME, REPOSITORY

log = logging.getLogger(__name__)
STAGES = tuple(str(name) for name in StageName)


class Attempt:
    """Runs one claimed build on the calling thread. `cancel` and `abandon` may be called from others."""

    def __init__(
        self, claim: Claim, executor: Executor, store: LogStore, notifier: LogNotifier, settings: Settings
    ) -> None:
        self.claim, self._executor, self._settings = claim, executor, settings
        self._store, self._notifier = store, notifier
        self._cancelled, self._abandoned = threading.Event(), threading.Event()
        self._run: Run | None = None
        self._place: Path | None = None
        self._usage = UsageRecorder(claim)
        self._stage = ""
        self._facts: dict[str, Any] = {}

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
            secrets = pg.outlast(open_build_secrets)(self.claim.project_id)
            writer = LogWriter(self._store, self._notifier, self.id, Masker(_to_mask(work, secrets)))
            self._perform(work, secrets, writer)
        except LeaseLost:
            log.warning("lost the lease of build #%s, attempt %s", self.claim.number, self.claim.attempt)
        except (OperationalError, InterfaceError):
            raise  # the database stayed away: the lease runs out, and the build starts again
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

    def _pause(self, seconds: float) -> None:
        if self._cancelled.wait(seconds):
            raise Cancelled

    @contextmanager
    def _in_stage(self, name: str, writer: LogWriter) -> Iterator[None]:
        self._check()
        self._stage = name
        execution.set_stage(self.claim, name, StageStatus.RUNNING, first_line=writer.enter(name))
        try:
            yield
        except (StageFailed, OSError) as error:
            if self._place is not None and not self._place.exists():
                # A helper that starts again sweeps: that is no fault of the build.
                raise NotDispatched("The runner helper was started again, and the build directory is gone.") from error
            if isinstance(error, OSError):
                raise
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
        slug = pg.outlast(tenant_slug)(claim.tenant_id)
        try:
            asked = parse_manifest(work.manifest)
            method = method_for(asked)
            project = pg.outlast(get_project)(actors.system("dispatcher"), claim.project_id)
        except (ManifestInvalid, FactoryError) as error:
            raise StageFailed(Failure("manifest_invalid", "fetch", str(error))) from None
        workspace = self._place = self._workspace(asked)
        with self._in_stage("fetch", writer):
            walls = self._walls(asked, writer)  # the first lines of the log; no file in the source changes them
            fetched = self._fetch_source(work, asked, workspace, writer)
            manifest = self._effective(work, asked, project, workspace, fetched, writer)
            bases = self._fetch_bases(work, manifest, method, slug, workspace, writer)
        used = {name: value for name, value in secrets.items() if name in manifest.secrets}
        facts = Facts(
            network=cast("Network", walls.network), options=_options(walls), bases=bases, commit=fetched.commit,
            commit_time=fetched.committed_at, labels=_labels(fetched.commit), secrets=sorted(used),
        )  # fmt: skip
        with self._in_stage("lint", writer):
            self._lint(method, manifest, workspace, facts, writer)
        with self._in_stage("build", writer):
            with room(workspace, "build", "What the build starts from"):
                _write_secrets(workspace, used)
                method.prepare(manifest, workspace)
            pg.outlast(mark_credentials_used)(claim.project_id, sorted(used))
            progress = method.progress(manifest, workspace)
            self._build(method.plan(manifest, workspace, facts), manifest, workspace, progress, writer)
        with self._in_stage("publish", writer):
            path = image_path(slug, project.slug, manifest.image)
            return publish(claim, work, manifest, path, workspace, used, writer, settings, fetched.commit, self._pause)

    def _fetch_source(self, work: Work, asked: Manifest, workspace: Path, writer: LogWriter) -> Fetched:
        fetched = fetch_source(work, asked, self.claim.project_id, workspace, self._settings, writer.note)
        if fetched.commit:
            execution.set_commit(self.claim, commit=fetched.commit, message=fetched.message)
            writer.note(f"Commit {fetched.commit[:12]}: {fetched.message}")
        writer.note(f"Source: {fetched.files:,} files, {fetched.size_bytes / 1_048_576:.1f} MiB")
        self._check()
        return fetched

    def _effective(
        self, work: Work, asked: Manifest, project: ProjectView, workspace: Path, fetched: Fetched, writer: LogWriter
    ) -> Manifest:
        found, has_file = effective_manifest(work, asked, project, workspace, self._settings)
        if has_file:
            used = sorted(name for name, origin in found.origins.items() if origin == REPOSITORY)
            writer.note(f"{FILE_NAME} sets {', '.join(used) or 'nothing that was not asked for otherwise'}")
        document = found.manifest.document()
        del document["source"]  # the build's own record holds it, with files that may be large
        self._facts |= {"manifest": document, "origins": dict(found.origins), "commit": fetched.commit}
        execution.set_facts(self.claim, facts=self._facts)
        return found.manifest

    def _fetch_bases(
        self, work: Work, manifest: Manifest, method: Method, tenant: str, workspace: Path, writer: LogWriter
    ) -> list[Base]:
        try:
            wanted = method.bases(manifest, workspace)
        except MethodRefused as error:
            failure = Failure("dockerfile_invalid", "fetch", str(error), dockerfile_line=error.line)
            raise StageFailed(failure) from None
        self._check()
        bases = fetch_bases(wanted, work, tenant, workspace, self._settings)
        for base in bases:
            writer.note(f"Base {base.written} is {base.digest}")
        self._facts |= {"bases": [dataclasses.asdict(b) for b in bases]}
        execution.set_facts(self.claim, facts=self._facts)
        return bases

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
        disk = limits_of(manifest, self._settings).disk_mib
        try:
            return self._executor.workspace(self.id, disk)
        except ExecutorUnavailable as error:
            raise NotDispatched(str(error)) from None
        except PlanRefused as error:
            raise StageFailed(Failure("refused", "fetch", str(error), "operator")) from None

    def _lint(self, method: Method, manifest: Manifest, workspace: Path, facts: Facts, writer: LogWriter) -> None:
        findings = method.lint(manifest, workspace, facts)
        for f in findings:
            text = f.message.removeprefix(f"Line {f.line}: ")
            writer.note(f"{f.level.upper()}{f' line {f.line}' if f.line else ''}: {text} [{f.rule}]")
        errors = [f for f in findings if f.level == "error"]
        if errors:
            first = errors[0]
            message = first.message.removeprefix(f"Line {first.line}: ")
            where = f"Line {first.line} of the Dockerfile: " if first.line else ""
            raise StageFailed(Failure("dockerfile_invalid", "lint", where + message, dockerfile_line=first.line or 0))
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
        plan = plan_of(self.id, workspace, steps, manifest, self._settings)
        try:
            self._run = self._executor.start(plan)
        except ExecutorUnavailable as error:
            raise NotDispatched(str(error)) from None
        except PlanRefused as error:
            raise StageFailed(Failure("refused", "build", str(error), "operator")) from None
        execution.set_facts(self.claim, isolation=dataclasses.asdict(self._run.isolation))
        if self._cancelled.is_set():
            self._run.cancel()
        seen = follow(self._run, progress, writer, self.claim, self._usage)
        if seen.end is End.CANCELLED or (self._cancelled.is_set() and seen.end is not End.SUCCEEDED):
            raise Cancelled
        if seen.end is End.LOST:
            raise NotDispatched(seen.reason)
        if seen.end is not End.SUCCEEDED:
            raise StageFailed(seen.failure())

    def _clean(self) -> None:
        try:
            self._executor.cleanup(self.id)
        except ExecutorUnavailable as error:
            log.warning("cleanup of %s waits for the helper: %s", self.id, error)


def _to_mask(work: Work, secrets: Mapping[str, str]) -> list[str]:
    """Return the values that never stand in the log: those asked for, and those that the source's own file may name."""
    asked = set(work.manifest.get("secrets") or ())
    return [value for name, value in secrets.items() if name in asked or len(value.strip()) >= MIN_LENGTH]


def _options(walls: Isolation) -> list[str]:
    """Return buildah's global options: where there is one user only, base images must not fail on files of others."""
    few = [] if walls.many_ids else ["--storage-opt", "overlay.ignore_chown_errors=true"]
    return ["--storage-driver", "overlay", *few]


def _labels(commit: str) -> dict[str, str]:
    """Return what the factory alone knows; the title is the Dockerfile's to give."""
    return {"org.opencontainers.image.revision": commit} if commit else {}


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
