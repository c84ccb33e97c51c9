"""The form of a new build: from what was typed to the manifest that is asked for, and back from an earlier build."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from django.http import QueryDict
from django.utils import timezone

from imagefactory.domain.projects.selectors import ProjectView, UploadView
from imagefactory.entry.web.forms import typed
from imagefactory.kernel.errors import ValidationFailed

FIELDS = (
    "source", "ref", "upload_id", "dockerfile_text", "dockerfile", "context", "name", "image", "tags", "build_args",
    "target", "platform", "network", "timeout_seconds", "cpu", "memory_mib", "disk_mib",
)  # fmt: skip
_NUMBERS = {"timeout_seconds": int, "cpu": float, "memory_mib": int, "disk_mib": int}
# Where a field of the manifest is typed in this form.
_PLACES = {
    "source.ref": "ref", "source.blob": "upload_id", "source.kind": "source", "dockerfile.inline": "dockerfile_text",
    "dockerfile.path": "dockerfile", "limits.cpu": "cpu", "limits.memory_mib": "memory_mib",
    "limits.disk_mib": "disk_mib",
}  # fmt: skip


def from_post(data: QueryDict) -> dict[str, str]:
    """Return what was typed, with the chosen secrets as lines."""
    return typed(data, *FIELDS) | {"secrets": "\n".join(data.getlist("secrets")[:64])}


def upload_choices(uploads: Sequence[UploadView]) -> list[tuple[str, str]]:
    """Return (id, words) of archives to choose from; the time, in the person's zone, tells those of one name apart."""
    return [(str(u.id), f"{u.filename}, {timezone.localtime(u.created_at):%-d %b %H:%M}") for u in uploads]


def first(project: ProjectView) -> dict[str, str]:
    """Return the values of an empty form."""
    source = "project" if project.source_kind else "inline"
    ref = str(project.source.get("ref", "")) if project.source_kind == "git" else ""
    return dict.fromkeys(FIELDS, "") | {"source": source, "ref": ref, "tags": "latest", "secrets": ""}


def from_manifest(project: ProjectView, manifest: Mapping[str, Any], uploads: Sequence[UploadView]) -> dict[str, str]:
    """Return the values that make the same build again."""
    source, limits = manifest.get("source") or {}, manifest.get("limits") or {}
    dockerfile = manifest.get("dockerfile") or {}
    kind = str(source.get("kind", ""))
    upload = next((str(u.id) for u in uploads if u.digest == source.get("blob")), "")
    known = {name: manifest.get(name) or limits.get(name) or "" for name in FIELDS}
    return {name: str(value) for name, value in known.items() if not isinstance(value, dict | list)} | {
        "source": {"git": "project", "archive": "archive" if upload else "project"}.get(kind, "inline"),
        "ref": str(source.get("ref", "")) or str(project.source.get("ref", "")), "upload_id": upload,
        "dockerfile_text": str(dockerfile.get("inline") or ""), "dockerfile": str(dockerfile.get("path") or ""),
        "tags": " ".join(manifest.get("tags") or ["latest"]),
        "build_args": "\n".join(f"{k}={v}" for k, v in (manifest.get("build_args") or {}).items()),
        "secrets": "\n".join(manifest.get("secrets") or ()),
        "name": "" if manifest.get("name") == "build" else str(manifest.get("name", "")),
        "context": "" if manifest.get("context") == "." else str(manifest.get("context", "")),
    }  # fmt: skip


