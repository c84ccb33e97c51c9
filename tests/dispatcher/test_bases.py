"""Every way to name a base image in a Dockerfile reaches the copy that the factory fetched: real buildah and registry."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagefactory.adapters.logs.files import FileLogStore
from imagefactory.domain.builds.services.submit import submit_build
from imagefactory.executors.base import Executor
from imagefactory.executors.local.executor import LocalExecutor
from imagefactory.kernel import env
from tests.conftest import make_world
from tests.dispatcher.parts import BUSYBOX, ended, log_text, push_base

pytestmark = [
    pytest.mark.real,
    pytest.mark.committed,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not BUSYBOX.exists(), reason="busybox-static is not installed"),
]

WAYS = {
    "a name in an ARG": "ARG BASE={host}/library/box:1\nFROM $BASE AS one\nRUN true\nFROM one\nCOPY hello /x\n",
    "a version in an ARG, of the hub's name": "ARG V=1\nFROM docker.io/library/box:${{V}}\nCOPY hello /x\n",
    "a short name without a tag in an ARG": "ARG BASE=box\nFROM $BASE\nCOPY hello /x\n",
    "a digest in an ARG": "ARG D={digest}\nFROM library/box@$D\nCOPY hello /x\n",
    "a default inside the FROM, in quotes": 'ARG BASE\nFROM "${{BASE:-box}}"\nCOPY hello /x\n',
    "two spellings of one base": "ARG V=1\nFROM box:$V AS a\nRUN true\nFROM box:${{V}}\nCOPY --from=a /bin/sh /x\n",
    "a digest": "FROM box:1@{digest}\nCOPY hello /x\n",
    "an image to copy from": "FROM scratch\nCOPY --from=box:1 /bin/sh /x\n",
    "an image to mount": "FROM box:1\nRUN --mount=type=bind,from={host}/library/box@{digest},target=/m cp /m/bin/sh /x\n",
}


def test_a_base_is_found_however_its_name_is_written(
    registry: str, helper: LocalExecutor, hosts: Callable[[Executor], Any], store: FileLogStore, tmp_path: Path
) -> None:
    world = make_world()
    digest = push_base(tmp_path / "base")
    assert push_base(tmp_path / "same", tag="latest") == digest
    hosts(helper)
    builds = {}
    for way, text in WAYS.items():
        asked = {
            "source": {"kind": "inline", "files": {"hello": "hi"}},
            "dockerfile": {"inline": text.format(host=env.get().host, digest=digest)},
        }
        builds[way] = submit_build(world.actor("member"), world.project.id, asked).id
    failed = {}
    for way, build_id in builds.items():
        if ended(world, build_id, 180).status != "succeeded":
            failed[way] = log_text(store, world, build_id).splitlines()[-3:]
    assert failed == {}


def test_a_build_argument_decides_the_base(
    registry: str, helper: LocalExecutor, hosts: Callable[[Executor], Any], store: FileLogStore, tmp_path: Path
) -> None:
    world = make_world()
    push_base(tmp_path / "base")
    hosts(helper)
    asked = {
        "source": {"kind": "inline", "files": {"hello": "hi"}},
        "dockerfile": {"inline": "ARG V=7\nFROM docker.io/library/box:$V\nCOPY hello /x\n"},
        "build_args": {"V": "1"},
    }
    build = submit_build(world.actor("member"), world.project.id, asked)
    assert ended(world, build.id).status == "succeeded", log_text(store, world, build.id)
    wrong = submit_build(world.actor("member"), world.project.id, asked | {"build_args": {"V": "8"}})
    assert "box:8" in ended(world, wrong.id).failure["message"]
