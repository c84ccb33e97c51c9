"""The list of builds is encoded past its schema for speed: it must still be what the OpenAPI document says."""

from __future__ import annotations

from imagefactory.domain.builds.services.submit import submit_build
from imagefactory.entry.api import schemas
from tests.conftest import INLINE, World


def test_a_list_of_builds_has_exactly_the_documented_fields(world: World) -> None:
    for _ in range(2):
        submit_build(world.actor("owner"), world.project.id, INLINE)
    body = world.api("viewer")("get", "/builds?limit=1").json()
    assert set(body) == set(schemas.BuildsOut.model_fields)
    assert [set(item) for item in body["items"]] == [set(schemas.BuildOut.model_fields)]
    assert schemas.BuildsOut.model_validate(body).model_dump(mode="json") == body
