"""`Idempotency-Key`: the same request sent twice does its work once and gets the same answer."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from django.core import signing
from django.db import transaction
from django.http import HttpRequest
from ninja import Status

from imagefactory.entry.api.security import actor
from imagefactory.kernel.errors import Conflict, FactoryError, InvalidRequest
from imagefactory.kernel.ids import digest
from imagefactory.kernel.replies.models import Reply

MAX_KEY = 100


def key_of(request: HttpRequest) -> str | None:
    """Return the request's idempotency key, checked.

    Raises InvalidRequest.
    """
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not 1 <= len(key) <= MAX_KEY or not key.isascii() or not key.isprintable():
        raise InvalidRequest(f"Idempotency-Key has 1 to {MAX_KEY} printable ASCII characters.")
    return key


def once(view: Callable[..., Status[Any]]) -> Callable[..., Status[Any]]:
    """Wrap a route that creates: with a key, the id of what it made is remembered with the transaction that made it."""

    @functools.wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> Status[Any]:
        key = key_of(request)
        if key is None:
            return view(request, *args, **kwargs)
        who = actor(request)
        row_key = digest(f"{who.tenant_id}\0{who.subject_id}\0{request.path}\0{key}")
        body = digest(request.body.decode("utf-8", "replace"))
        refused: FactoryError | None = None
        with transaction.atomic():
            row, made = Reply.objects.select_for_update().get_or_create(key=row_key, defaults={"request": body})
            if not made:
                if row.request != body:
                    raise Conflict("This Idempotency-Key was used for a different request. Use a new key.")
                return Status(row.status, signing.loads(row.body))
            try:
                result = view(request, *args, **kwargs)
            except FactoryError as error:
                # What was counted against the caller stays counted; services undo their own half-done work.
                refused = error
                row.delete()
            else:
                row.status, row.body = result.status_code, signing.dumps(_plain(result.value))
                row.save(update_fields=["status", "body"])
        if refused is not None:
            raise refused
        return result

    # ninja looks annotations up in the module of the function that it is given, and that is this one.
    wrapped.__signature__ = inspect.signature(view, eval_str=True)  # type: ignore[attr-defined]
    return wrapped


def _plain(value: Any) -> Any:
    import dataclasses

    import orjson

    data = dataclasses.asdict(value) if dataclasses.is_dataclass(value) and not isinstance(value, type) else value
    return orjson.loads(orjson.dumps(data))
