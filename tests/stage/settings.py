"""The factory's settings, and the stage's pages beside its own."""

from __future__ import annotations

from pathlib import Path

from imagefactory.settings.django import *  # noqa: F403
from imagefactory.settings.django import TEMPLATES

ROOT_URLCONF = "tests.stage.urls"
TEMPLATES[0]["DIRS"] = [*TEMPLATES[0]["DIRS"], Path(__file__).parent / "templates"]  # type: ignore[misc]
