"""What someone takes away from the set-up of a second factor: a picture to scan, and a file of recovery codes."""

from __future__ import annotations

from io import BytesIO
from urllib.parse import quote

import qrcode
from django.utils.safestring import SafeString, mark_safe
from qrcode.image.svg import SvgPathImage

from imagefactory.kernel import env


def svg(text: str) -> SafeString:
    """Return a QR code as an inline SVG: our own picture, so that no address with the secret in it is ever asked for."""
    image = qrcode.make(text, image_factory=SvgPathImage, border=2)
    out = BytesIO()
    image.save(out)
    drawing = out.getvalue().decode()
    # Only the drawing: made of numbers by the library, nothing of `text` stands in it as letters.
    start = drawing.index("<svg")
    return mark_safe(drawing[start:].replace("<svg", '<svg role="img" aria-label="QR code of the key below"', 1))  # noqa: S308


def text_file(codes: list[str]) -> str:
    """Return the recovery codes as a `data:` address to download: the file is in the page, and nowhere else."""
    lines = [f"Recovery codes for {env.get().public_url}", "Each works once.", "", *codes, ""]
    return "data:text/plain;charset=utf-8," + quote("\n".join(lines))
