"""How a view answers: a whole page, or the one block of it that a script asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers


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
