"""What can be wrong about images."""

from __future__ import annotations

from imagefactory.kernel.errors import NotFound


class ImageNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("image")
