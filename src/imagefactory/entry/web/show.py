"""How a view answers: a whole page, or the one block of it that a script asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers

from imagefactory.domain.builds.live import live_position


def page(
    request: HttpRequest,
    template: str,
    context: Mapping[str, Any],
    *,
    status: int = 200,
    blocks: Mapping[str, str] | None = None,
) -> HttpResponse:
    """Render a page; with the header `X-Block` naming one of `blocks`, only that block's template.

    One template per block: the page includes the same file that the script fetches alone.
    """
    wanted = (blocks or {}).get(request.headers.get("X-Block", ""))
    response = render(request, wanted or template, dict(context), status=status)
    if blocks:
        patch_vary_headers(response, ["X-Block"])
    response["Cache-Control"] = "no-store"
    return response


def live(*topics: str) -> dict[str, str]:
    """Return the context that makes a page listen: to these topics, from now on.

    To be called before the page's rows are read, so that nothing falls between them and the stream.
    """
    return {"live_topics": ",".join(topics), "live_after": str(live_position())}
