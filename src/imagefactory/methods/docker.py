"""The `docker` method: a Dockerfile and its context become one OCI image, built by buildah inside the isolation."""

from __future__ import annotations

import json
from pathlib import Path

from imagefactory.kernel.reference import ReferenceInvalid, has_transport, parse
from imagefactory.methods.base import Facts, Finding, MethodRefused, Step
from imagefactory.methods.dockerfile import Image, ParsedDockerfile
from imagefactory.methods.dockerfile import parse as parse_dockerfile
from imagefactory.methods.lint import lint_dockerfile, lint_manifest
from imagefactory.methods.manifest import MAX_DOCKERFILE_BYTES, Manifest, ManifestInvalid
from imagefactory.methods.progress import BuildahProgress

BUILD = "/build"
BUILT = "localhost/image:build"
_POLICY = {"default": [{"type": "insecureAcceptAnything"}]}  # bases were fetched and checked outside the isolation
_REGISTRIES = 'unqualified-search-registries = []\nshort-name-mode = "disabled"\n'
_FILES = {"policy.json": json.dumps(_POLICY), "registries.conf": _REGISTRIES}


class DockerMethod:
    """Builds with buildah. Bases are read from the workspace, so the build itself never talks to a registry."""

    name = "docker"

    def validate(self, manifest: Manifest) -> None:
        """Raise ManifestInvalid for what this method can not do."""
        if manifest.platform not in {None, "linux/amd64", "linux/arm64"}:
            raise ManifestInvalid.one(
                "platform", f'"{manifest.platform}" can not be built here; use linux/amd64 or linux/arm64.'
            )

    def bases(self, manifest: Manifest, workspace: Path) -> list[Image]:
        """Return the outside images, each once with its line.

        Raises MethodRefused when the Dockerfile can not be read or names a transport in place of an image.
        """
        parsed = self._parsed(manifest, workspace)
        if parsed.problems:
            first = parsed.problems[0]
            raise MethodRefused(f"{first.message} Correct the Dockerfile.", first.line)
        images = parsed.images(manifest.target)
        for image in images:
            if has_transport(image.reference):
                what = f'"{image.reference[:80]}" names a transport; name an image of a registry.'
                raise MethodRefused(f"Line {image.line}: {what}", image.line)
            try:
                parse(image.reference)
            except ReferenceInvalid as error:
                raise MethodRefused(f"Line {image.line}: {error}", image.line) from None
        return images

    def lint(self, manifest: Manifest, workspace: Path, facts: Facts) -> list[Finding]:
        """Check manifest and Dockerfile."""
        found = lint_manifest(manifest)
        try:
            text = self.dockerfile_text(manifest, workspace)
        except MethodRefused as error:
            return [*found, Finding("error", "dockerfile-missing", str(error))]
        return found + lint_dockerfile(text, manifest, facts.network)

    def prepare(self, manifest: Manifest, workspace: Path) -> None:
        """Write the inline Dockerfile and buildah's own configuration, and make the output directory."""
        for name, text in _FILES.items():
            (workspace / name).write_text(text, encoding="utf-8")
        (workspace / "out").mkdir(exist_ok=True)
        if manifest.dockerfile.inline is not None:
            (workspace / "Dockerfile").write_text(manifest.dockerfile.inline, encoding="utf-8")

    def plan(self, manifest: Manifest, workspace: Path, facts: Facts) -> list[Step]:
        """Return the steps: read each base, build, write the OCI layout `out/image`."""
        env = {"CONTAINERS_REGISTRIES_CONF": f"{BUILD}/registries.conf", **facts.env}
        buildah = ["buildah", *facts.options]
        policy = ["--signature-policy", f"{BUILD}/policy.json"]
        steps = []
        contexts: list[str] = []
        parsed = self._parsed(manifest, workspace)
        for position, base in enumerate(facts.bases):
            layout = f"{BUILD}/bases/{position}"
            local = _local_name(base.resolved)
            steps += [
                Step("build", [*buildah, "pull", "--quiet", *policy, f"oci:{layout}"], env),
                # The name that buildah gives to a layout says nothing to a reader of the log: give it the true one.
                Step("build", [*buildah, "tag", f"localhost{layout}:latest", local], env),
            ]
            # buildah 1.28 looks a FROM up by its text in the file, variables and quotes and all, and not by what they
            # come to: without every spelling it asks the store, and finds there only names that happen to end alike.
            for text in parsed.spellings(base.written):
                contexts += ["--build-context", f"{text}=container-image://{local}"]
        bud = [*buildah, "bud", *self._isolation(facts), *policy, "--pull-never", "--format", "oci"]
        bud += ["--identity-label=false", "--tag", BUILT, "--iidfile", f"{BUILD}/out/image-id", *contexts]
        bud += self._choices(manifest, facts)
        bud += ["--file", self._dockerfile_inside(manifest), _inside(manifest.context)]
        steps.append(Step("build", bud, env))
        push = [
            *buildah,
            "push",
            "--quiet",
            *policy,
            "--format",
            "oci",
            BUILT,
            f"oci:{BUILD}/out/image:{manifest.tags[0]}",
        ]
        steps.append(Step("build", push, env))
        return steps

    def progress(self, manifest: Manifest, workspace: Path) -> BuildahProgress:
        """Return a reader of buildah's output for this Dockerfile."""
        return BuildahProgress(self._parsed(manifest, workspace), manifest.target)

    def dockerfile_text(self, manifest: Manifest, workspace: Path) -> str:
        """Return the Dockerfile's text.

        Raises MethodRefused when it is missing, too large, not text, or a link that leaves the source.
        """
        if manifest.dockerfile.inline is not None:
            return manifest.dockerfile.inline
        root = (workspace / "context").resolve()
        shown = f"{manifest.context}/{manifest.dockerfile_path}".removeprefix("./")
        path = (root / manifest.context / manifest.dockerfile_path).resolve()
        # The source is a stranger's: a link to a file of this host must not be shown in messages.
        if not path.is_relative_to(root):
            raise MethodRefused(f'"{shown}" leads out of the source; make it a file inside it.')
        if not path.is_file():
            raise MethodRefused(
                f'There is no file "{shown}" in the source; set the Dockerfile\'s path, or the context directory, in the build.'
            )
        if path.stat().st_size > MAX_DOCKERFILE_BYTES:
            raise MethodRefused(f'"{shown}" is larger than {MAX_DOCKERFILE_BYTES // 1024} KiB; that is no Dockerfile.')
        try:
            return path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise MethodRefused(f'"{shown}" is not text in UTF-8; save it as UTF-8.') from None

    def _parsed(self, manifest: Manifest, workspace: Path) -> ParsedDockerfile:
        return parse_dockerfile(self.dockerfile_text(manifest, workspace), manifest.build_args)

    @staticmethod
    def _dockerfile_inside(manifest: Manifest) -> str:
        if manifest.dockerfile.inline is not None:
            return f"{BUILD}/Dockerfile"
        return f"{_inside(manifest.context)}/{manifest.dockerfile_path}"

    @staticmethod
    def _isolation(facts: Facts) -> list[str]:
        if facts.isolation == "chroot":
            # Without this the classic chroot escape works (findings: build.md, 1.3).
            return ["--isolation", "chroot", "--cap-drop", "CAP_SYS_CHROOT"]
        # "host" is the network namespace that buildah itself runs in: the jail's.
        return ["--isolation", facts.isolation, "--runtime", facts.runtime, "--network", "host"]

    @staticmethod
    def _choices(manifest: Manifest, facts: Facts) -> list[str]:
        argv: list[str] = []
        if facts.commit_time is not None:
            argv += ["--timestamp", str(facts.commit_time)]
        if manifest.platform is not None:
            argv += ["--platform", manifest.platform]
        if manifest.target is not None:
            argv += ["--target", manifest.target]
        for name in manifest.secrets:
            if name in facts.secrets:
                argv += ["--secret", f"id={name},src={BUILD}/secrets/{name}"]
        for name, value in manifest.build_args.items():
            argv += ["--build-arg", f"{name}={value}"]
        for name, value in manifest.env.items():
            argv += ["--env", f"{name}={value}"]
        for name, value in {**facts.labels, **manifest.labels}.items():
            argv += ["--label", f"{name}={value}"]
        return argv


def _inside(relative: str) -> str:
    return f"{BUILD}/context" if relative == "." else f"{BUILD}/context/{relative}"


def _local_name(resolved: str) -> str:
    """Return a name that the local store accepts: it can not tag by digest, so the digest becomes a tag."""
    reference = parse(resolved)
    if reference.digest is None:
        return str(reference)
    return str(reference.tagged(reference.digest.replace(":", "-")[:71]))
