"""Every event has its sentence, and no sentence says "nothing" where the event does say something."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

from imagefactory import domain
from imagefactory.entry.web.audit_words import SENTENCES, sentence
from imagefactory.kernel.events import Event


def _types() -> set[str]:
    for app in pkgutil.iter_modules(domain.__path__):
        name = f"imagefactory.domain.{app.name}.events"
        if importlib.util.find_spec(name):
            importlib.import_module(name)
    found, waiting = set(), [Event]
    while waiting:
        cls = waiting.pop()
        waiting += cls.__subclasses__()
        if "type" in vars(cls) and cls.__module__.startswith("imagefactory."):
            found.add(cls.type)
    return found


def test_every_event_has_a_sentence_and_every_sentence_an_event() -> None:
    assert set(SENTENCES) == _types()


@pytest.mark.parametrize("type_", SENTENCES)
def test_a_sentence_is_plain_words_even_when_nothing_is_known(type_: str) -> None:
    text = sentence(type_, {})
    assert text[0].isupper()
    assert "{" not in text


def test_a_sentence_says_what_the_event_says() -> None:
    assert sentence("member.role_set", {}, {"value": "viewer"}, {"value": "admin"}).endswith("from viewer to admin")
    assert sentence("member.role_set", {}, {"value": ""}, {"value": "admin"}).endswith("from nothing to admin")
    assert (
        sentence("audit.refused", {"reason": "No.", "count": 25}) == "Was refused: No. (25 times more within a minute)"
    )
    assert sentence("policy.rule_changed", {}) == "Policy rule changed"
    assert "{" in sentence("build.started", {"worker": "{evil}"})
