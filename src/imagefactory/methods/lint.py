"""Checks a manifest and its Dockerfile before anything runs: what is refused, and what is advised."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from imagefactory.kernel.reference import ReferenceInvalid, has_transport
from imagefactory.kernel.reference import parse as parse_reference
from imagefactory.methods.base import Finding
from imagefactory.methods.dockerfile import SCRATCH, Instruction, ParsedDockerfile, Stage, assignments, parse
from imagefactory.methods.manifest import Manifest
from imagefactory.methods.secret_shapes import secret_shape

Network = Literal["none", "registry", "open"]

MAX_FINDINGS = 200
_URL = re.compile(r"(?:https?|ftp|git|ssh)://|git@", re.IGNORECASE)
_ARCHIVE = re.compile(r"\.(?:tar|tgz|tbz2?|txz|tar\.\w+)$")
_APT_INSTALL = re.compile(r"\bapt(?:-get)?\b[^&|;]*\binstall\b")
_PIPE_TO_SHELL = re.compile(r"\b(?:curl|wget)\b[^|;&]*\|\s*(?:sudo\s+)?(?:ba|da|z|a)?sh\b")


def lint_manifest(manifest: Manifest) -> list[Finding]:
    """Return findings about the manifest itself: credentials in places that end up in the image."""
    found = []
    for place, values in (
        ("build_args", manifest.build_args),
        ("env", manifest.env),
        ("labels", manifest.labels),
    ):
        for name, value in values.items():
            if shape := secret_shape(name if place != "labels" else "", value):
                found.append(
                    Finding(
                        "error",
                        "secret-in-argument",
                        f"{place}.{name} looks like {shape}. It would stay readable in the image's history: "
                        "store it as a secret of the project and use RUN --mount=type=secret.",
                    )
                )
    return found


def lint_dockerfile(text: str, manifest: Manifest, network: Network = "open") -> list[Finding]:
    """Return findings about a Dockerfile's text, errors first, each with its line."""
    parsed = parse(text, manifest.build_args)
    found = [Finding("error", "syntax", problem.message, problem.line) for problem in parsed.problems]
    if manifest.target and parsed.stages and parsed.stage(manifest.target) is None:
        names = ", ".join(stage.name for stage in parsed.stages if stage.name) or "none has a name"
        found.append(Finding("error", "target-unknown", f'There is no stage "{manifest.target}" (stages: {names}).'))
    for each in parsed.global_args:
        found += _arguments(each)
    needed = {stage.index for stage in parsed.needed(manifest.target)}
    for stage in parsed.stages:
        found += _from(stage, parsed)
        for each in stage.instructions:
            found += _instruction(each, stage, parsed, manifest, network)
        if stage.index in needed:
            found += _commands_given_twice(stage)
    found += _user(parsed, manifest.target)
    found.sort(key=lambda finding: (finding.level != "error", finding.line or 0))
    return found[:MAX_FINDINGS]


def _instruction(
    each: Instruction, stage: Stage, parsed: ParsedDockerfile, manifest: Manifest, network: Network
) -> Iterator[Finding]:
    if each.heredoc:
        yield Finding(
            "error",
            "heredoc",
            f"Line {each.line}: the build engine does not know here-documents (<<{each.heredoc}) yet; "
            "join the commands with && or copy a script from the source.",
            each.line,
        )
    if each.keyword in {"ARG", "ENV", "LABEL"}:
        yield from _arguments(each)
    elif each.keyword == "RUN":
        yield from _run(each, stage, parsed, manifest)
    elif each.keyword in {"COPY", "ADD"}:
        yield from _copy(each, stage, parsed, network)
    elif each.keyword == "MAINTAINER":
        yield Finding("info", "maintainer", f"Line {each.line}: MAINTAINER is old; use LABEL.", each.line)


def _arguments(each: Instruction) -> Iterator[Finding]:
    for name, value in assignments(each.text):
        if value and (shape := secret_shape(name if each.keyword != "LABEL" else "", value)):
            yield Finding(
                "error",
                "secret-in-argument",
                f"Line {each.line}: {each.keyword} {name} looks like {shape}. It would stay readable in the image: "
                "store it as a secret of the project and use RUN --mount=type=secret.",
                each.line,
            )


def _from(stage: Stage, parsed: ParsedDockerfile) -> Iterator[Finding]:
    if stage.parent is None and stage.base and stage.base != SCRATCH:
        yield from _image(stage.base, stage.start.line)
    for platform in stage.start.flag("platform"):
        if "$" in platform and "BUILDPLATFORM" not in platform and "TARGETPLATFORM" not in platform:
            yield Finding(
                "warning",
                "platform",
                f"Line {stage.start.line}: the platform depends on a variable.",
                stage.start.line,
            )


def _image(reference: str, line: int) -> Iterator[Finding]:
    if has_transport(reference):
        yield Finding(
            "error",
            "from-transport",
            f'Line {line}: "{reference[:80]}" names a transport and would read files of the build host; '
            "name an image of a registry.",
            line,
        )
        return
    try:
        parsed = parse_reference(reference)
    except ReferenceInvalid as error:
        yield Finding("error", "from-invalid", f"Line {line}: {error}", line)
        return
    if parsed.pinned:
        return
    if parsed.tag == "latest":
        yield Finding(
            "warning",
            "from-latest",
            f'Line {line}: "{reference}" means another image tomorrow; name a version.',
            line,
        )
    else:
        yield Finding(
            "info",
            "from-unpinned",
            f'Line {line}: "{reference}" can change under its tag; add @sha256:... to build the same image again.',
            line,
        )


