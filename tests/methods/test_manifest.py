"""The manifest: what is accepted stays as it was, what is not is told field by field."""

from __future__ import annotations

from typing import Any

import pytest

from imagefactory.methods.manifest import ManifestInvalid, parse_manifest
from imagefactory.methods.registry import method_for

GIT = {"kind": "git", "ref": "main"}


def problems(data: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(ManifestInvalid) as caught:
        parse_manifest(data)
    return {problem.field: problem.message for problem in caught.value.fields}


def test_a_manifest_survives_being_stored() -> None:
    manifest = parse_manifest({"source": GIT, "dockerfile": "docker/Dockerfile", "tags": ["1.0", "latest", "1.0"]})
    assert manifest.tags == ["1.0", "latest"]
    assert parse_manifest(manifest.document()) == manifest


def test_every_problem_is_told_at_once_with_its_field() -> None:
    found = problems({"source": {"kind": "git", "ref": "--upload-pack=x"}, "tags": ["-bad"], "surprise": 1,
                      "context": "../..", "timeout_seconds": "60"})  # fmt: skip
    assert set(found) == {"source.ref", "tags", "surprise", "context", "timeout_seconds"}
    assert all(message.endswith((".", '."')) for message in found.values())


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../b", "-f", "a\nb"])
def test_a_dockerfile_path_stays_inside_the_source(path: str) -> None:
    assert problems({"source": GIT, "dockerfile": {"path": path}})


def test_a_method_that_is_not_there_is_named() -> None:
    with pytest.raises(ManifestInvalid, match="packer"):
        method_for(parse_manifest({"source": GIT, "method": "packer"}))
    assert method_for(parse_manifest({"source": GIT})).name == "docker"
