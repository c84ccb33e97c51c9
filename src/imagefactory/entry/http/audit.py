"""An export of the audit trail as an answer, for the API and the pages alike."""

from __future__ import annotations

from collections.abc import Iterator

from django.http import StreamingHttpResponse


def export_answer(rows: int, pieces: Iterator[bytes], media_type: str, filename: str) -> StreamingHttpResponse:
    """Return the stream as a file to keep; how many rows it has is said before the first."""
    answer = StreamingHttpResponse(pieces, content_type=media_type)
    answer["Content-Disposition"] = f'attachment; filename="{filename}"'
    answer["X-Total-Count"] = str(rows)
    answer["X-Accel-Buffering"] = "no"
    return answer
