"""The publish stage: the image is checked, searched for secrets, pushed with a grant for its one repository, recorded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imagefactory.adapters.registries.layers import find_secrets
from imagefactory.adapters.registries.layout import LayoutInvalid, read_image
from imagefactory.adapters.registries.skopeo import CopyFailed, push
from imagefactory.domain.builds.queue import Claim
from imagefactory.domain.builds.services.execution import Failure, Work
from imagefactory.domain.images.services import Published, record_image
from imagefactory.entry.dispatcher.failing import NotDispatched, StageFailed
from imagefactory.entry.dispatcher.log_writer import LogWriter
from imagefactory.entry.http.registry import issuer
from imagefactory.kernel import actor as actors
from imagefactory.kernel.env import Settings
from imagefactory.methods.manifest import Manifest

_STAGE = "publish"


def publish(
    claim: Claim, work: Work, manifest: Manifest, path: str, workspace: Path, secrets: Mapping[str, str],
    log: LogWriter, settings: Settings, commit: str,
) -> dict[str, Any]:  # fmt: skip
    """Push what the build wrote and return the image as the build's record keeps it.

    Raises StageFailed, NotDispatched when the registry is away.
    """
    layout = workspace / "out" / "image"
    try:
        image = read_image(layout)
        leaked = find_secrets(layout, image, secrets, limit=settings.build_disk_mib * 1024 * 1024)
    except LayoutInvalid as error:
        raise StageFailed(Failure("image_invalid", _STAGE, str(error))) from None
    if leaked:
        raise StageFailed(
            Failure(
                "secret_in_image",
                _STAGE,
                f"The value of {', '.join(leaked)} stands in the image, so it was not pushed. Use it through "
                "RUN --mount=type=secret and do not copy it into a layer.",
            )
        )
    reference, digest = f"{settings.host}/{path}", ""
    tls = settings.public_url.startswith("https://")
    for tag in manifest.tags:
        password = issuer().issue_grant("dispatcher", path, ["pull", "push"])
        try:
            digest = push(
                layout,
                manifest.tags[0],
                f"{reference}:{tag}",
                settings.host,
                password=password,
                tls=tls,
                seconds=900,
            )
        except CopyFailed as error:
            if error.code == "unreachable":
                raise NotDispatched(f"The registry does not answer: {error}") from None
            raise StageFailed(Failure("push_failed", _STAGE, str(error), "operator")) from None
        log.note(f"Pushed {reference}:{tag} as {digest}")
    if digest != image.digest:
        raise StageFailed(
            Failure(
                "push_failed",
                _STAGE,
                f"The registry holds {digest}, but {image.digest} was built.",
                "operator",
            )
        )
    published = Published(
        path, digest, image.media_type, image.size_bytes, [image.platform], dict(image.config.get("config") or {}),
        image.layers,
    )  # fmt: skip
    origin = {
        "kind": "build", "build_id": str(claim.build_id), "number": str(claim.number), "commit": commit,
        "attempt": str(claim.attempt),
    }  # fmt: skip
    who = actors.Actor(actors.ActorKind.SYSTEM, work.created_by_name or "dispatcher")
    record_image(
        who,
        tenant_id=claim.tenant_id,
        project_id=claim.project_id,
        published=published,
        tags=manifest.tags,
        origin=origin,
    )
    return {
        "path": path, "reference": reference, "digest": digest, "tags": list(manifest.tags),
        "size_bytes": image.size_bytes, "platforms": [image.platform],
    }  # fmt: skip
