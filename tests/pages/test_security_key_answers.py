"""Answers of security keys that are none: whatever comes, one sentence and nobody in."""

from __future__ import annotations

import base64
import json
import random
from typing import Any

import pytest
from django.test import Client

from imagefactory.domain.identity.models import AuthSession
from imagefactory.kernel import env
from tests.conftest import World
from tests.pages.test_sign_in import post, sign_in


@pytest.fixture(autouse=True)
def https(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEFACTORY_PUBLIC_URL", "http://localhost:3000")
    settings = env.read()
    monkeypatch.setattr(env, "get", lambda: settings)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _answers(world: World) -> list[str]:
    made = random.Random(11)
    user = _text(world.users["member"].hex.encode())
    parts = {"clientDataJSON": _text(b"{}"), "authenticatorData": _text(b"\0" * 37), "signature": _text(b"x"),
             "attestationObject": _text(b"\xa0"), "userHandle": user}  # fmt: skip
    whole: dict[str, Any] = {
        "id": "AAAA",
        "rawId": "AAAA",
        "type": "public-key",
        "response": parts,
        "clientExtensionResults": {},
    }
    client = {"type": "webauthn.get", "challenge": "AAAA", "origin": "http://localhost:3000"}
    found: list[Any] = [
        None,
        7,
        "x",
        [],
        {},
        {"response": None},
        {"response": []},
        {"response": {"userHandle": 7}},
        whole,
    ]
    odd: list[Any] = ["", "!", 7, None, [], {"a": 1}]
    found += [whole | {"id": v, "rawId": v} for v in odd[:4]]
    found += [whole | {"response": parts | {name: v}} for name in parts for v in odd]
    found += [
        whole | {"response": parts | {"clientDataJSON": _text(json.dumps(client | {"challenge": c}).encode())}}
        for c in ("AAAA", "", 7, None)
    ]
    for _ in range(40):
        name = made.choice(list(parts))
        found.append(whole | {"response": parts | {name: _text(made.randbytes(made.randrange(1, 200)))}})
    return ["", "{", "\0", "[" * 5000, "9" * 30_000, "x" * 50_000, *(json.dumps(f) for f in found)]


def test_no_answer_that_is_none_signs_in(world: World) -> None:
    browser = Client()
    assert browser.get("/login/passkey").status_code == 200
    for answer in _answers(world)[:58]:  # one place may try 60 times in 15 minutes
        refused = post(browser, "/login/passkey", credential=answer)
        assert refused.status_code == 422, (answer[:200], refused.status_code)
    assert not AuthSession.objects.filter(kind="browser").exists()


def test_no_answer_that_is_none_is_registered(world: World) -> None:
    browser = Client()
    sign_in(browser, world)
    for answer in _answers(world):
        refused = post(browser, "/me/security/key", name="blue key", credential=answer)
        assert refused.status_code == 422, (answer[:200], refused.status_code)
        assert b"does not fit this page" in refused.content


def test_tries_with_keys_are_bounded(world: World) -> None:
    browser = Client()
    for _ in range(60):
        post(browser, "/login/passkey", credential="{}")
    assert post(browser, "/login/passkey", credential="{}").status_code == 429


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://factory.example.com", "only to https sites"),
        ("http://192.0.2.7:3000", "reached by a number"),
        ("http://127.0.0.1:3000", "reached by a number"),
        ("http://localhost:3000", ""),
    ],
)
def test_a_page_says_why_keys_cannot_work_here(
    world: World, monkeypatch: pytest.MonkeyPatch, url: str, sentence: str
) -> None:
    monkeypatch.setenv("IMAGEFACTORY_PUBLIC_URL", url)
    settings = env.read()
    monkeypatch.setattr(env, "get", lambda: settings)
    browser = Client()
    sign_in(browser, world)
    page = browser.get("/me/security").content.decode()
    assert sentence in page
    assert ("Add a security key" in page) == (sentence == "")
