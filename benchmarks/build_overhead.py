"""What the factory adds to one real buildah build: same commands, same files, a fresh store each time, in turns.

Twice: only the executor (directory with its limit, helper, jail, log), and the whole path from submission to a
succeeded build with its image in the registry, beside `buildah bud` and `buildah push` to the same registry.
"""

from __future__ import annotations

import dataclasses
import io
import shutil
import statistics
import subprocess
import tarfile
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from benchmarks import places
from benchmarks.figures import Figure, Options

REACH_MS, REACH_SHARE = 300, 0.05
BUSYBOX = Path("/bin/busybox")
_WORK = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; dd if=/dev/zero bs=1M count=16 2>/dev/null | sha256sum"
TINY = "FROM scratch\nCOPY hello /hello\n"
STEPS = 'FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "--install", "-s", "/bin"]\n' + "".join(
    f'RUN ["/bin/busybox", "sh", "-c", "{_WORK}; seq 1 400; echo {n} > /step-{n}"]\n' for n in range(5)
)  # fmt: skip


@dataclasses.dataclass
class Kind:
    """A build to measure with: its context, and how plain buildah must isolate its steps here."""

    name: str
    dockerfile: str
    context: Path
    isolation: tuple[str, ...]


def _plain(kind: Kind, place: Path, target: str) -> float:
    """Run buildah as anybody would; returns milliseconds until the image is at `target`."""
    work = Path(tempfile.mkdtemp(prefix="plain-", dir=place))
    policy = work / "policy.json"
    policy.write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    (work / "Dockerfile").write_text(kind.dockerfile)
    base = ["buildah", "--root", str(work / "r"), "--runroot", str(work / "rr"), "--storage-driver", "overlay"]
    signed = ["--signature-policy", str(policy)]
    bud = [*base, "bud", *kind.isolation, *signed, "--format", "oci", "--tag", "localhost/x", "--file"]
    bud += [str(work / "Dockerfile"), str(kind.context)]
    push = [*base, "push", "--quiet", *signed, "--tls-verify=false", "--format", "oci", "localhost/x"]
    began = time.perf_counter()
    for argv in (bud, [*push, target or f"oci:{work}/image:latest"]):
        ran = subprocess.run(argv, capture_output=True, text=True, check=False)
        if ran.returncode:
            raise RuntimeError(f"{' '.join(argv)}\n{ran.stdout[-1000:]}{ran.stderr[-1000:]}")
    spent = (time.perf_counter() - began) * 1000
    subprocess.run(["umount", "--lazy", str(work / "r" / "overlay")], capture_output=True, check=False)
    shutil.rmtree(work)
    return spent


def _isolation(context: Path, place: Path) -> tuple[str, ...]:
    """Return what plain buildah can use here: crun as in the jail, else chroot, which costs less for each step."""
    crun = ("--isolation", "oci", "--runtime", "crun", "--network", "host")
    try:
        _plain(Kind("", STEPS, context, crun), place, "")
    except RuntimeError:
        return ("--isolation", "chroot")
    return crun


class Executors:
    """The factory's own way, without the dispatcher: what `entry/dispatcher/attempt.py` does in its build stage."""

    def __init__(self, sock: Path, data: Path) -> None:
        from imagefactory.adapters.logs.files import FileLogStore
        from imagefactory.adapters.logs.notify import LogNotifier
        from imagefactory.executors.local.executor import LocalExecutor
        from imagefactory.kernel import pg

        self.executor, self.store = LocalExecutor(sock), FileLogStore(data / "bench-logs")
        self.notifier = LogNotifier(pg.conninfo())
        self.parts: dict[str, list[float]] = {}

    def _note(self, name: str, began: float) -> float:
        now = time.perf_counter()
        self.parts.setdefault(name, []).append((now - began) * 1000)
        return now

    def build(self, kind: Kind, isolation: Literal["rootless", "chroot"] = "rootless") -> float:
        """Return milliseconds until the image's layout is there and the helper has said so.

        `rootless` is what the factory does: crun starts each step. `chroot` is there to compare like with like.
        """
        from imagefactory.adapters.logs.masking import Masker
        from imagefactory.entry.dispatcher.log_writer import LogWriter
        from imagefactory.executors.base import Command, End, Exited, Finished, Limits, Output, Plan, Started
        from imagefactory.methods.base import Facts
        from imagefactory.methods.docker import DockerMethod
        from imagefactory.methods.manifest import parse_manifest

        name, method = str(uuid.uuid4()), DockerMethod()
        manifest = parse_manifest({"source": {"kind": "inline"}, "dockerfile": {"inline": kind.dockerfile}})
        began = at = time.perf_counter()
        workspace = self.executor.workspace(name, 512)
        at = self._note("directory", at)
        shutil.copytree(kind.context, workspace / "context")
        method.prepare(manifest, workspace)
        steps = method.plan(manifest, workspace, Facts(network="none", isolation=isolation))
        commands = [Command(s.stage, s.argv, s.env, s.cwd) for s in steps]
        at = time.perf_counter()
        run = self.executor.start(Plan(name, workspace, commands, Limits(2.0, 1024, 512, 500, 300), "none"))
        writer, last = LogWriter(self.store, self.notifier, name, Masker(())), None
        for event in run.events():
            match event:
                case Output(stream=stream, data=data):
                    writer.feed(stream, data)
                case Started(index=index):
                    at = self._note("to first process" if index == 0 else "between processes", at)
                case Exited(index=index):
                    at = self._note(f"process {index + 1}", at)
                case Finished():
                    last = event
                case _:
                    pass
        self._note("end", at)
        spent = (time.perf_counter() - began) * 1000
        writer.finish()
        assert last == Finished(End.SUCCEEDED), last
        assert (workspace / "out/image/index.json").exists()
        at = time.perf_counter()
        self.executor.cleanup(name)
        self._note("clean-up, not counted", at)
        return spent

    def said(self) -> str:
        """Return the medians of the parts, and start anew."""
        text = ", ".join(f"{name} {statistics.median(values):.0f}" for name, values in self.parts.items())
        self.parts.clear()
        return text


