"""Images: what is in the registry and how to pull it."""

from __future__ import annotations

import dataclasses
from typing import Any

from django.http import HttpRequest
from ninja import Router

from imagefactory.domain.images import selectors
from imagefactory.domain.projects.selectors import get_project
from imagefactory.entry.api import schemas as s
from imagefactory.entry.api.security import actor, needs

router = Router(tags=["images"])


@router.get("", response=s.ImagesOut, openapi_extra=needs("artifact:view"))
def list_images(
    request: HttpRequest, project: s.Text = "", search: s.Text = "", cursor: s.Text = "", limit: int = 50
) -> Any:
    """Return images, last pushed first."""
    a = actor(request)
    project_id = get_project(a, project).id if project else None
    items, after = selectors.list_images(
        a, project_id=project_id, search=search, after=cursor, limit=max(1, min(limit, 200))
    )
    return {"items": items, "next_cursor": after}


@router.get("/{path:name}", response=s.ImageDetailOut, openapi_extra=needs("artifact:view"))
def get_image(request: HttpRequest, name: str) -> Any:
    """Return an image by its name (`<project>` or `<project>/<name>`) with its newest versions."""
    a = actor(request)
    image = selectors.get_image(a, name)
    return dataclasses.asdict(image) | {"versions": selectors.list_versions(a, image)}
