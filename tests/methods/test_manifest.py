"""The manifest: what is accepted stays as it was, what is not is told field by field."""

from __future__ import annotations

from typing import Any

import pytest

from imagefactory.methods.manifest import ManifestInvalid, parse_manifest
from imagefactory.methods.registry import method_for
from imagefactory.methods.repository_file import merge_repository_file, read_repository_file

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


def test_the_repository_file_gives_defaults_and_what_is_submitted_wins() -> None:
    text = "version: v1\nbuild:\n  target: release\n  tags: [edge]\n"
    manifest = merge_repository_file({"source": GIT, "tags": ["1.0"]}, text)
    assert (manifest.target, manifest.tags) == ("release", ["1.0"])


@pytest.mark.parametrize("line", ["provider: k8s", "secrets: [tok]", "network: open", "nonsense: 1"])
def test_the_repository_file_has_no_power_of_its_own(line: str) -> None:
    with pytest.raises(ManifestInvalid, match=line.partition(":")[0]):
        read_repository_file(f"version: v1\nbuild:\n  {line}\n")


def test_yaml_aliases_are_refused_before_they_grow() -> None:
    with pytest.raises(ManifestInvalid, match="aliases"):
        read_repository_file("version: v1\nbuild: {labels: &a {x: y}, env: *a}\n")
