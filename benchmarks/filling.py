"""Many rows from one: a row that the services made is copied in SQL, so that a new column needs no change here."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

if TYPE_CHECKING:
    from django.db.models import Model


def numbered(prefix: str, number: str = "g") -> str:
    """Return SQL for an id that rises with `number`; `prefix` is eight hexadecimal digits."""
    return f"('{prefix}-0000-7000-8000-' || lpad(to_hex({number}::bigint), 12, '0'))::uuid"


def id_of(prefix: str, number: int) -> uuid.UUID:
    """Return the same id in Python."""
    return uuid.UUID(f"{prefix}-0000-7000-8000-{number:012x}")


def multiply(
    database: psycopg.Connection, model: type[Model], template: object, numbers: tuple[int, int], **columns: str
) -> None:
    """Copy the row whose key is `template` once for each number `g` of the range (first, last).

    `columns` are SQL expressions over `g` and `t` (the template) for what must differ. Commits and analyses.
    """
    # The text is this directory's own; nothing in it comes from outside.
    table, key = model._meta.db_table, model._meta.pk.column  # noqa: SLF001 - Django's public name for it
    names = [field.column for field in model._meta.concrete_fields if field.column]  # noqa: SLF001
    if unknown := set(columns) - set(names):
        raise ValueError(f"{table} has no column {', '.join(sorted(unknown))}")
    chosen = ", ".join(columns.get(name, f't."{name}"') for name in names)
    listed = ", ".join(f'"{name}"' for name in names)
    text = (
        f"insert into {table} ({listed}) select {chosen} from generate_series({numbers[0]}, {numbers[1]}) g, "  # noqa: S608
        f"(select * from {table} where {key} = %s) t"
    )
    database.execute(sql.SQL(text), [template])
    database.execute(sql.SQL(f"analyze {table}"))
