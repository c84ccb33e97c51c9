"""The OpenAPI document as rows for the page that people read: areas, operations, and what each takes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Final

_METHODS: Final = ("get", "post", "put", "patch", "delete")


@dataclasses.dataclass(frozen=True)
class Field:
    """One parameter or one field of a body; `place` is path, query or body."""

    name: str
    place: str
    kind: str
    required: bool


@dataclasses.dataclass(frozen=True)
class Operation:
    """One route; `anchor` is its name in the page's address."""

    method: str
    path: str
    anchor: str
    text: str
    permission: str
    fields: tuple[Field, ...]
    answers: str


@dataclasses.dataclass(frozen=True)
class Area:
    name: str
    operations: tuple[Operation, ...]


def _kind(schema: Mapping[str, Any]) -> str:
    """Return a type in words; of alternatives those that are not null."""
    if "anyOf" in schema:
        return " or ".join(k for s in schema["anyOf"] if (k := _kind(s)) != "null")
    if "$ref" in schema:
        return "object"
    if "enum" in schema:
        return "one of " + ", ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type") or "any")


def _fields(operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterator[Field]:
    for given in operation.get("parameters", ()):
        yield Field(given["name"], given["in"], _kind(given.get("schema", {})), bool(given.get("required")))
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        schema = content.get("schema", {})
        schema = schemas.get(schema.get("$ref", "").rpartition("/")[2], schema)
        place = "form" if media == "multipart/form-data" else "body"
        for name, part in schema.get("properties", {}).items():
            kind = "file" if part.get("format") == "binary" else _kind(part)
            yield Field(name, place, kind, name in schema.get("required", ()))


def areas(document: Mapping[str, Any]) -> list[Area]:
    """Return the operations by area, both in the order of the document."""
    schemas = document.get("components", {}).get("schemas", {})
    found: dict[str, list[Operation]] = {}
    for path, routes in document["paths"].items():
        for method in (m for m in _METHODS if m in routes):
            route = routes[method]
            anchor = "-".join(p for p in (method, *path.removeprefix("/api/v1/").split("/")) if p)
            found.setdefault((route.get("tags") or ["other"])[0], []).append(
                Operation(
                    method.upper(), path, anchor.replace("{", "").replace("}", ""),
                    (route.get("description") or route.get("summary", "")).replace("`", ""), route.get("x-permission", ""),
                    tuple(_fields(route, schemas)), ", ".join(map(str, route.get("responses", {}))),
                )
            )  # fmt: skip
    return [
        Area(name.replace("-", " ").capitalize().replace("Api ", "API "), tuple(rows)) for name, rows in found.items()
    ]
