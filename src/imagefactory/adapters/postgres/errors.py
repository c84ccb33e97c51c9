"""What can be wrong with the embedded database, told as sentences."""

from __future__ import annotations


class PostgresError(Exception):
    """The embedded database cannot be made, started or stopped; the text says what to do."""
