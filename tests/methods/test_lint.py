"""What is refused in a Dockerfile, each beside a twin that is accepted."""

from __future__ import annotations

import pytest

from imagefactory.methods.lint import lint_dockerfile, lint_manifest
from imagefactory.methods.manifest import Manifest, parse_manifest

MANIFEST = parse_manifest({"source": {"kind": "git"}, "secrets": ["tok"]})


def errors(text: str, manifest: Manifest = MANIFEST, network: str = "open") -> list[tuple[str, int | None]]:
    found = lint_dockerfile(text, manifest, network)  # type: ignore[arg-type]
    return [(finding.rule, finding.line) for finding in found if finding.level == "error"]


@pytest.mark.parametrize(
    ("refused", "rule", "accepted"),
    [
        ("FROM docker-archive:/etc/shadow", "from-transport", "FROM docker:24"),
        ("FROM oci:/build/x", "from-transport", "FROM oci:1"),
        ("FROM Debian:12", "from-invalid", "FROM debian:12"),
        ("FROM a:1\nRUN --mount=type=cache,id=../../x,target=/c ls", "mount-escape",
         "FROM a:1\nRUN --mount=type=cache,id=x..y,target=/c ls"),
        ("FROM a:1\nRUN --mount=type=bind,source=a/../../b,target=/c ls", "mount-escape",
         "FROM a:1\nRUN --mount=type=bind,source=a/b,target=/c ls"),
        ("FROM a:1\nRUN cat <<EOF\nx\nEOF", "heredoc", 'FROM a:1\nRUN cat <<< "x"'),
        ("FROM a:1\nRUN --mount=type=secret,id=other cat /run/secrets/other", "secret-unknown",
         "FROM a:1\nRUN --mount=type=secret,id=tok cat /run/secrets/tok"),
        ("FROM a:1\nENV DB_PASSWORD=hunter2x", "secret-in-argument", "FROM a:1\nENV DB_PASSWORD_FILE=/run/secrets/db"),
        ("FROM a:1\nARG X=ghp_0123456789abcdefghijklmnopqrstuvwxyz", "secret-in-argument", "FROM a:1\nARG X=plain"),
        ("FROM a:1\nCOPY ../x /x", "copy-outside", "FROM a:1\nCOPY x /x"),
        ("FROM a:1\nCOPY --from=$B /x /x", "from-variable", "FROM a:1\nCOPY --from=b:1 /x /x"),
        ("FROM a:1\nRUN --security=insecure id", "run-insecure", "FROM a:1\nRUN id"),
    ],
)  # fmt: skip
def test_refused_and_its_accepted_twin(refused: str, rule: str, accepted: str) -> None:
    assert [found for found, _ in errors(refused)] == [rule]
    assert errors(accepted) == []


def test_add_from_an_address_needs_an_open_network() -> None:
    text = "FROM a:1\nADD https://host/x /x"
    assert errors(text, network="none") == [("add-url-offline", 2)]
    assert errors(text) == []


def test_an_unknown_target_names_the_stages_there_are() -> None:
    manifest = parse_manifest({"source": {"kind": "git"}, "target": "nope"})
    found = lint_dockerfile("FROM a:1 AS build\n", manifest)
    assert found[0].rule == "target-unknown"
    assert "build" in found[0].message


def test_a_secret_is_never_repeated_in_a_finding() -> None:
    value = "AKIAABCDEFGHIJKLMNOP"
    manifest = parse_manifest({"source": {"kind": "git"}, "build_args": {"KEY": value}})
    messages = [finding.message for finding in lint_manifest(manifest)]
    assert len(messages) == 1
    assert value not in messages[0]


def test_advice_stops_nothing() -> None:
    found = lint_dockerfile("FROM debian\nRUN apt-get install curl\n", MANIFEST)
    assert {finding.rule for finding in found} == {"from-latest", "apt-lists", "apt-yes", "user-missing"}
    assert {finding.level for finding in found} == {"warning"}
