"""What happens to images."""

from __future__ import annotations

import dataclasses
import uuid
from typing import ClassVar

from imagefactory.kernel.events import Event


@dataclasses.dataclass(frozen=True)
class ImagePublished(Event):
    type: ClassVar[str] = "image.published"
    project_id: uuid.UUID
    repository: str
    digest: str
    tags: list[str]
    size_bytes: int
    origin: dict[str, str]


@dataclasses.dataclass(frozen=True)
class ImageRemoved(Event):
    type: ClassVar[str] = "image.removed"
    project_id: uuid.UUID
    repository: str
    digest: str
    tags: list[str]
