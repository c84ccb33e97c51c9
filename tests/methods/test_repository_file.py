"""`image-factory.yaml`: what it may say, what is told with its line when it is wrong, and how it is merged."""

from __future__ import annotations

from typing import Any

import pytest

from imagefactory.methods.manifest import ManifestInvalid, parse_manifest
from imagefactory.methods.repository_file import MAX_BYTES, merge_repository_file, read_repository_file


def told(text: str | bytes) -> list[str]:
    with pytest.raises(ManifestInvalid) as caught:
        read_repository_file(text)
    return [f"{problem.field}: {problem.message}" for problem in caught.value.fields]


def merged(asked: dict[str, Any], text: str, project: tuple[str, ...] = ()) -> Any:
    stored = parse_manifest({"source": {"kind": "git"}, **asked}).document()
    origins = {name: "project" if name in project else "submission" for name in asked}
    return merge_repository_file(stored, origins | {"source": "project"}, read_repository_file(text))


TEXT = """version: v1
build:
  target: release
  tags: [edge, 2026-01-31]
  dockerfile: docker/Dockerfile
  build_args: {V: "1", W: "2"}
  limits:
    cpu: 2
"""


def test_what_was_asked_for_wins_and_the_file_wins_over_the_project() -> None:
    found = merged(
        {"tags": ["1.0"], "dockerfile": "Dockerfile", "context": "app", "build_args": {"V": "9"}},
        TEXT,
        project=("dockerfile", "context"),
    )
    m = found.manifest
    assert (m.tags, m.target, m.dockerfile_path, m.context) == (["1.0"], "release", "docker/Dockerfile", "app")
    assert m.build_args == {"V": "9", "W": "2"}
    assert m.limits.cpu == 2
    where = {name: found.origin(name) for name in ("tags", "target", "dockerfile", "context", "source", "platform",
             "build_args.V", "build_args.W", "limits.cpu", "limits.memory_mib")}  # fmt: skip
    assert where == {
        "tags": "submission", "target": "repository file", "dockerfile": "repository file", "context": "project",
        "source": "project", "platform": "installation", "build_args.V": "submission",
        "build_args.W": "repository file", "limits.cpu": "repository file", "limits.memory_mib": "installation",
    }  # fmt: skip


def test_a_default_that_was_asked_for_in_so_many_words_is_not_replaced() -> None:
    assert merged({"tags": ["latest"]}, TEXT).manifest.tags == ["latest"]
    assert merged({}, TEXT).manifest.tags == ["edge", "2026-01-31"]


@pytest.mark.parametrize(
    "line",
    ["provider: k8s", "secret_values: {a: b}", "network: open", "nonsense: 1", "source: {kind: git}", "name: x",
     "limits: {disk_mib: 500}", "priority: 9"],
)  # fmt: skip
def test_the_file_has_no_power_of_its_own(line: str) -> None:
    (problem,) = told(f"version: v1\n\nbuild:\n  target: a\n  {line}\n")
    assert problem.startswith(f"image-factory.yaml, line 5: build.{line.partition(':')[0]}")
    assert problem.endswith(".")


def test_names_of_secrets_may_stand_in_it() -> None:
    assert merged({}, "version: v1\nbuild:\n  secrets: [tok]\n").manifest.secrets == ["tok"]


def test_every_wrong_value_is_told_with_its_line() -> None:
    text = "version: v1\nbuild:\n  tags: [-bad]\n  timeout_seconds: fast\n  limits:\n    cpu: 0\n  target: 1\n  target: 2\n"
    problems = told(text)
    assert {p.partition(": ")[0] for p in problems} == {
        f"image-factory.yaml, line {n}" for n in (3, 4, 6, 8)
    }, problems  # fmt: skip
    assert "image-factory.yaml, line 8: build.target: stands here twice; keep one." in problems
    assert "image-factory.yaml, line 8: build.target: must be text; put it in quotes." in problems


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("version: v1\nbuild: [\n", "image-factory.yaml, line 3: is not valid YAML"),
        ("version: v1\nbuild: {}\n---\nversion: v1\n", "is not valid YAML"),
        (b"\xff\xfe\x00", "is not valid YAML"),
        ("- " * 20_000, "is not valid YAML"),
        ("version: v1\nbuild: {? [a] : b}\n", "is not valid YAML"),
        ("version: v1\nbuild: !!python/object/apply:os.system [id]\n", "is not valid YAML"),
        ("version: v1\nbuild: {labels: &a {x: y}, env: *a}\n", "line 2: uses a YAML alias"),
        ("x" * (MAX_BYTES + 1), "is larger than 64 KiB"),
        ("", 'must have "version: v1"'),
        ("version: v2\nbuild: {}\n", 'must have "version: v1"'),
        ("version: v1\nbuild: {}\nmore: 1\n", "line 3: more: is not known here"),
        ("version: v1\nbuild: {timeout_seconds: .nan}\n", "image-factory.yaml"),
    ],
)
def test_what_is_no_such_file_is_a_sentence(text: str | bytes, sentence: str) -> None:
    problems = told(text)
    assert len(problems) == 1
    assert sentence in problems[0]


def test_a_bomb_of_aliases_is_refused_before_it_grows() -> None:
    lines = ["version: v1", "a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    assert told("\n".join(lines)) == ["image-factory.yaml, line 3: uses a YAML alias (*name); write the value out."]
