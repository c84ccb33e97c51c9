"""Jobs, deferred by name: they leave with the transaction that causes them."""

from __future__ import annotations

from typing import Any


def defer(task: str, **arguments: Any) -> None:
    """Put a job into procrastinate's queue within the caller's transaction; arguments are JSON-ready."""
    from procrastinate.contrib.django import app

    app.configure_task(task, allow_unknown=True).defer(**arguments)
