"""Reads how far buildah came from its output, and is not taken in by a build step that prints lines like buildah's."""

from __future__ import annotations

import re

from imagefactory.methods.base import Progress
from imagefactory.methods.dockerfile import Instruction, ParsedDockerfile, Stage

_STEP = re.compile(r"(?:\[(?P<stage>\d{1,4})/\d{1,4}\] )?STEP (?P<index>\d{1,5})/(?P<total>\d{1,5}): (?P<text>.*)")


class BuildahProgress:
    """Accepts only the next expected step of the parsed Dockerfile.

    A `RUN echo "STEP 9/9: ..."` names a step that is not next and is ignored; one that repeats the true next step
    word for word gains nothing, for then that step counts as started a moment early and the true line counts for nothing.
    Results are never read from here: they come from the exit code and the written image.
    """

    def __init__(self, dockerfile: ParsedDockerfile, target: str | None = None) -> None:
        stages = dockerfile.needed(target)
        # One stage has no prefix; several are numbered over the whole file up to the target.
        several = bool(stages) and (stages[-1].index > 0 or len(dockerfile.stages) > 1)
        self._expected = [
            (stage.index + 1 if several else None, index, each)
            for stage in stages
            for index, each in enumerate(_steps(stage), start=1)
        ]
        self._next = 0

    def read(self, line: str) -> Progress | None:
        """Return the progress that this line states, or None."""
        if self._next >= len(self._expected):
            return None
        match = _STEP.fullmatch(line.rstrip("\r\n"))
        if match is None:
            return None
        stage, index, each = self._expected[self._next]
        told_stage = int(match["stage"]) if match["stage"] else None
        if told_stage != stage or int(match["index"]) != index or not _same(each, match["text"]):
            return None
        self._next += 1
        return Progress(self._next, len(self._expected), each.original, each.line)


def _steps(stage: Stage) -> list[Instruction]:
    return [stage.start, *stage.instructions]


def _same(each: Instruction, told: str) -> bool:
    if each.keyword == "FROM":  # buildah prints what it resolved the name to
        return told.upper().startswith("FROM ")
    return " ".join(each.original.split()).upper() == " ".join(told.split()).upper()
