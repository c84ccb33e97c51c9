"""What a build really asks for, once its source is there: `image-factory.yaml` is merged in, and the limits checked again."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from imagefactory.domain.builds.services.execution import Failure, Work
from imagefactory.domain.builds.services.submit import NETWORKS, against_project
from imagefactory.domain.projects.selectors import ProjectView
from imagefactory.entry.dispatcher.failing import StageFailed
from imagefactory.entry.dispatcher.running import limits_of
from imagefactory.kernel.env import Settings
from imagefactory.methods.manifest import Limits, Manifest, ManifestInvalid
from imagefactory.methods.registry import method_for
from imagefactory.methods.repository_file import (
    FILE_NAME,
    MAX_BYTES,
    REPOSITORY,
    Effective,
    RepositoryFile,
    merge_repository_file,
    read_repository_file,
)

_MOST_TOLD = 5


def effective_manifest(
    work: Work, manifest: Manifest, project: ProjectView, workspace: Path, settings: Settings
) -> tuple[Effective, bool]:
    """Return the manifest to build, with the origin of each value, and whether the source has the file.

    Raises StageFailed.
    """
    file = RepositoryFile({}, {})
    text = _read(workspace / "context" / FILE_NAME) if manifest.source.kind != "inline" else None
    try:
        if text is not None:
            file = read_repository_file(text)
        found = merge_repository_file(work.manifest, work.origins, file)
    except ManifestInvalid as error:
        raise _refused([f"{problem.field} {problem.message}" for problem in error.fields]) from None
    try:
        method_for(found.manifest)
    except ManifestInvalid as error:
        raise _refused([f"{file.place(problem.field)} {problem.message}" for problem in error.fields]) from None
    wrong = against_project(project, found.manifest)
    if "secrets" in wrong and found.origin("secrets") != REPOSITORY:  # removed since the build was submitted
        raise StageFailed(Failure("manifest_invalid", "fetch", " ".join(wrong["secrets"]), "admin"))
    # What was submitted was checked then; a limit that was lowered since cuts it, as it always did.
    problems = [
        f"{file.place(field)}: {sentence}"
        for field, sentences in wrong.items()
        if found.origin(field) == REPOSITORY
        for sentence in sentences
    ]
    if problems:
        raise _refused(problems)
    return Effective(_complete(found.manifest, settings), found.origins), text is not None


def _complete(manifest: Manifest, settings: Settings) -> Manifest:
    """Fill in the installation's own limits, and let none be larger."""
    most = limits_of(manifest, settings)
    limits = Limits(cpu=most.cpus, memory_mib=most.memory_mib, disk_mib=most.disk_mib)
    network = min(manifest.network or settings.build_network, settings.build_network, key=NETWORKS.index)
    return manifest.model_copy(update={"limits": limits, "timeout_seconds": most.timeout_seconds, "network": network})


def _read(path: Path) -> bytes | None:
    """Return the file's bytes, never through a link: the source is a stranger's, and its links may lead to this host."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _refused([f"{FILE_NAME} is a link; make it a file."]) from None
        raise
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise _refused([f"{FILE_NAME} is a directory; make it a file."])
        return file.read(MAX_BYTES + 1)


def _refused(problems: list[str]) -> StageFailed:
    more = f" And {len(problems) - _MOST_TOLD} more problems." if len(problems) > _MOST_TOLD else ""
    return StageFailed(Failure("repository_file_invalid", "fetch", " ".join(problems[:_MOST_TOLD]) + more))
