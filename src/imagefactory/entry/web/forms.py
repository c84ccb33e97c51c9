"""What a form's template is handed: what was typed, and what is wrong with it. The services do the checking."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from django.http import QueryDict

MAX_TYPED = 300_000


@dataclasses.dataclass(frozen=True)
class Form:
    """Values by field name as text, and the sentences about each."""

    values: Mapping[str, str] = dataclasses.field(default_factory=dict)
    errors: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)

    def value(self, name: str) -> str:
        return self.values.get(name, "")

    def wrong(self, name: str) -> Sequence[str]:
        return self.errors.get(name, ())

    @property
    def problems(self) -> Iterator[tuple[str, str]]:
        """All (field, sentence) pairs in order, for the summary at the top."""
        return ((name, sentence) for name, sentences in self.errors.items() for sentence in sentences)

    @property
    def status(self) -> int:
        """The HTTP status of the page that shows this form."""
        return 422 if self.errors else 200


def version_of(data: QueryDict) -> int | None:
    """Return the version that the form was made from, so that two people do not overwrite each other unseen."""
    text = data.get("version", "")
    return int(text) if text.isdecimal() and len(text) < 9 else None


def typed(data: QueryDict, *names: str) -> dict[str, str]:
    """Return what was typed into these fields, bounded, with the line ends of this system."""
    return {name: data.get(name, "")[:MAX_TYPED].replace("\r\n", "\n").replace("\0", "") for name in names}