class Whole:
    """The whole path: submit, dispatcher, registry."""

    def __init__(self, owner: places.Team) -> None:
        self.owner = owner
        self.stages: dict[str, list[float]] = {}

    def manifest(self, kind: Kind) -> dict[str, Any]:
        """Return the build, its source uploaded as an archive."""
        from imagefactory.domain.projects.services import upload_archive

        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as tar:
            for path in kind.context.iterdir():
                tar.add(path, path.name)
        packed.seek(0)
        upload = upload_archive(self.owner.actor(), self.owner.project_id, filename="source.tar.gz", content=packed)
        source = {"kind": "archive", "blob": upload.digest, "filename": upload.filename}
        return {"source": source, "dockerfile": {"inline": kind.dockerfile}}

    def build(self, manifest: dict[str, Any]) -> float:
        """Return milliseconds from the submission to the moment that the build's record calls its end."""
        from imagefactory.domain.builds.models import Build, Stage
        from imagefactory.domain.builds.services.submit import submit_build
        from imagefactory.kernel.clock import now

        began = now()
        build_id = submit_build(self.owner.actor(), self.owner.project_id, manifest).id
        ended = {"succeeded", "failed", "cancelled"}
        places.until(Build.objects.filter(id=build_id, status__in=ended).exists, "a build", every=0.05)
        build = Build.objects.get(id=build_id)
        assert build.status == "succeeded", build.failure
        assert build.finished_at is not None
        for stage in Stage.objects.filter(execution__build_id=build_id):
            assert stage.finished_at is not None
            assert stage.started_at is not None
            spent = (stage.finished_at - stage.started_at).total_seconds() * 1000
            self.stages.setdefault(stage.name, []).append(spent)
        return (build.finished_at - began).total_seconds() * 1000

    def said(self) -> str:
        """Return the medians of the stages, and start anew."""
        text = ", ".join(f"{name} {statistics.median(values):.0f}" for name, values in self.stages.items())
        self.stages.clear()
        return text


def _compared(what: str, ours: list[float], plain: list[float], peer: str, parts: str) -> Iterator[Figure]:
    ms, base = statistics.median(ours), statistics.median(plain)
    yield Figure(what, ms, "ms", peer=base, peer_name=peer, note=parts)
    reach = max(REACH_MS, REACH_SHARE * base)
    yield Figure(f"{what}: what we add", ms - base, "ms", reach, note=f"{(ms - base) / base:.0%} of the peer")


def _contexts(data: Path) -> list[Kind]:
    found, none = list[Kind](), list[Path]()
    for name, dockerfile, files in (("tiny scratch build", TINY, none), ("build with 6 RUN steps", STEPS, [BUSYBOX])):
        context = data / f"context-{len(found)}"
        context.mkdir()
        (context / "hello").write_text("hi\n")
        for path in files:
            shutil.copy2(path, context / path.name)
        found.append(Kind(name, dockerfile, context, ()))
    isolation = _isolation(found[1].context, data)
    return [dataclasses.replace(kind, isolation=isolation) for kind in found]


def _executor_alone(executors: Executors, kind: Kind, data: Path, rounds: int, peer: str) -> Iterator[Figure]:
    """In turns: as shipped, plain, and, where plain buildah needs chroot here, also with chroot in the jail."""
    shipped, plain, alike = list[float](), list[float](), list[float]()
    chroot = "chroot" in kind.isolation and "RUN" in kind.dockerfile
    executors.build(kind)
    executors.parts.clear()
    for _ in range(rounds):
        shipped.append(executors.build(kind))
        kept, executors.parts = executors.parts, {}
        plain.append(_plain(kind, data, ""))
        if chroot:
            alike.append(executors.build(kind, "chroot"))
        executors.parts = kept
    yield from _compared(f"{kind.name}, helper + jail + log", shipped, plain, peer, executors.said())
    if alike:
        yield from _compared(f"{kind.name}, the same with chroot in the jail too", alike, plain, peer, "like with like")


def measure(options: Options) -> Iterator[Figure]:
    """Yield the figures."""
    places.need_root()
    if not BUSYBOX.exists():
        raise places.NotHere(f"{BUSYBOX} is missing: apt-get install busybox-static")
    rounds = 3 if options.quick else 9
    with places.ground() as place, places.helper(place) as sock, places.registry(place):
        kinds, executors, owner = _contexts(place.data), Executors(sock, place.data), places.team("bench")
        peer = f"buildah, {kinds[0].isolation[1] if kinds[0].isolation[1] == 'chroot' else 'crun'}"
        for kind in kinds:
            yield from _executor_alone(executors, kind, place.data, rounds, peer)
        with places.dispatcher(place, "local"):
            whole = Whole(owner)
            for kind in kinds:
                manifest, ours, plain = whole.manifest(kind), [], []
                whole.build(manifest)
                whole.stages.clear()
                for n in range(rounds):
                    ours.append(whole.build(manifest))
                    plain.append(_plain(kind, place.data, f"docker://127.0.0.1:{place.port}/plain/x:{n}"))
                yield from _compared(f"{kind.name}, submit to pushed image", ours, plain, f"{peer}, push", whole.said())
        executors.notifier.close()
