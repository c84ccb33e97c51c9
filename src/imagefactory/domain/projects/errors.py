"""What can be wrong about projects."""

from __future__ import annotations

from imagefactory.kernel.errors import Conflict, NotFound


class ProjectNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("project")


class CredentialNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("credential")


class UploadNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("uploaded archive")


class ProjectArchived(Conflict):
    def __init__(self, name: str) -> None:
        super().__init__(f"Project {name} is archived and builds nothing. An owner or admin can restore it.")


class StaleProject(Conflict):
    def __init__(self) -> None:
        super().__init__("Someone else changed this project meanwhile. Reload it, then make your change again.")
