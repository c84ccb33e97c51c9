"""`image-factory.yaml` in a repository: defaults of a manifest that travel with the source. It has no power of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from imagefactory.methods.manifest import FieldProblem, Manifest, ManifestInvalid, parse_manifest

FILE_NAME = "image-factory.yaml"
MAX_BYTES = 64 * 1024

# Where a value of a build comes from, strongest first.
SUBMISSION, REPOSITORY, PROJECT, INSTALLATION = "submission", "repository file", "project", "installation"

# Entries of these are merged one by one: who asks for one build argument does not give up those of the file.
TABLES = ("limits", "build_args", "labels", "env")

# Whoever can push to the repository writes this file; where builds run, and what is decided before the source is read,
# is not theirs.
FORBIDDEN = {
    "provider": "the project chooses where builds run",
    "infrastructure": "the project chooses where builds run",
    "executor": "the project chooses where builds run",
    "secret_values": "the file may name secrets of the project, never hold one",
    "source": "the source is the repository that holds this file",
    "schema_version": "the version stands at the top of the file",
    "name": "a build has its name before the source is read",
    "priority": "the person who starts the build chooses it",
    "network": "the project chooses what a build may reach",
    "limits.disk_mib": "the disk is made before the source is read; ask for it when the build is started",
}


@dataclasses.dataclass(frozen=True)
class RepositoryFile:
    """What the file sets: manifest fields, and the line (from 1) of each field and of each entry of a table."""

    fields: Mapping[str, Any]
    lines: Mapping[str, int]

    def place(self, field: str) -> str:
        """Return how people find this field of the manifest in the file."""
        parts = field.split(".")
        known = (self.lines.get(".".join(parts[:n])) for n in range(len(parts), 0, -1))
        line = next((found for found in known if found), 0)
        return f"{_at(line)}: build.{field}" if line else FILE_NAME


@dataclasses.dataclass(frozen=True)
class Effective:
    """The manifest that a build really has, and where each of its values comes from."""

    manifest: Manifest
    origins: Mapping[str, str]

    def origin(self, field: str) -> str:
        """Return the origin of a field, such as `limits.cpu` or `tags`."""
        return self.origins.get(field) or self.origins.get(field.partition(".")[0], INSTALLATION)


def read_repository_file(text: str | bytes) -> RepositoryFile:
    """Return what the file's text sets, checked as a manifest is.

    Raises ManifestInvalid when it is no such file, or claims what it may not choose; every problem has its line.
    """
    if len(text) > MAX_BYTES:
        raise ManifestInvalid.one(FILE_NAME, f"is larger than {MAX_BYTES // 1024} KiB; keep only build settings in it.")
    data, node = _load(text)
    if not isinstance(data, dict) or data.get("version") != "v1" or not isinstance(data.get("build"), dict):
        raise ManifestInvalid.one(FILE_NAME, 'must have "version: v1" and a table "build:" at the top.')
    lines, problems = dict[str, int](), list[FieldProblem]()
    for key, value in _entries(node, "", problems):
        if key.value == "build":
            lines = _lines(value, problems)
        elif key.value != "version":
            place = f"{_at(_line(key))}: {key.value[:60]}"
            problems.append(FieldProblem(place, "is not known here; only version and build are."))
    file = RepositoryFile({str(key): value for key, value in data["build"].items()}, lines)
    for field in lines:
        if why := FORBIDDEN.get(field):
            problems.append(FieldProblem(file.place(field), f"may not be set here: {why}."))
    known = {name: value for name, value in file.fields.items() if name not in FORBIDDEN}
    try:
        parse_manifest({"source": {"kind": "git"}, **known})
    except ManifestInvalid as error:
        problems += [_placed(problem, file) for problem in error.fields]
    if problems:
        raise ManifestInvalid(problems)
    return file


def merge_repository_file(stored: Mapping[str, Any], origins: Mapping[str, str], file: RepositoryFile) -> Effective:
    """Return the manifest of a build: what was asked for at submission, below it the file, below it the rest.

    `stored` is the whole manifest as it was stored, `origins` says which of its fields were asked for and which came
    from the project. Raises ManifestInvalid.
    """
    document, came = dict(stored), dict[str, str]()
    for name in Manifest.model_fields:
        own = origins.get(name, INSTALLATION)
        if name in TABLES:
            asked = _given(stored.get(name)) if own == SUBMISSION else {}
            theirs = _given(file.fields.get(name))
            document[name] = {**theirs, **asked}
            came |= {f"{name}.{key}": REPOSITORY for key in theirs} | {f"{name}.{key}": SUBMISSION for key in asked}
        elif name in file.fields and own != SUBMISSION:
            document[name], came[name] = file.fields[name], REPOSITORY
        else:
            came[name] = own
    try:
        return Effective(parse_manifest(document), came)
    except ManifestInvalid as error:  # each half alone is valid
        raise ManifestInvalid([_placed(problem, file) for problem in error.fields]) from None


def _given(table: Any) -> dict[str, Any]:
    return {key: value for key, value in table.items() if value is not None} if isinstance(table, Mapping) else {}


def _at(line: int) -> str:
    return f"{FILE_NAME}, line {line}"


def _line(marked: yaml.Node | yaml.Event) -> int:
    return marked.start_mark.line + 1 if marked.start_mark is not None else 0


def _placed(problem: FieldProblem, file: RepositoryFile) -> FieldProblem:
    message = problem.message.replace("must be text.", "must be text; put it in quotes.")
    return FieldProblem(file.place(problem.field), message)


def _entries(node: Any, prefix: str, problems: list[FieldProblem]) -> Iterator[tuple[yaml.ScalarNode, Any]]:
    """Yield the entries of a table with their marks; YAML lets a name stand twice, and means the last."""
    seen = set[str]()
    for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
        if isinstance(key, yaml.ScalarNode):
            if key.value in seen:
                place = f"{_at(_line(key))}: {prefix}{key.value[:60]}"
                problems.append(FieldProblem(place, "stands here twice; keep one."))
            seen.add(key.value)
            yield key, value


def _lines(build: yaml.Node, problems: list[FieldProblem]) -> dict[str, int]:
    lines = dict[str, int]()
    for key, value in _entries(build, "build.", problems):
        lines[key.value] = _line(key)
        for inner, _ in _entries(value, f"build.{key.value}.", problems):
            lines[f"{key.value}.{inner.value}"] = _line(inner)
    return lines


class _Loader(yaml.SafeLoader):
    """A safe loader in which a date stays the text that was written: `tags: [2026-01-31]` means a tag."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in known if not tag.endswith(":timestamp")]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _load(text: str | bytes) -> tuple[Any, yaml.Node | None]:
    """Return the file's data, and its nodes for the lines."""
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):  # a few lines of aliases grow to gigabytes
                raise ManifestInvalid.one(_at(_line(event)), "uses a YAML alias (*name); write the value out.")
        loader = _Loader(text)
        node = loader.get_single_node()
        return (None if node is None else loader.construct_document(node)), node
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = _at(mark.line + 1) if mark is not None else FILE_NAME
        raise ManifestInvalid.one(where, "is not valid YAML; check indentation, colons and quotes there.") from None
