"""Reads a Dockerfile: instructions with their lines, stages, and the outside images that a build needs.

Own parser: `docs/decisions/0005-own-dockerfile-parser.md` says why. Reference: the Dockerfile reference of Docker
(parser directives, continuation, heredocs, ARG before FROM, `COPY --from`, `RUN --mount`).
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Iterator, Mapping

MAX_LINES = 20_000
SCRATCH = "scratch"
INSTRUCTIONS = frozenset({
    "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER", "ONBUILD",
    "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
})  # fmt: skip
PLATFORM_ARGS = {
    "TARGETPLATFORM": "linux/amd64", "TARGETOS": "linux", "TARGETARCH": "amd64", "TARGETVARIANT": "",
    "BUILDPLATFORM": "linux/amd64", "BUILDOS": "linux", "BUILDARCH": "amd64", "BUILDVARIANT": "",
}  # fmt: skip

_DIRECTIVE = re.compile(r"#\s*([A-Za-z]+)\s*=\s*(\S+)\s*")
_KEYWORD = re.compile(r"\s*([A-Za-z]+)(?:\s+|$)")
_FLAG = re.compile(r"--([a-z][a-z0-9-]*)(?:=(\S*))?(?:\s+|$)")
_HEREDOC = re.compile(r"(?<!<)<<-?(?!<)\s*(['\"]?)([A-Za-z_][A-Za-z0-9_.]*)\1")
_FROM = re.compile(r"(\S+)(?:\s+[Aa][Ss]\s+(\S+))?\s*")
_STAGE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_VARIABLE = re.compile(
    r"\\(?P<escaped>.)|\$(?:(?P<plain>[A-Za-z_][A-Za-z0-9_]*)"
    r"|\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*)(?::?(?P<op>[-+])(?P<word>[^{}]*))?\})"
)


@dataclasses.dataclass(frozen=True)
class Problem:
    """Something that makes the file unreadable at a line (counted from 1); the message is a sentence."""

    line: int
    message: str


@dataclasses.dataclass(frozen=True)
class Instruction:
    """One instruction, continuation lines joined; `text` is what follows the keyword and its flags."""

    line: int
    end_line: int
    keyword: str
    flags: tuple[tuple[str, str], ...]
    text: str
    original: str
    heredoc: str = ""

    def flag(self, name: str) -> list[str]:
        """Return the values of every flag of this name, in order."""
        return [value for key, value in self.flags if key == name]

    def mounts(self) -> Iterator[dict[str, str]]:
        """Yield the options of each `--mount` of a RUN as a table; a key without value stands for itself."""
        for text in self.flag("mount"):
            yield {
                key.strip().lower(): value
                for key, _, value in (part.partition("=") for part in text.split(","))
                if key.strip()
            }


@dataclasses.dataclass(frozen=True)
class Stage:
    """One FROM and what follows it.

    `written` is the image as it stands in the file, `base` the same with its variables filled in; `parent` is set when
    it is an earlier stage.
    """

    index: int
    name: str
    written: str
    base: str
    parent: int | None
    start: Instruction
    instructions: tuple[Instruction, ...]


@dataclasses.dataclass(frozen=True)
class Image:
    """An outside image that the build needs, as written (variables filled in), and the line that first needs it."""

    reference: str
    line: int


@dataclasses.dataclass(frozen=True)
class ParsedDockerfile:
    """A Dockerfile that was read; with `problems`, what could be read of it."""

    stages: tuple[Stage, ...]
    arguments: Mapping[str, str]
    problems: tuple[Problem, ...]
    global_args: tuple[Instruction, ...] = ()

    def stage(self, name: str, before: int | None = None) -> Stage | None:
        """Return the stage with this name (letter case does not count) or number, among those before a position."""
        stages = self.stages[:before]
        found = [stage for stage in stages if stage.name and stage.name.lower() == name.lower()]
        if found:
            return found[-1]
        return stages[int(name)] if name.isascii() and name.isdigit() and int(name) < len(stages) else None

    def needed(self, target: str | None = None) -> list[Stage]:
        """Return the stages that the target (or the last stage) is made of, in order; others are never built."""
        if not self.stages:
            return []
        last = self.stage(target) if target else self.stages[-1]
        if last is None:
            return []
        wanted, todo = set[int](), [last.index]
        while todo:
            index = todo.pop()
            if index in wanted:
                continue
            wanted.add(index)
            stage = self.stages[index]
            if stage.parent is not None:
                todo.append(stage.parent)
            todo += [found.index for source, _ in _from_sources(stage) if (found := self.stage(source, before=index))]
        return [self.stages[index] for index in sorted(wanted)]

    def images(self, target: str | None = None) -> list[Image]:
        """Return the outside images that the target needs, each once, in order of appearance."""
        found: dict[str, Image] = {}
        for stage in self.needed(target):
            if stage.parent is None and stage.base and stage.base != SCRATCH:
                found.setdefault(stage.base, Image(stage.base, stage.start.line))
            for source, line in _from_sources(stage):
                if source != SCRATCH and self.stage(source, before=stage.index) is None:
                    found.setdefault(source, Image(source, line))
        return list(found.values())

    def spellings(self, reference: str) -> list[str]:
        """Return every text that stands for this outside image in the file: itself, and FROM lines with variables."""
        written = [s.written for s in self.stages if s.parent is None and s.base == reference]
        return list(dict.fromkeys([reference, *written]))


def _from_sources(stage: Stage) -> Iterator[tuple[str, int]]:
    for each in stage.instructions:
        if each.keyword in {"COPY", "ADD"}:
            yield from ((source, each.line) for source in each.flag("from") if source)
        elif each.keyword == "RUN":
            yield from ((mount["from"], each.line) for mount in each.mounts() if mount.get("from"))


def parse(text: str, build_args: Mapping[str, str] | None = None) -> ParsedDockerfile:
    """Read a Dockerfile. What is wrong is in `problems`; nothing is raised.

    `build_args` replace the defaults of `ARG` lines, as `--build-arg` does.
    """
    problems: list[Problem] = []
    lines = text.removeprefix("\ufeff").splitlines()
    if len(lines) > MAX_LINES:
        return ParsedDockerfile((), {}, (Problem(MAX_LINES, f"The Dockerfile has more than {MAX_LINES} lines."),))
    instructions = list(_instructions(lines, problems))
    reader = _Stages(dict(build_args or {}), problems)
    for each in instructions:
        reader.add(each)
    return reader.result()


class _Stages:
    """Sorts instructions into stages."""

    def __init__(self, build_args: dict[str, str], problems: list[Problem]) -> None:
        self.build_args = build_args
        self.problems = problems
        self.arguments: dict[str, str] = {**PLATFORM_ARGS}
        self.stages: list[Stage] = []
        self.global_args: list[Instruction] = []
        self.body: list[Instruction] = []

    def add(self, each: Instruction) -> None:
        if each.keyword == "FROM":
            self._close()
            self._open(each)
        elif self.stages:
            self.body.append(each)
        elif each.keyword == "ARG":
            self.global_args.append(each)
            for name, default in assignments(each.text):
                value = self.build_args.get(name, "" if default is None else expand(default, self.arguments))
                self.arguments[name] = value
        else:
            self.problems.append(
                Problem(
                    each.line,
                    f"Line {each.line}: {each.keyword} stands before the first FROM; start with FROM.",
                )
            )

    def _open(self, each: Instruction) -> None:
        match = _FROM.fullmatch(each.text)
        if match is None:
            self.problems.append(
                Problem(each.line, f'Line {each.line}: write FROM as "FROM image" or "FROM image AS name".')
            )
        written, name = (match.group(1), match.group(2) or "") if match else ("", "")
        if name and (not _STAGE_NAME.fullmatch(name) or name.isdigit()):
            self.problems.append(Problem(each.line, f'Line {each.line}: "{name[:60]}" is not a name for a stage.'))
        if name and any(stage.name.lower() == name.lower() for stage in self.stages):
            self.problems.append(Problem(each.line, f'Line {each.line}: there is already a stage named "{name[:60]}".'))
        base = expand(written, self.arguments)
        if match and not base:
            self.problems.append(
                Problem(
                    each.line,
                    f'Line {each.line}: "{written[:80]}" is empty; give its ARG a default or a build argument.',
                )
            )
        parent = next((s.index for s in reversed(self.stages) if s.name and s.name.lower() == base.lower()), None)
        self.stages.append(Stage(len(self.stages), name, written, base, parent, each, ()))

    def _close(self) -> None:
        if self.stages:
            self.stages[-1] = dataclasses.replace(self.stages[-1], instructions=tuple(self.body))
            self.body = []

    def result(self) -> ParsedDockerfile:
        self._close()
        if not self.stages and not self.problems:
            self.problems.append(Problem(1, "The Dockerfile has no FROM line; name the image to start from."))
        problems = tuple(sorted(self.problems, key=lambda problem: problem.line))
        return ParsedDockerfile(tuple(self.stages), self.arguments, problems, tuple(self.global_args))


def _escape_character(lines: list[str]) -> str:
    escape = "\\"
    for line in lines:
        match = _DIRECTIVE.fullmatch(line.strip())
        if match is None:
            break
        if match.group(1).lower() == "escape" and match.group(2) in {"\\", "`"}:
            escape = match.group(2)
    return escape


def _instructions(lines: list[str], problems: list[Problem]) -> Iterator[Instruction]:
    escape = _escape_character(lines)
    at = 0
    while at < len(lines):
        start = at
        joined, at = _logical_line(lines, at, escape)
        if not joined.strip():
            continue
        keyword_match = _KEYWORD.match(joined)
        keyword = keyword_match.group(1).upper() if keyword_match else joined.split()[0][:40]
        if keyword not in INSTRUCTIONS:
            problems.append(Problem(start + 1, _unknown(start + 1, keyword)))
            continue
        rest = joined[keyword_match.end() :] if keyword_match else ""
        flags, rest = _flags(rest)
        heredoc = ""
        if keyword in {"RUN", "COPY", "ADD"}:
            for match in _HEREDOC.finditer(rest):
                heredoc = match.group(2)
                at, closed = _skip_heredoc(lines, at, heredoc)
                if not closed:
                    problems.append(
                        Problem(start + 1, f"Line {start + 1}: the text that starts at <<{heredoc} never ends.")
                    )
        each = Instruction(start + 1, max(at, start + 1), keyword, flags, rest.strip(), joined.strip(), heredoc)
        problem = _shape_problem(each)
        if problem:
            problems.append(Problem(each.line, f"Line {each.line}: {problem}"))
        yield each


def _logical_line(lines: list[str], at: int, escape: str) -> tuple[str, int]:
    """Join a line with those it continues on; comments and empty lines in between do not end it."""
    joined: list[str] = []
    while at < len(lines):
        line = lines[at]
        at += 1
        bare = line.strip()
        if bare.startswith("#") or (joined and not bare):
            if not joined:
                return "", at
            continue
        if line.rstrip().endswith(escape):
            joined.append(line.rstrip()[:-1])
            continue
        joined.append(line)
        break
    return "".join(joined), at


def _skip_heredoc(lines: list[str], at: int, name: str) -> tuple[int, bool]:
    for position in range(at, len(lines)):
        if lines[position].strip("\t ") == name:
            return position + 1, True
    return len(lines), False


def _flags(text: str) -> tuple[tuple[tuple[str, str], ...], str]:
    flags = []
    while match := _FLAG.match(text):
        flags.append((match.group(1), match.group(2) or ""))
        text = text[match.end() :]
    return tuple(flags), text


def _unknown(line: int, keyword: str) -> str:
    near = difflib.get_close_matches(keyword.upper(), sorted(INSTRUCTIONS), n=1)
    hint = f"; did you mean {near[0]}?" if near else "."
    return f'Line {line}: "{keyword}" is not an instruction of a Dockerfile{hint}'


def _shape_problem(each: Instruction) -> str:
    """Return what is wrong with the shape of one instruction, or nothing."""
    if not each.text and not each.heredoc:
        return f"{each.keyword} needs something behind it."
    if each.keyword in {"COPY", "ADD"} and not each.heredoc and not each.text.startswith("["):
        if len(each.text.split()) < 2:
            return f"{each.keyword} needs a source and a destination."
    elif each.keyword == "ENV" and "=" not in each.text and len(each.text.split()) < 2:
        return "ENV needs a name and a value, such as ENV PORT=8080."
    elif each.keyword == "LABEL" and "=" not in each.text and len(each.text.split()) < 2:
        return "LABEL needs a name and a value, such as LABEL version=1.0."
    return ""


def expand(text: str, values: Mapping[str, str]) -> str:
    """Fill in `$NAME`, `${NAME}`, `${NAME:-default}` and `${NAME:+other}`; an unknown name is empty. Quotes go."""

    def value(match: re.Match[str]) -> str:
        if match["escaped"] is not None:
            return match["escaped"]
        found = values.get(match["plain"] or match["braced"], "")
        if match["op"] == "-":
            return found or match["word"]
        if match["op"] == "+":
            return match["word"] if found else ""
        return found

    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        if text[0] == "'":
            return text[1:-1]
        text = text[1:-1]
    return _VARIABLE.sub(value, text)


_ASSIGNMENT = re.compile(r"""([A-Za-z_][A-Za-z0-9_.-]*)(?:=((?:"(?:\\.|[^"\\])*"|'[^']*'|\\.|[^\s"'\\])*))?(?:\s+|$)""")


def assignments(text: str) -> Iterator[tuple[str, str | None]]:
    """Yield the names and values (quotes kept; None: no value) of an ARG, ENV or LABEL line; ENV's old form too."""
    at = 0
    first = True
    while at < len(text):
        match = _ASSIGNMENT.match(text, at)
        if match is None:
            return
        if first and match.group(2) is None and text[match.end() :].strip():
            yield match.group(1), text[match.end() :].strip()  # ENV name value with spaces
            return
        yield match.group(1), match.group(2)
        at, first = match.end(), False
