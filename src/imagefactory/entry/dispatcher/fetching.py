"""The fetch stage: source, secrets and base images come into the workspace; none of it runs yet."""

from __future__ import annotations

from pathlib import Path

from imagefactory.adapters.blobs.base import BlobNotFound
from imagefactory.adapters.blobs.files import FileBlobStore
from imagefactory.adapters.registries.skopeo import CopyFailed, pull
from imagefactory.adapters.sources import archive, git, inline
from imagefactory.adapters.sources.base import Fetched, SourceFailed
from imagefactory.domain.builds.services.execution import Failure, Work
from imagefactory.domain.identity.selectors import actor_for_user
from imagefactory.domain.images.selectors import registry_access
from imagefactory.domain.projects.selectors import open_credential
from imagefactory.entry.dispatcher.failing import StageFailed
from imagefactory.entry.http.registry import issuer
from imagefactory.kernel import actor as actors
from imagefactory.kernel.env import Settings
from imagefactory.kernel.errors import FactoryError
from imagefactory.kernel.reference import parse
from imagefactory.methods.base import Base
from imagefactory.methods.manifest import Manifest

_STAGE = "fetch"


def git_policy(settings: Settings) -> git.GitPolicy:
    """Return what this installation allows of repositories."""
    return git.GitPolicy(
        allowed_hosts=[h.strip() for h in settings.allowed_git_hosts.split(",") if h.strip()],
        file_root=settings.source_root if settings.allow_file_sources else None,
        max_bytes=settings.max_context_mib * 1024 * 1024,
    )


def project_credential(project_id: object, credential_id: str) -> git.Credential:
    """Return the project's Git credential, or an empty one."""
    import uuid

    if not credential_id:
        return git.Credential()
    opened = open_credential(uuid.UUID(str(project_id)), uuid.UUID(credential_id))
    if opened.kind == "git_ssh_key":
        return git.Credential(opened.username, ssh_key=opened.secret)
    return git.Credential(opened.username, opened.secret)


def fetch_source(
    work: Work, manifest: Manifest, project_id: object, workspace: Path, settings: Settings
) -> Fetched:
    """Put the source into `context/`.

    Raises StageFailed.
    """
    target = workspace / "context"
    target.mkdir()
    limit = settings.max_context_mib * 1024 * 1024
    try:
        if manifest.source.kind == "inline":
            return inline.write(manifest.source.files, target)
        if manifest.source.kind == "archive":
            with FileBlobStore(settings.data_dir / "blobs").open(manifest.source.blob) as content:
                return archive.unpack(content, manifest.source.filename or "source.tar", target, max_bytes=limit)
        credential = project_credential(project_id, str(work.source.get("credential_id", "")))
        policy, url = git_policy(settings), str(work.source["url"])
        commit = git.resolve(url, work.ref, credential, policy)
        return git.fetch(url, commit, credential, target, policy)
    except SourceFailed as error:
        raise StageFailed(Failure(error.code, _STAGE, str(error), error.who)) from None
    except BlobNotFound:
        raise StageFailed(Failure("source_invalid", _STAGE, "The uploaded archive is no longer kept. Upload it again and rerun.")) from None
    except FactoryError as error:
        raise StageFailed(Failure(error.code, _STAGE, error.message, "admin")) from None


def fetch_bases(written: list[str], work: Work, tenant: str, workspace: Path, settings: Settings) -> list[Base]:
    """Copy each base image into the workspace, as the person who started the build may pull it, and return them.

    Raises StageFailed.
    """
    bases = []
    for position, text in enumerate(written):
        reference = parse(text)
        layout = workspace / "bases" / str(position)
        layout.parent.mkdir(exist_ok=True)
        ours = reference.host == settings.host
        password = None
        if ours:
            if "pull" not in _rights(work, tenant, reference.repository):
                raise StageFailed(_unknown(text))
            password = issuer().issue_grant("dispatcher", reference.repository, ["pull"])
        try:
            digest = pull(
                str(reference), reference.host, layout, password=password,
                tls=not ours or settings.public_url.startswith("https://"), seconds=900,
            )  # fmt: skip
        except CopyFailed as error:
            if error.code == "unknown_image" or (ours and error.code == "denied"):
                raise StageFailed(_unknown(text)) from None
            code = {"unreachable": "base_unreachable", "denied": "base_denied"}.get(error.code, "base_failed")
            raise StageFailed(Failure(code, _STAGE, f"Base image {text}: {error}")) from None
        bases.append(Base(text, str(reference), digest))
    return bases


def _unknown(text: str) -> Failure:
    return Failure("unknown_base_image", _STAGE, f"There is no base image {text}, or you may not pull it. Check the FROM line.")


def _rights(work: Work, tenant: str, repository: str) -> frozenset[str]:
    """Return what the person who started the build may do there now; a schedule's build has the tenant's own rights."""
    import uuid

    if work.created_by_id is None:
        own = repository.startswith((f"{tenant}/", "library/"))
        return registry_access(actors.system("dispatcher"), repository) if own else frozenset()
    try:
        return registry_access(actor_for_user(uuid.UUID(str(work.created_by_id)), tenant), repository)
    except FactoryError:
        return frozenset()
