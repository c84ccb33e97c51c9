"""What a password may be, the list of breached ones, and hashes that grow with the times."""

from __future__ import annotations

import hashlib
import random
import string
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher, identify_hasher

from imagefactory.adapters.passwords.breached import is_breached
from imagefactory.domain.identity import services
from imagefactory.domain.identity.models import User
from imagefactory.domain.identity.services.checks import password_errors
from imagefactory.kernel import env
from imagefactory.kernel.actor import Actor, ActorKind
from imagefactory.kernel.text import plain_text_errors
from tests.conftest import PASSWORD, World

WHO = Actor(ActorKind.USER, "test")


def _hash(password: str) -> str:
    return hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    made = random.Random(7)
    words = ["".join(made.choices(string.printable, k=12)) for _ in range(3000)]
    path = tmp_path_factory.mktemp("breach") / "hashes.txt"
    lines = sorted(f"{_hash(w)}:{made.randrange(1, 10**6)}" for w in words)
    path.write_bytes("\r\n".join(lines).encode())
    return path, words


def test_every_password_of_the_list_is_found_and_no_other(listed: tuple[Path, list[str]]) -> None:
    path, words = listed
    assert all(is_breached(word, path) for word in words)
    assert not any(is_breached(word + "x", path) for word in words)


@pytest.mark.parametrize("content", [b"", b"\n", b"not a hash at all\n", b"0" * 100_000, b"\xff" * 5000])
def test_a_list_that_is_none_is_no_help_and_no_harm(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "odd"
    path.write_bytes(content)
    assert not is_breached("anything", path)


@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_one_line_is_a_list(tmp_path: Path, end: str) -> None:
    path = tmp_path / "one"
    path.write_text(_hash("secret") + end, newline="")
    assert is_breached("secret", path)
    assert not is_breached("secrets", path)


@pytest.mark.parametrize(
    ("password", "sentence"),
    [
        ("short", "needs at least 10 characters"),
        ("1234567890", "one of the most used ones"),
        ("adalovelace@example", "too similar to your name"),
        ("x" * 1001, "longer than 1,000 characters"),
        ("known to everybody", "known from a breach"),
    ],
)
def test_each_reason_has_its_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, password: str, sentence: str
) -> None:
    path = tmp_path / "hashes"
    path.write_text(f"{_hash('known to everybody')}:3\n")
    monkeypatch.setenv("IMAGEFACTORY_BREACHED_PASSWORDS", str(path))
    settings = env.read()
    monkeypatch.setattr(env, "get", lambda: settings)
    found = password_errors(password, User(email="adalovelace@example.com", name="Ada Lovelace"))
    assert len(found) == 1
    assert sentence in found[0]


def test_without_the_list_a_password_is_judged_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEFACTORY_BREACHED_PASSWORDS", "/no/such/file")
    settings = env.read()
    monkeypatch.setattr(env, "get", lambda: settings)
    assert password_errors(PASSWORD, User(email="a@example.com", name="Ada")) == []


def test_signing_in_makes_the_hash_anew_when_it_should_cost_more(
    world: World, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher", *settings.PASSWORD_HASHERS]
    user = User.objects.get(id=world.users["member"])
    services.verify_password(WHO, email=user.email, password=PASSWORD)
    user.refresh_from_db()
    before = user.password
    assert before.startswith("argon2$argon2id$")
    monkeypatch.setattr(Argon2PasswordHasher, "time_cost", Argon2PasswordHasher.time_cost + 1)
    services.verify_password(WHO, email=user.email, password=PASSWORD)
    user.refresh_from_db()
    assert user.password != before
    assert not identify_hasher(user.password).must_update(user.password)
    assert user.check_password(PASSWORD)


@pytest.mark.parametrize(
    "text", ["A\u202eda", "Ada\u200b", "A\x00da", "Ada\n", "\u2066Ada", "A\u0085", "\ufeffAda", "A\u2028B"]
)
def test_names_hold_nothing_that_makes_them_read_as_another(world: World, text: str) -> None:
    assert plain_text_errors(text)
    from imagefactory.kernel.errors import ValidationFailed

    with pytest.raises(ValidationFailed):
        services.update_profile(world.actor("member"), name=f"x{text}x", time_zone="UTC")
    with pytest.raises(ValidationFailed):
        services.create_tenant(world.actor("member"), name=f"x{text}x", slug="free-one")


@pytest.mark.parametrize(
    "text", ["Åsa Öberg", "محمد", "Nguyễn Thị", "李小龍", "O'Neil-Smith, Jr.", "\U0001f469\u200d\U0001f52c"]
)
def test_names_of_every_script_are_fine(text: str) -> None:
    assert plain_text_errors(text) == []
