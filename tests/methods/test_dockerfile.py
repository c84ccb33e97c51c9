"""The Dockerfile parser, on the parts of the language that decide what is fetched and what is refused."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from imagefactory.methods.dockerfile import parse

MANY = """# escape=`
ARG VERSION=12
ARG EMPTY
FROM debian:${VERSION} AS build
RUN echo one `
  # a comment inside
  && echo two
COPY --from=busybox:1 /bin/sh /sh
RUN --mount=type=bind,from=alpine:3,target=/a ls
FROM scratch AS unused
COPY --from=never:1 / /
FROM Build
COPY --from=0 /sh /sh
"""


def images(text: str, target: str | None = None, **arguments: str) -> list[str]:
    return [image.reference for image in parse(text, arguments).images(target)]


def test_outside_images_are_those_of_needed_stages_only() -> None:
    assert images(MANY) == ["debian:12", "busybox:1", "alpine:3"]
    assert images(MANY, target="unused") == ["never:1"]


def test_a_build_argument_replaces_the_default() -> None:
    assert images(MANY, VERSION="11")[0] == "debian:11"
    assert images("ARG A\nFROM ${A:-debian:12}\n") == ["debian:12"]
    assert images("ARG A=x\nFROM ${A:+busybox}\n") == ["busybox"]


def test_lines_are_counted_over_continuations_and_comments() -> None:
    stage = parse(MANY).stages[0]
    assert [(each.keyword, each.line) for each in stage.instructions] == [("RUN", 5), ("COPY", 8), ("RUN", 9)]
    assert stage.instructions[0].text.split() == ["echo", "one", "&&", "echo", "two"]


def test_a_here_document_does_not_hide_or_fake_instructions() -> None:
    parsed = parse("FROM a\nRUN <<EOF\nFROM evil\nEOF\nUSER 1\n")
    assert [image.reference for image in parsed.images()] == ["a"]
    assert [each.keyword for each in parsed.stages[0].instructions] == ["RUN", "USER"]
    assert parsed.stages[0].instructions[0].heredoc == "EOF"


def test_mistakes_are_told_with_their_line() -> None:
    assert parse("RUN x\nFROM a\n").problems[0].line == 1
    problem = parse("FROM a\n\nCOPPY a b\n").problems[0]
    assert (problem.line, "did you mean COPY" in problem.message) == (3, True)
    assert parse("# nothing\n").problems[0].message.startswith("The Dockerfile has no FROM")
    assert parse("FROM a b c\n").problems
    assert parse("FROM a AS x\nFROM b AS X\n").problems
    assert not parse("FROM a AS x\nFROM b AS y\n").problems


@given(st.text(max_size=400))
def test_no_text_makes_it_raise(text: str) -> None:
    parsed = parse(text)
    parsed.images()
    assert parsed.stages or parsed.problems
