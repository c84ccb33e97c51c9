"""What keeps the factory from starting or stopping, told as sentences."""

from __future__ import annotations


class StartError(Exception):
    """The factory cannot start or stop; the text says what is wrong and what to do."""