def asked(
    values: Mapping[str, str], project: ProjectView, uploads: Sequence[UploadView], earlier: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the manifest that was typed; what is left empty, the project and the installation fill in.

    `earlier` is the manifest of the build that this one is made from: files of an inline source come from there.
    Raises ValidationFailed for what is no number or no NAME=value.
    """
    wrong: dict[str, list[str]] = {}
    document: dict[str, Any] = {"method": "docker", "tags": values["tags"].replace(",", " ").split()}
    document |= _source(values, project, uploads, earlier)
    for name in ("dockerfile", "context", "name", "image", "target", "platform", "network"):
        if values.get(name) and name not in document:
            document[name] = values[name].strip()
    document |= _limits(values, wrong) | _arguments(values, wrong)
    if secrets := values.get("secrets", "").split():
        document["secrets"] = secrets
    if wrong:
        raise ValidationFailed(wrong)
    return document


def _limits(values: Mapping[str, str], wrong: dict[str, list[str]]) -> dict[str, Any]:
    limits: dict[str, float] = {}
    for name, kind in _NUMBERS.items():
        if text := values.get(name, "").strip():
            try:
                limits[name] = kind(text)
            except ValueError:
                wrong[name] = ["Give a number, or leave it empty for the limit of this installation."]
    found: dict[str, Any] = {}
    if "timeout_seconds" in limits:
        found["timeout_seconds"] = limits.pop("timeout_seconds")
    return found | ({"limits": limits} if limits else {})


def _arguments(values: Mapping[str, str], wrong: dict[str, list[str]]) -> dict[str, Any]:
    arguments: dict[str, str] = {}
    for line in filter(str.strip, values.get("build_args", "").split("\n")):
        name, equals, value = line.strip().partition("=")
        if not equals:
            wrong["build_args"] = [f"Write each argument as NAME=value on a line of its own; “{line[:40]}” is none."]
        arguments[name] = value
    return {"build_args": arguments} if arguments else {}


def _source(
    values: Mapping[str, str], project: ProjectView, uploads: Sequence[UploadView], earlier: Mapping[str, Any]
) -> dict[str, Any]:
    if values["source"] == "inline":
        files = (earlier.get("source") or {}).get("files") or {}
        source: dict[str, Any] = {"kind": "inline"} | ({"files": files} if files else {})
        return {"source": source, "dockerfile": {"inline": values["dockerfile_text"]}}
    if values["source"] == "archive":
        chosen = next((u for u in uploads if str(u.id) == values["upload_id"]), None)
        if chosen is None:
            raise ValidationFailed({"upload_id": ["Choose an archive, or upload one."]})
        return {"source": {"kind": "archive", "blob": chosen.digest, "filename": chosen.filename}}
    if project.source_kind == "git":
        return {"source": {"kind": "git", "ref": values["ref"].strip()}}
    return {}


def place_errors(errors: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Return a refusal's sentences under the fields of this form."""
    found: dict[str, list[str]] = {}
    for name, sentences in errors.items():
        head = name.split(".")[0]
        found.setdefault(_PLACES.get(name, head if head in FIELDS else "source"), []).extend(
            s if name in _PLACES or head == name else f"{name}: {s}" for s in sentences
        )
    return found


def calls(url: str, project: str, document: Mapping[str, Any]) -> tuple[str, str]:
    """Return the same submission as a call of the API and as a command."""
    body = json.dumps({"project": project, "manifest": document}, indent=2, ensure_ascii=False)
    api = (
        f'curl {url}/api/v1/builds \\\n  -H "Authorization: Bearer $IMAGEFACTORY_TOKEN" \\\n'
        f"  -H 'Content-Type: application/json' \\\n  -d @- <<'EOF'\n{body}\nEOF"
    )
    return api, shlex.join(["imagefactory", "build", "submit", project, *_options(document), "--follow"])


def _options(document: Mapping[str, Any]) -> list[str]:
    """Return the command's options for what it can say; the rest needs the API."""
    source = document.get("source") or {}
    found: list[str] = []
    if source.get("kind") == "inline":
        found += ["--dockerfile", "Dockerfile"]
    elif source.get("kind") == "archive":
        found += ["--archive", str(source.get("filename") or "source.tar.gz")]
    elif source.get("ref"):
        found += ["--ref", str(source["ref"])]
    for option, values in (
        ("--tag", document.get("tags") or ()),
        ("--arg", [f"{k}={v}" for k, v in (document.get("build_args") or {}).items()]),
        ("--secret", document.get("secrets") or ()),
    ):
        found += [word for value in values for word in (option, str(value))]
    return found