def _source_image(source: str, each: Instruction, stage: Stage, parsed: ParsedDockerfile) -> Iterator[Finding]:
    if "$" in source:
        yield Finding(
            "error",
            "from-variable",
            f"Line {each.line}: a variable can not stand in from=; name a stage with FROM ... AS and use that name.",
            each.line,
        )
    elif source.isdecimal() and int(source) >= stage.index:
        yield Finding(
            "error",
            "from-number",
            f"Line {each.line}: there is no stage {source} before this one.",
            each.line,
        )
    elif source != SCRATCH and parsed.stage(source, before=stage.index) is None:
        yield from _image(source, each.line)


def _run(each: Instruction, stage: Stage, parsed: ParsedDockerfile, manifest: Manifest) -> Iterator[Finding]:
    for mount in each.mounts():
        yield from _mount(mount, each, manifest)
        if source := mount.get("from"):
            yield from _source_image(source, each, stage, parsed)
    if "insecure" in each.flag("security"):
        yield Finding("error", "run-insecure", f"Line {each.line}: RUN --security=insecure is not allowed.", each.line)
    if _APT_INSTALL.search(each.text):
        if "/var/lib/apt/lists" not in each.text and not each.flag("mount"):
            message = "the package lists stay in the image; end with && rm -rf /var/lib/apt/lists/*"
            yield Finding("warning", "apt-lists", f"Line {each.line}: {message}.", each.line)
        if not re.search(r"\s(?:-\w*y\w*|--yes|--assume-yes|-qq)\b", each.text):
            yield Finding(
                "warning",
                "apt-yes",
                f"Line {each.line}: apt-get install waits for an answer; add -y.",
                each.line,
            )
    if _PIPE_TO_SHELL.search(each.text):
        message = "runs a script from the network that nothing checks; download it, compare its digest, then run it"
        yield Finding("warning", "pipe-to-shell", f"Line {each.line}: {message}.", each.line)


def _mount(mount: dict[str, str], each: Instruction, manifest: Manifest) -> Iterator[Finding]:
    kind = mount.get("type", "bind")
    for key in ("id", "source", "src", "target", "dst", "destination"):
        value = mount.get(key, "")
        if ".." in value.split("/") or "$" in value:
            # CVE-2024-9675 and CVE-2024-1753: the engine follows these to the host.
            yield Finding(
                "error",
                "mount-escape",
                f'Line {each.line}: --mount {key}="{value[:80]}" may not contain ".." or variables.',
                each.line,
            )
    if kind == "secret":
        target = mount.get("target") or mount.get("dst") or mount.get("destination") or ""
        name = mount.get("id") or target.rsplit("/", 1)[-1]
        if name not in manifest.secrets:
            yield Finding(
                "error",
                "secret-unknown",
                f'Line {each.line}: the secret "{name[:64]}" is not among the secrets of this build; add it to "secrets".',
                each.line,
            )
    elif kind == "ssh":
        yield Finding(
            "error",
            "mount-ssh",
            f"Line {each.line}: --mount=type=ssh has no agent here; use a secret.",
            each.line,
        )
    elif kind not in {"bind", "cache", "tmpfs"}:
        yield Finding("error", "mount-type", f'Line {each.line}: --mount type "{kind[:40]}" is unknown.', each.line)


def _copy(each: Instruction, stage: Stage, parsed: ParsedDockerfile, network: Network) -> Iterator[Finding]:
    sources = each.flag("from")
    for source in sources:
        yield from _source_image(source, each, stage, parsed)
    words = [word.strip("\"',[]") for word in each.text.split()][:-1]
    for word in words:
        if not sources and ".." in word.split("/"):
            yield Finding(
                "error",
                "copy-outside",
                f'Line {each.line}: "{word[:80]}" lies outside the build context.',
                each.line,
            )
        if each.keyword == "ADD" and _URL.match(word):
            yield from _add_url(each, network)
    local = not any(_URL.match(word) or _ARCHIVE.search(word) for word in words)
    if each.keyword == "ADD" and local and not each.heredoc:
        yield Finding("info", "add-local", f"Line {each.line}: COPY does what this ADD does, and only that.", each.line)


def _add_url(each: Instruction, network: Network) -> Iterator[Finding]:
    if network == "open":
        message = "nothing checks what ADD downloads; use RUN with a download and a digest"
        yield Finding("warning", "add-url", f"Line {each.line}: {message}.", each.line)
    else:
        message = f'ADD can not download while the network of this build is "{network}"; put the file into the source'
        yield Finding("error", "add-url-offline", f"Line {each.line}: {message}.", each.line)


def _commands_given_twice(stage: Stage) -> Iterator[Finding]:
    for keyword in ("CMD", "ENTRYPOINT", "HEALTHCHECK"):
        lines = [each.line for each in stage.instructions if each.keyword == keyword]
        for line in lines[:-1]:
            yield Finding("warning", "given-twice", f"Line {line}: a later {keyword} takes this one's place.", line)


def _user(parsed: ParsedDockerfile, target: str | None) -> Iterator[Finding]:
    stages = parsed.needed(target)
    stage: Stage | None = stages[-1] if stages else None
    while stage is not None:
        users = [each for each in stage.instructions if each.keyword == "USER"]
        if users:
            if users[-1].text.split(":")[0] in {"root", "0"}:
                yield Finding("warning", "user-root", f"Line {users[-1].line}: the image runs as root.", users[-1].line)
            return
        stage = parsed.stages[stage.parent] if stage.parent is not None else None
    if stages:
        message = "No USER line: the image runs as root unless its base says otherwise; add USER with a number."
        yield Finding("warning", "user-missing", message, stages[-1].start.line)
