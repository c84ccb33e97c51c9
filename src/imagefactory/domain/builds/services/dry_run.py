"""Dry run: everything that would stop or worsen a build, told before anything is queued. Same code as submission."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from imagefactory.domain.builds import policies
from imagefactory.domain.builds.selectors import live_slots
from imagefactory.domain.builds.services.submit import effective_manifest
from imagefactory.domain.identity.permissions import Capability
from imagefactory.domain.identity.policies import require_capability
from imagefactory.domain.images.errors import ImageNotFound
from imagefactory.domain.images.selectors import get_image, registry_access
from imagefactory.domain.projects.selectors import ProjectView, get_project
from imagefactory.kernel import env
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.errors import CapabilityOff, ValidationFailed
from imagefactory.kernel.reference import LIBRARY, ReferenceInvalid, parse
from imagefactory.methods.dockerfile import parse as parse_dockerfile
from imagefactory.methods.lint import lint_dockerfile, lint_manifest
from imagefactory.methods.manifest import Manifest


@dataclasses.dataclass(frozen=True)
class Check:
    """One row of the answer: level is pass, warn or fail; `who` can change it: you, admin or operator."""

    name: str
    level: str
    message: str
    remedy: str = ""
    who: str = "you"


@dataclasses.dataclass(frozen=True)
class DryRun:
    """All checks, and the manifest as it would be stored, when it is valid."""

    checks: list[Check]
    manifest: Mapping[str, Any] | None

    @property
    def ok(self) -> bool:
        return all(c.level != "fail" for c in self.checks)


def dry_run(actor: Actor, project_id: uuid.UUID, asked: Mapping[str, Any]) -> DryRun:
    """Check a build without storing anything.

    Raises ProjectNotFound only; every other refusal is a row.
    """
    project = get_project(actor, project_id)
    checks = [_rights(actor, project), _capability(actor), _open(project)]
    try:
        manifest = effective_manifest(actor, project, asked)
    except ValidationFailed as error:
        for field, sentences in error.fields.items():
            checks += [Check(f"Manifest: {field}", "fail", text, "Correct this field.") for text in sentences]
        return DryRun(checks, None)
    checks.append(Check("Manifest", "pass", f"Valid; method {manifest.method}, tags {', '.join(manifest.tags)}."))
    checks += _dockerfile(actor, manifest)
    checks.append(_push(actor, project, manifest))
    checks.append(_workers())
    return DryRun(checks, manifest.document())


def _rights(actor: Actor, project: ProjectView) -> Check:
    verdict = policies.may_start(actor, project.id)
    if verdict is True:
        return Check("Permission", "pass", "You may start builds in this project.")
    return Check("Permission", "fail", verdict.reason, verdict.granted_by, "admin")


def _capability(actor: Actor) -> Check:
    try:
        require_capability(actor, Capability.BUILD)
    except CapabilityOff as error:
        return Check("Capability", "fail", error.message, "Ask a system administrator.", "operator")
    return Check("Capability", "pass", "The team is entitled to build.")


def _open(project: ProjectView) -> Check:
    if project.archived:
        return Check("Project", "fail", f"Project {project.name} is archived.", "Restore it in its settings.", "admin")
    return Check("Project", "pass", f"Project {project.name} is open for builds.")


def _dockerfile(actor: Actor, manifest: Manifest) -> Iterator[Check]:
    yield from (
        Check("Manifest", "fail" if f.level == "error" else "warn", f.message, "Change the manifest.")
        for f in lint_manifest(manifest)
        if f.level != "info"
    )
    text = manifest.dockerfile.inline
    if text is None:
        yield Check(
            "Dockerfile",
            "warn",
            "It is read from the source when the build runs, and checked then, before anything is built.",
        )
        return
    found = [
        f for f in lint_dockerfile(text, manifest, manifest.network or env.get().build_network) if f.level != "info"
    ]
    for f in found:
        where = f"Line {f.line}: " if f.line else ""
        yield Check(
            "Dockerfile",
            "fail" if f.level == "error" else "warn",
            where + f.message,
            "Change the Dockerfile.",
        )
    if not found:
        yield Check("Dockerfile", "pass", "No complaints.")
    parsed = parse_dockerfile(text, manifest.build_args)
    if not parsed.problems:
        for image in parsed.images(manifest.target):
            yield _base(actor, image.reference, image.line)


def _base(actor: Actor, written: str, line: int) -> Check:
    try:
        candidates = parse(written).candidates(env.get().host)
    except ReferenceInvalid as error:
        return Check("Base image", "fail", f"Line {line}: {error}", "Correct the reference.")
    reference = candidates[0]
    if len(candidates) > 1:
        return Check(
            "Base image",
            "pass",
            f"{written} is looked for in this factory's library first, then at {candidates[-1].host}.",
        )
    if reference.host != env.get().host:
        return Check(
            "Base image",
            "warn",
            f"{reference} comes from {reference.host}; whether it can be read shows when the build runs.",
        )
    if "pull" not in registry_access(actor, reference.repository):
        return Check(
            "Base image",
            "fail",
            f"Line {line}: there is no image {reference}, or you may not pull it.",
            "Choose an image of your team or of the library.",
        )
    if reference.repository.startswith(f"{LIBRARY}/"):
        return Check("Base image", "pass", f"{reference} is a base image of this factory.")
    try:
        get_image(actor, reference.repository)
    except ImageNotFound:
        return Check(
            "Base image",
            "fail",
            f"Line {line}: nothing was pushed to {reference.name} yet.",
            "Build or push it first.",
        )
    return Check("Base image", "pass", f"{reference} is an image of your team.")


def _push(actor: Actor, project: ProjectView, manifest: Manifest) -> Check:
    path = image_path(actor.tenant_slug, project.slug, manifest.image)
    return Check("Output", "pass", f"Pushed as {', '.join(f'{env.get().host}/{path}:{t}' for t in manifest.tags)}.")


def image_path(tenant_slug: str, project_slug: str, image: str) -> str:
    """Return the registry repository of a build's result."""
    return f"{tenant_slug}/{project_slug}/{image}" if image else f"{tenant_slug}/{project_slug}"


def _workers() -> Check:
    slots = live_slots()
    if slots is None:
        return Check(
            "Worker",
            "warn",
            "No build worker is connected; the build waits until one is.",
            "An operator can start one with `imagefactory up`.",
            "operator",
        )
    running, total = slots
    if running >= total:
        return Check(
            "Worker",
            "warn",
            f"All {total} places of the build workers are taken; the build waits in the queue.",
            "",
            "operator",
        )
    return Check("Worker", "pass", f"{total - running} of {total} places are free.")
