"""The publish stage: the image is checked, searched for secrets, pushed with a grant for its one repository, recorded."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from imagefactory.adapters.registries.layers import find_secrets
from imagefactory.adapters.registries.layout import LayoutInvalid, read_image
from imagefactory.adapters.registries.skopeo import CopyFailed, push
from imagefactory.domain.builds.queue import Claim
from imagefactory.domain.builds.services.execution import Failure, Work
from imagefactory.domain.images.services import Published, record_image
from imagefactory.entry.dispatcher.failing import StageFailed
from imagefactory.entry.dispatcher.log_writer import LogWriter
from imagefactory.entry.http.registry import issuer
from imagefactory.kernel import actor as actors
from imagefactory.kernel import pg
from imagefactory.kernel.env import Settings
from imagefactory.methods.manifest import Manifest

_STAGE = "publish"
_PUSH_SECONDS = 900
Pause = Callable[[float], None]  # waits for so many seconds


def publish(
    claim: Claim, work: Work, manifest: Manifest, path: str, workspace: Path, secrets: Mapping[str, str],
    log: LogWriter, settings: Settings, commit: str, pause: Pause,
) -> dict[str, Any]:  # fmt: skip
    """Push what the build wrote and return the image as the build's record keeps it.

    Nothing is recorded before every tag is pushed. Raises StageFailed, and what `pause` raises.
    """
    layout = workspace / "out" / "image"
    try:
        image = read_image(layout)
        leaked = find_secrets(layout, image, secrets, limit=settings.build_disk_mib * 1024 * 1024)
    except LayoutInvalid as error:
        raise StageFailed(Failure("image_invalid", _STAGE, str(error))) from None
    if leaked:
        message = (
            f"The value of {', '.join(leaked)} stands in the image, so it was not pushed. Use it through "
            "RUN --mount=type=secret and do not copy it into a layer."
        )
        raise StageFailed(Failure("secret_in_image", _STAGE, message))
    reference, digest = f"{settings.host}/{path}", ""
    for tag in manifest.tags:
        digest = _push(layout, manifest.tags[0], path, tag, log, settings, pause)
        log.note(f"Pushed {reference}:{tag} as {digest}")
    if digest != image.digest:
        message = (
            f"The registry holds {digest}, but {image.digest} was built. Rerun the build, and tell the operator if it "
            "happens again."
        )
        raise StageFailed(Failure("push_failed", _STAGE, message, "operator"))
    published = Published(
        path, digest, image.media_type, image.size_bytes, [image.platform], dict(image.config.get("config") or {}),
        image.layers,
    )  # fmt: skip
    origin = {
        "kind": "build", "build_id": str(claim.build_id), "number": str(claim.number), "commit": commit,
        "attempt": str(claim.attempt),
    }  # fmt: skip
    who = actors.Actor(actors.ActorKind.SYSTEM, work.created_by_name or "dispatcher")
    pg.outlast(record_image)(
        who, tenant_id=claim.tenant_id, project_id=claim.project_id, published=published, tags=manifest.tags,
        origin=origin,
    )  # fmt: skip
    return {
        "path": path, "reference": reference, "digest": digest, "tags": list(manifest.tags),
        "size_bytes": image.size_bytes, "platforms": [image.platform],
    }  # fmt: skip


def _push(layout: Path, built: str, path: str, tag: str, log: LogWriter, settings: Settings, pause: Pause) -> str:
    """Push one tag and return its digest; a registry that is away is tried again, rather than the whole build.

    Raises StageFailed, and what `pause` raises.
    """
    reference, tls = f"{settings.host}/{path}:{tag}", settings.public_url.startswith("https://")
    deadline = time.monotonic() + _PUSH_SECONDS
    for attempt in itertools.count(1):
        # A new grant each time: it lives for minutes only.
        password = issuer().issue_grant("dispatcher", path, ["pull", "push"])
        try:
            return push(layout, built, reference, settings.host, password=password, tls=tls, seconds=_PUSH_SECONDS)
        except CopyFailed as error:
            if error.code != "unreachable":
                raise StageFailed(Failure("push_failed", _STAGE, str(error), "operator")) from None
        # A push that was cut off for its slowness has used the time of all others.
        if attempt >= settings.push_attempts or time.monotonic() >= deadline:
            break
        seconds = min(60, 5 * attempt)
        log.note(f"The registry does not answer; it is tried again in {seconds} seconds.")
        pause(seconds)
    message = (
        f"The image was built, but the registry did not answer in {attempt} attempts, so {reference} is not "
        "there. Tell the operator, and rerun the build when the registry is back."
    )
    raise StageFailed(Failure("registry_unreachable", _STAGE, message, "operator"))
