"""Break-ins through a build: another person's rights, a closed project, a network that was taken away."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from imagefactory.domain.builds import queue
from imagefactory.domain.builds.selectors import get_build
from imagefactory.domain.builds.services import execution
from imagefactory.domain.builds.services.cancel import cancel_build
from imagefactory.domain.builds.services.submit import rerun_build, start_build, submit_build
from imagefactory.domain.projects.errors import ProjectArchived
from imagefactory.domain.projects.selectors import get_project
from imagefactory.domain.projects.services import archive_project, create_project, restore_project
from imagefactory.entry.dispatcher.effective import effective_manifest
from imagefactory.entry.dispatcher.failing import NotDispatched, StageFailed
from imagefactory.entry.dispatcher.fetching import fetch_bases
from imagefactory.kernel import env
from imagefactory.methods.dockerfile import Image
from imagefactory.methods.manifest import parse_manifest
from tests.conftest import INLINE, World


def _claimed(build_id: uuid.UUID) -> execution.Work:
    claim = queue.claim("thief")
    assert claim is not None
    assert claim.build_id == build_id
    return execution.get_work(claim)


def _cancelled(world: World) -> uuid.UUID:
    owner = world.actor("owner")
    build = submit_build(owner, world.project.id, INLINE)
    cancel_build(owner, build.id)
    return build.id


@pytest.mark.parametrize("starts", [rerun_build, start_build])
def test_a_member_who_reruns_an_owners_build_reads_no_base_with_the_owners_rights(
    world: World, tmp_path: Path, starts: object
) -> None:
    """Whoever can push to the repository decides its FROM lines, and a rerun reads them anew."""
    owner = world.actor("owner")
    hidden = create_project(owner, name="Hidden")
    base = Image(f"{env.get().host}/{world.tenant_slug}/{hidden.slug}:1", 1)
    build_id = _cancelled(world)
    starts(world.actor("member"), build_id)  # type: ignore[operator]
    with pytest.raises(StageFailed, match="may not pull it"):
        fetch_bases([base], _claimed(build_id), world.tenant_slug, tmp_path, env.get())


def test_an_owner_who_reruns_it_reads_the_base(world: World, tmp_path: Path) -> None:
    owner = world.actor("owner")
    hidden = create_project(owner, name="Hidden")
    base = Image(f"{env.get().host}/{world.tenant_slug}/{hidden.slug}:1", 1)
    build_id = _cancelled(world)
    rerun_build(owner, build_id)
    with pytest.raises(NotDispatched):  # it is allowed, and no registry runs here to ask
        fetch_bases([base], _claimed(build_id), world.tenant_slug, tmp_path, env.get())


def test_an_archived_project_runs_nothing_again(world: World) -> None:
    owner = world.actor("owner")
    ended, draft = _cancelled(world), submit_build(owner, world.project.id, INLINE, start=False).id
    archive_project(owner, world.project.id)
    for build_id in (ended, draft):
        before = get_build(owner, build_id).status
        with pytest.raises(ProjectArchived):
            start_build(owner, build_id)
        assert get_build(owner, build_id).status == before
    restore_project(owner, world.project.id)
    assert start_build(owner, ended).status == "queued"


@pytest.mark.parametrize(("now", "given"), [("none", "none"), ("registry", "registry"), ("open", "open")])
def test_a_rerun_gets_no_network_that_the_operator_took_away(
    world: World, tmp_path: Path, now: str, given: str
) -> None:
    asked = parse_manifest({**INLINE, "network": "open"})
    work = execution.Work(asked.document(), {}, {}, "", "", None, "")
    settings = env.get().model_copy(update={"build_network": now})
    project = get_project(world.actor("owner"), world.project.id)
    found, _ = effective_manifest(work, asked, project, tmp_path, settings)
    assert found.manifest.network == given
