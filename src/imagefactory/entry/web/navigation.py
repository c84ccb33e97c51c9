"""The pages of a tenant that a person may open: one table for the sidebar and for the palette."""

from __future__ import annotations

import dataclasses
from typing import Final

from django.urls import reverse

from imagefactory.domain.identity.permissions import Permission
from imagefactory.kernel.actor import Actor


@dataclasses.dataclass(frozen=True)
class Entry:
    """A page: `go` is its letter after `g`, `words` are other names that people search it by."""

    label: str
    url: str
    go: str
    words: str


# Label, address, permission that is needed somewhere in the tenant (empty: membership is enough), letter, other names.
_TENANT: Final[tuple[tuple[str, str, str, str, str], ...]] = (
    ("Builds", "tenant", Permission.BUILD_VIEW, "b", "runs jobs queue home overview"),
    ("Images", "images", Permission.ARTIFACT_VIEW, "i", "registry repositories tags artifacts"),
    ("New project", "project-new", Permission.PROJECT_CREATE, "", "create add"),
)  # fmt: skip
# What is created is asked for in the whole tenant: no project grants it.
_TENANT_WIDE: Final = {Permission.PROJECT_CREATE}


def tenant_pages(actor: Actor) -> list[Entry]:
    """Return the pages of the actor's tenant that they may open, in the order of the sidebar."""
    return [
        Entry(label, reverse(name, kwargs={"tenant": actor.tenant_slug}), go, words)
        for label, name, permission, go, words in _TENANT
        if not permission or (actor.may if permission in _TENANT_WIDE else actor.may_anywhere)(permission)
    ]
