"""Break-ins through the settings of sign-in: a role line that names another team's project."""

from __future__ import annotations

import uuid

import pytest

from imagefactory.domain.projects.models import Project
from imagefactory.entry.http.role_lines import parse
from imagefactory.kernel.errors import ValidationFailed
from tests.conftest import World, make_world


@pytest.mark.parametrize("by", ["slug", "id"])
def test_a_role_line_finds_the_teams_own_project_and_no_other(world: World, by: str) -> None:
    """Asked as the tables' owner, whom the second wall does not bind: the first must do by itself."""
    theirs = make_world().project
    Project.objects.filter(id=theirs.id).update(slug="only-theirs")
    owner = world.actor("owner")
    named = {"slug": "only-theirs", "id": str(theirs.id)}[by]
    with pytest.raises(ValidationFailed) as never:
        parse(owner, world.tenant_id, f"dev = member {'never-was1' if by == 'slug' else uuid.uuid4()}")
    with pytest.raises(ValidationFailed) as refused:
        parse(owner, world.tenant_id, f"dev = member {named}")
    assert "There is no project" in str(refused.value.fields)
    assert "There is no project" in str(never.value.fields)
    mine = {"slug": world.project.slug, "id": str(world.project.id)}[by]
    assert [row.project_id for row in parse(owner, world.tenant_id, f"dev = member {mine}")] == [world.project.id]
