"""Look for secret values in every layer and in the configuration of an image, before it is pushed anywhere."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from imagefactory.adapters.registries.layout import Image, chunks_of_layer


def _spellings(value: str) -> set[bytes]:
    """Return the value as it may stand in a file: raw, url-quoted, within JSON, base64 at each alignment."""
    raw = value.encode()
    found = {raw, quote(value, safe="").encode()}
    found |= {json.dumps(value, ensure_ascii=narrow)[1:-1].encode() for narrow in (True, False)}
    for shift in range(3):
        text = base64.b64encode(b"\0" * shift + raw)
        # The first and last characters also depend on the neighbours; what is in between does not.
        inner = text[(0, 2, 3)[shift] : len(raw + b"\0" * shift) * 8 // 6]
        if len(inner) >= 8:
            found.add(inner)
    return {f for f in found if len(f) >= 4}


def find_secrets(layout: Path, image: Image, secrets: Mapping[str, str], *, limit: int) -> list[str]:
    """Return the names of those secrets whose value stands anywhere in the image; memory stays bounded.

    `limit` is the most bytes that a layer may unpack to. Raises LayoutInvalid.
    """
    wanted = {name: _spellings(value) for name, value in secrets.items()}
    longest = max((len(s) for spellings in wanted.values() for s in spellings), default=0)
    if not longest:
        return []
    found = {n for n, spellings in wanted.items() if any(s in json.dumps(image.config).encode() for s in spellings)}
    for layer in image.layers:
        tail = b""
        for piece in chunks_of_layer(layout, layer, limit):
            window = tail + piece
            found |= {n for n, spellings in wanted.items() if n not in found and any(s in window for s in spellings)}
            tail = window[-(longest - 1) :] if longest > 1 else b""
    return sorted(found)
