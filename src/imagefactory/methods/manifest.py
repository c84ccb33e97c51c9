"""The build manifest: everything a person asks of one build, versioned, strict and bounded. It is stored whole."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from imagefactory.kernel.reference import is_digest, is_tag, tag_problem

MAX_MANIFEST_BYTES = 512 * 1024
MAX_DOCKERFILE_BYTES = 128 * 1024
MAX_ENTRIES = 64

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._/-]{0,99}")
_ARG_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_SECRET_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_STAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_LABEL_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,127}")
_GIT_REF = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/@+-]{0,249}")
_PLATFORM = re.compile(r"[a-z0-9]{2,16}/[a-z0-9_]{2,16}(?:/v[0-9]{1,2})?")


@dataclasses.dataclass(frozen=True)
class FieldProblem:
    """What is wrong with one field; `field` is its dotted path, `message` a sentence."""

    field: str
    message: str


class ManifestInvalid(Exception):
    """The manifest can not be accepted; `fields` says all that is wrong at once."""

    def __init__(self, fields: list[FieldProblem]) -> None:
        super().__init__(" ".join(f"{problem.field}: {problem.message}" for problem in fields))
        self.fields = fields

    @classmethod
    def one(cls, field: str, message: str) -> ManifestInvalid:
        return cls([FieldProblem(field, message)])


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _inside(value: str) -> str:
    """Check a path relative to the source: nothing absolute, no step upwards, no control characters."""
    if len(value) > 512 or any(ord(c) < 32 or ord(c) == 127 for c in value):
        raise ValueError("must be a path of at most 512 characters without control characters")
    path = PurePosixPath(value)
    if path.is_absolute() or ".." in path.parts or "\\" in value or value.startswith("-"):
        raise ValueError('must be a path inside the source, such as "docker/Dockerfile"; no "..", no leading "/"')
    return str(path)


def _text(value: str, limit: int) -> str:
    if len(value) > limit or "\0" in value:
        raise ValueError(f"must have at most {limit} characters and no zero byte")
    return value


class GitSource(_Part):
    """A commit of the project's repository: a branch, tag or commit; empty means the project's branch."""

    kind: Literal["git"]
    ref: str = ""

    @field_validator("ref")
    @classmethod
    def _ref(cls, value: str) -> str:
        if value and (not _GIT_REF.fullmatch(value) or ".." in value or value.endswith((".lock", "/", "."))):
            raise ValueError('must be the name of a branch or tag, or a commit, such as "main" or "v1.2"')
        return value


class ArchiveSource(_Part):
    """An uploaded source archive, by the digest of its content."""

    kind: Literal["archive"]
    blob: str
    filename: str = Field("", max_length=255)

    @field_validator("blob")
    @classmethod
    def _blob(cls, value: str) -> str:
        if not is_digest(value):
            raise ValueError("must be the digest that the upload returned, such as sha256: and 64 hex digits")
        return value


class InlineSource(_Part):
    """Files given in the manifest itself: path to text, few and small. The Dockerfile may stand alone."""

    kind: Literal["inline"]
    files: dict[str, str] = Field(default_factory=dict, max_length=MAX_ENTRIES)

    @field_validator("files")
    @classmethod
    def _files(cls, value: dict[str, str]) -> dict[str, str]:
        for text in value.values():
            _text(text, MAX_DOCKERFILE_BYTES)
        return {_inside(path): text for path, text in value.items()}


Source = Annotated[GitSource | ArchiveSource | InlineSource, Field(discriminator="kind")]


class Dockerfile(_Part):
    """The Dockerfile: a path inside the context, or its whole text."""

    path: str | None = None
    inline: str | None = None

    @field_validator("path")
    @classmethod
    def _path(cls, value: str | None) -> str | None:
        return None if value is None else _inside(value)

    @field_validator("inline")
    @classmethod
    def _inline(cls, value: str | None) -> str | None:
        return None if value is None else _text(value, MAX_DOCKERFILE_BYTES)

    @model_validator(mode="after")
    def _one(self) -> Dockerfile:
        if self.path is not None and self.inline is not None:
            raise ValueError('give either "path" or "inline", not both')
        if self.inline is not None and not self.inline.strip():
            raise ValueError("the inline Dockerfile is empty; write at least a FROM line")
        return self


class Limits(_Part):
    """What the build may use at most; a missing value means the factory's own limit."""

    cpu: float | None = Field(None, ge=0.1, le=256)
    memory_mib: int | None = Field(None, ge=64, le=1_048_576)
    disk_mib: int | None = Field(None, ge=128, le=1_048_576)


