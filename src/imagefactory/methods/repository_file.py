"""`image-factory.yaml` in a repository: defaults of a manifest that travel with the source. It has no power of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from imagefactory.methods.manifest import FieldProblem, Manifest, ManifestInvalid, parse_manifest

FILE_NAME = "image-factory.yaml"
MAX_BYTES = 64 * 1024

# Whoever can push to the repository writes this file; where builds run, what they may use of others, and which secrets
# they see is decided by the project instead.
FORBIDDEN = {
    "provider": "the project chooses where builds run",
    "infrastructure": "the project chooses where builds run",
    "executor": "the project chooses where builds run",
    "secrets": "secrets are chosen in the project or in the build form",
    "secret_values": "secrets are chosen in the project or in the build form",
    "source": "the source is the repository that holds this file",
    "schema_version": "the version stands at the top of the file",
    "priority": "the person who starts the build chooses it",
    "network": "the project chooses what a build may reach",
}


def read_repository_file(text: str | bytes) -> dict[str, Any]:
    """Return the manifest fields that the file's text sets.

    Raises ManifestInvalid when it is no such file, or claims what it may not choose.
    """
    if len(text) > MAX_BYTES:
        raise ManifestInvalid.one(FILE_NAME, f"is larger than {MAX_BYTES // 1024} KiB.")
    data = _load(text)
    if not isinstance(data, dict) or data.get("version") != "v1" or not isinstance(data.get("build"), dict):
        raise ManifestInvalid.one(FILE_NAME, 'must have "version: v1" and a table "build:" at the top.')
    problems = [
        FieldProblem(f"{FILE_NAME}: {key}", "is not known here; only version and build are.")
        for key in data
        if key not in {"version", "build"}
    ]
    build = data["build"]
    for key in build:
        if str(key) in FORBIDDEN:
            problems.append(FieldProblem(f"{FILE_NAME}: build.{key}", f"may not be set here: {FORBIDDEN[str(key)]}."))
        elif str(key) not in Manifest.model_fields:
            problems.append(FieldProblem(f"{FILE_NAME}: build.{key}", "is not a field of the manifest."))
    if problems:
        raise ManifestInvalid(problems)
    return {str(key): value for key, value in build.items()}


def merge_repository_file(submitted: Mapping[str, Any], text: str | bytes) -> Manifest:
    """Return the manifest of a build: the file's fields as defaults, what was submitted over them, field by field.

    `submitted` holds only what the person really set. Raises ManifestInvalid.
    """
    return parse_manifest({**read_repository_file(text), **submitted})


def _load(text: str | bytes) -> Any:
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):  # a few lines of aliases grow to gigabytes
                raise ManifestInvalid.one(FILE_NAME, "uses YAML aliases (*name); write the values out.")
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" near line {mark.line + 1}" if mark is not None else ""
        raise ManifestInvalid.one(FILE_NAME, f"is not valid YAML{where}.") from None
