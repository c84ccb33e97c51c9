"""What happened, in the past tense: the shape of every event, before it is written down."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Mapping
from typing import Any, ClassVar


@dataclasses.dataclass(frozen=True)
class Event:
    """A fact. Subclasses name their wire type; `tenant_id` says whom it concerns.

    New payload fields may be added; a changed meaning is a new `schema_version` beside the old.
    """

    type: ClassVar[str]
    schema_version: ClassVar[int] = 1

    tenant_id: uuid.UUID | None

    def payload(self) -> Mapping[str, Any]:
        """Return the event's own fields, JSON-ready."""
        fields = dataclasses.asdict(self)
        fields.pop("tenant_id")
        return {k: str(v) if isinstance(v, uuid.UUID) else v for k, v in fields.items()}
