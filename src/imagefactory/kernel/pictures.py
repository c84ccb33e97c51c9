"""What a picture really is, told by its own bytes and never by its name: PNG, JPEG or WebP, and how large."""

from __future__ import annotations

import dataclasses
import struct

# Start-of-frame markers of JPEG (ITU-T T.81, table B.1); C4, C8 and CC among them are other things.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length


@dataclasses.dataclass(frozen=True)
class Picture:
    """`media_type` as it may be served, width and height in pixels."""

    media_type: str
    width: int
    height: int


def picture_of(data: bytes) -> Picture | None:
    """Return what these bytes are, or None when they are no PNG, JPEG or WebP that says its size."""
    try:
        return _png(data) or _jpeg(data) or _webp(data)
    except (struct.error, IndexError):
        return None


def _png(data: bytes) -> Picture | None:
    """Read the header chunk, which must come first (PNG specification, section 11.2.1)."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n") or data[12:16] != b"IHDR":
        return None
    width, height = struct.unpack(">II", data[16:24])
    return Picture("image/png", width, height)


def _jpeg(data: bytes) -> Picture | None:
    """Walk the segments to the start of the frame (ITU-T T.81, section B.2.2)."""
    if not data.startswith(b"\xff\xd8\xff"):
        return None
    at = 2
    while at < len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF or marker in _ALONE:
            at += 1 if marker == 0xFF else 2
            continue
        if marker in _FRAMES:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return Picture("image/jpeg", width, height)
        (length,) = struct.unpack(">H", data[at + 2 : at + 4])
        at += 2 + max(2, length)
    return None


def _webp(data: bytes) -> Picture | None:
    """Read the first chunk of the three kinds (RFC 9649, section 2)."""
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        return None
    kind = data[12:16]
    if kind == b"VP8X":
        width = int.from_bytes(data[24:27], "little") + 1
        height = int.from_bytes(data[27:30], "little") + 1
    elif kind == b"VP8L":
        (bits,) = struct.unpack("<I", data[21:25])
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack("<HH", data[26:30]))
    else:
        return None
    return Picture("image/webp", width, height) if len(data) >= 30 or kind == b"VP8L" else None
