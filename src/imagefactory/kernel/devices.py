"""A browser and its system in words, from the User-Agent header: a small table of what people use, and honesty about the rest."""

from __future__ import annotations

from typing import Final

MAX_USER_AGENT = 300

# The first that fits: most browsers name those that they descend from as well.
_BROWSERS: Final = (
    ("imagefactory", "Image Factory command line"),
    ("curl/", "curl"),
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS: Final = (
    ("Windows", "Windows"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
)


def device(user_agent: str) -> str:
    """Return such words as `Firefox on Linux`; `Unknown device` for what says nothing that is known.

    The client chooses this header, so it is a help for people to recognise their own, and no proof of anything.
    """
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    return f"{browser} on {system}" if browser and system else browser or system or "Unknown device"
