"""What a change was made from: the version that a client read before, so that two do not overwrite each other unseen."""

from __future__ import annotations

from django.http import HttpRequest

from imagefactory.kernel.errors import InvalidRequest


def if_version(request: HttpRequest) -> int | None:
    """Return the version that the client's change was made from.

    Raises InvalidRequest.
    """
    given = request.headers.get("If-Match", "").strip().strip('"')
    if not given:
        return None
    if not given.isdecimal() or len(given) > 9:
        raise InvalidRequest('If-Match is the ETag of what is changed, such as "3".')
    return int(given)
