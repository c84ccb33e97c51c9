"""The docker method: its plan, its reading of hostile sources, and its reading of buildah's output."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagefactory.methods.base import Base, Facts, MethodRefused
from imagefactory.methods.docker import DockerMethod
from imagefactory.methods.dockerfile import parse
from imagefactory.methods.manifest import parse_manifest
from imagefactory.methods.progress import BuildahProgress

INLINE = parse_manifest({"source": {"kind": "inline"}, "dockerfile": {"inline": "FROM busybox:1\nRUN id\n"}})
METHOD = DockerMethod()


def test_the_plan_reads_bases_builds_and_writes_the_layout(tmp_path: Path) -> None:
    facts = Facts(bases=(Base("busybox:1", "host:3000/library/busybox:1"),), commit_time=7)
    steps = METHOD.plan(INLINE, tmp_path, facts)
    verbs = [step.argv[3] for step in steps]
    assert verbs == ["pull", "tag", "bud", "push"]
    bud = list(steps[2].argv)
    assert "busybox:1=container-image://host:3000/library/busybox:1" in bud
    assert bud[bud.index("--timestamp") + 1] == "7"
    assert "--pull-never" in bud
    assert steps[3].argv[-1] == "oci:/build/out/image:latest"


def test_without_a_jail_the_chroot_call_is_taken_away(tmp_path: Path) -> None:
    bud = list(METHOD.plan(INLINE, tmp_path, Facts(isolation="chroot"))[0].argv)
    assert bud[bud.index("--cap-drop") + 1] == "CAP_SYS_CHROOT"


def test_a_dockerfile_that_is_a_link_to_the_host_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "context").mkdir()
    (tmp_path / "context" / "Dockerfile").symlink_to("/etc/passwd")
    manifest = parse_manifest({"source": {"kind": "git"}})
    with pytest.raises(MethodRefused, match="leads out of the source"):
        METHOD.dockerfile_text(manifest, tmp_path)
    (tmp_path / "context" / "Dockerfile").unlink()
    (tmp_path / "context" / "real").write_text("FROM a:1\n")
    (tmp_path / "context" / "Dockerfile").symlink_to("real")
    assert [image.reference for image in METHOD.bases(manifest, tmp_path)] == ["a:1"]


def test_a_missing_dockerfile_is_a_finding_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "context").mkdir()
    found = METHOD.lint(parse_manifest({"source": {"kind": "git"}}), tmp_path, Facts())
    assert [finding.rule for finding in found] == ["dockerfile-missing"]


def test_progress_takes_only_the_next_expected_step() -> None:
    reader = BuildahProgress(parse("FROM busybox:1\nRUN echo  one \\\n  two\nUSER 1\n"))
    lines = [
        "STEP 1/3: FROM docker.io/library/busybox:1",
        "STEP 3/3: USER 1",  # printed by a build step of an earlier image: not next
        "STEP 2/3: RUN echo  one   two",
        "STEP 2/3: RUN echo  one   two",  # a second time: not next any more
        "STEP 3/3: USER 2",
        "STEP 3/3: USER 1",
    ]
    told = [reader.read(line) for line in lines]
    assert [progress.current if progress else None for progress in told] == [1, None, 2, None, None, 3]


def test_progress_of_several_stages_is_counted_over_the_needed_ones() -> None:
    reader = BuildahProgress(parse("FROM a:1 AS x\nFROM b:1 AS never\nRUN no\nFROM c:1\nCOPY --from=x /a /a\n"))
    told = [reader.read(line) for line in ("[1/3] STEP 1/1: FROM a:1 AS x", "[3/3] STEP 1/2: FROM c:1",
                                           "[3/3] STEP 2/2: COPY --from=x /a /a")]  # fmt: skip
    assert [(progress.current, progress.total) for progress in told if progress] == [(1, 3), (2, 3), (3, 3)]


def test_a_base_is_given_to_buildah_under_every_spelling_of_the_file(tmp_path: Path) -> None:
    text = 'ARG V=1\nFROM a:$V AS one\nFROM "a:${V}"\nCOPY --from=one /x /x\nCOPY --from=a:1 /y /y\n'
    manifest = parse_manifest({"source": {"kind": "inline"}, "dockerfile": {"inline": text}})
    bud = METHOD.plan(manifest, tmp_path, Facts(bases=(Base("a:1", "host:3000/library/a:1"),)))[2].argv
    given = [bud[at + 1].partition("=")[0] for at, word in enumerate(bud) if word == "--build-context"]
    assert given == ["a:1", "a:$V", '"a:${V}"']