class Manifest(_Part):
    """One build, as asked for. Frozen: a rerun of the same build reads the same words."""

    schema_version: Literal[1] = 1
    name: str = "build"
    method: str = Field("docker", max_length=32)
    source: Source
    dockerfile: Dockerfile = Field(default_factory=Dockerfile)
    context: str = "."
    target: str | None = None
    build_args: dict[str, str] = Field(default_factory=dict, max_length=MAX_ENTRIES)
    secrets: list[str] = Field(default_factory=list, max_length=MAX_ENTRIES)
    image: str = Field("", max_length=128)
    tags: list[str] = Field(default_factory=lambda: ["latest"], min_length=1, max_length=20)
    labels: dict[str, str] = Field(default_factory=dict, max_length=MAX_ENTRIES)
    env: dict[str, str] = Field(default_factory=dict, max_length=MAX_ENTRIES)
    platform: str | None = None
    limits: Limits = Field(default_factory=Limits)
    timeout_seconds: int | None = Field(None, ge=5, le=86_400)
    priority: int = Field(5, ge=0, le=9)
    network: Literal["none", "registry", "open"] | None = None

    @field_validator("dockerfile", mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"path": value} if isinstance(value, str) else value

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        if not _NAME.fullmatch(value):
            raise ValueError(
                "must be 1 to 100 letters, digits, spaces or any of . _ / -, and start with a letter or digit"
            )
        return value

    @field_validator("image")
    @classmethod
    def _image(cls, value: str) -> str:
        if value and not re.fullmatch(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*", value):
            raise ValueError("must be lower-case letters and digits with single separators . _ - between them")
        return value

    @field_validator("context")
    @classmethod
    def _context(cls, value: str) -> str:
        return _inside(value)

    @field_validator("target")
    @classmethod
    def _target(cls, value: str | None) -> str | None:
        if value is not None and not _STAGE.fullmatch(value):
            raise ValueError("must be the name of a stage in the Dockerfile, as written behind AS")
        return value

    @field_validator("tags")
    @classmethod
    def _tags(cls, value: list[str]) -> list[str]:
        for tag in value:
            if not is_tag(tag):
                raise ValueError(tag_problem(tag))
            if re.fullmatch(r"sha256-[0-9a-f]{64}(\..*)?", tag):
                raise ValueError(f'"{tag[:20]}..." is reserved for attestations; choose another tag')
        return list(dict.fromkeys(value))

    @field_validator("secrets")
    @classmethod
    def _secrets(cls, value: list[str]) -> list[str]:
        for name in value:
            if not _SECRET_ID.fullmatch(name):
                raise ValueError(
                    f'"{name[:64]}" is not a secret name; use letters, digits, "_", "." and "-", at most 64'
                )
        return list(dict.fromkeys(value))

    @field_validator("build_args", "env")
    @classmethod
    def _variables(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            if not _ARG_NAME.fullmatch(name):
                raise ValueError(f'"{name[:64]}" is not a variable name; use letters, digits and "_"')
            _text(text, 8192)
        return value

    @field_validator("labels")
    @classmethod
    def _labels(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            if not _LABEL_KEY.fullmatch(name):
                raise ValueError(f'"{name[:64]}" is not a label name; use letters, digits and . _ / -')
            _text(text, 4096)
        return value

    @field_validator("platform")
    @classmethod
    def _platform(cls, value: str | None) -> str | None:
        if value is not None and not _PLATFORM.fullmatch(value):
            raise ValueError('must look like "linux/amd64"')
        return value

    @model_validator(mode="after")
    def _dockerfile_is_somewhere(self) -> Manifest:
        has_files = self.source.kind != "inline" or bool(self.source.files)
        if self.method == "docker" and not has_files and self.dockerfile.inline is None:
            raise ValueError("an inline source needs dockerfile.inline, or files with a Dockerfile among them")
        return self

    @property
    def dockerfile_path(self) -> str:
        """Where the Dockerfile lies below the context, when it is not inline."""
        return self.dockerfile.path or "Dockerfile"

    def document(self) -> dict[str, Any]:
        """Return the whole manifest as plain data, for storing; `parse_manifest` reads it back to an equal one."""
        return self.model_dump(mode="json")


def parse_manifest(data: Mapping[str, Any] | str | bytes) -> Manifest:
    """Check and read a manifest given as data or as JSON text.

    Raises ManifestInvalid with every problem at once.
    """
    try:
        text = data if isinstance(data, str | bytes) else json.dumps(data, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise ManifestInvalid.one("manifest", "is not plain data; send a JSON object.") from None
    if len(text) > MAX_MANIFEST_BYTES:
        raise ManifestInvalid.one(
            "manifest", f"is larger than {MAX_MANIFEST_BYTES // 1024} KiB; put files into the source instead."
        )
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        raise ManifestInvalid([_problem(dict(each)) for each in error.errors(include_url=False)]) from None


_SENTENCES = {
    "missing": "is needed and was not given.",
    "extra_forbidden": "is not a field of the manifest; check the spelling, or leave it out.",
    "string_type": "must be text.",
    "int_type": "must be a whole number.",
    "int_from_float": "must be a whole number.",
    "float_type": "must be a number.",
    "dict_type": "must be a table of names and values.",
    "list_type": "must be a list.",
    "model_type": "must be a table of names and values.",
    "json_invalid": "is not valid JSON.",
    "union_tag_not_found": 'needs "kind": git, archive or inline.',
    "union_tag_invalid": 'has an unknown "kind"; use git, archive or inline.',
}


def _problem(error: dict[str, Any]) -> FieldProblem:
    place = [str(part) for part in error["loc"]]
    if len(place) > 1 and place[0] == "source" and place[1] in {"git", "archive", "inline"}:
        del place[1]
    message = _SENTENCES.get(error["type"])
    if message is None:
        message = str(error["msg"]).removeprefix("Value error, ").removeprefix("Input ").rstrip(".")
        message = message[:1].lower() + message[1:] + "."
    return FieldProblem(".".join(place) or "manifest", message)
