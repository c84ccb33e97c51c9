"""Settings of e-mail: wrong ones stop the start with a sentence, and `doctor` says what is sent."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest

from imagefactory.adapters.mail.smtp import PORTS, SmtpMailer
from imagefactory.entry.jobs import mail
from imagefactory.entry.up import site as sites
from imagefactory.entry.up import through_sudo
from imagefactory.kernel import env
from tests.runtime.stand import Factory, needs_root

HOST = {"HOST": "mail.example.com"}


def settings(monkeypatch: pytest.MonkeyPatch, **values: str) -> env.Settings:
    for name, value in values.items():
        monkeypatch.setenv(f"IMAGEFACTORY_MAIL_{name}", value)
    return env.read()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"SECURITY": "ssl"}, "IMAGEFACTORY_MAIL_SECURITY"),
        ({"PORT": "0"}, "IMAGEFACTORY_MAIL_PORT"),
        ({"FROM": "Factory <a@b.c>"}, "must be one e-mail address"),
        ({"FROM": "a@b.c\nBcc: d@e.f"}, "must be one e-mail address"),
        ({"USER": "factory"}, "IMAGEFACTORY_MAIL_USER needs IMAGEFACTORY_MAIL_PASSWORD"),
        ({"PASSWORD": "one", "PASSWORD_FILE": "/two"}, "set one of them"),
        ({"USER": "factory", "PASSWORD": "x", "SECURITY": "none"}, "in the clear"),
    ],
)
def test_wrong_settings_are_told_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], sentence: str
) -> None:
    with pytest.raises(env.SettingsError) as error:
        settings(monkeypatch, **HOST, **given)
    assert sentence in str(error.value)
    assert str(error.value).endswith((".", ")"))


def test_the_mailer_is_what_the_settings_say(monkeypatch: pytest.MonkeyPatch) -> None:
    given = settings(monkeypatch, **HOST, SECURITY="tls", USER="factory", PASSWORD="not to be seen")
    monkeypatch.setattr(env, "get", lambda: given)
    made = mail.mailer()
    assert made == SmtpMailer("mail.example.com", None, "tls", "factory", "not to be seen")
    assert PORTS["tls"] == 465
    assert "not to be seen" not in repr(made) + repr(given)


def test_the_sender_is_the_public_hosts_unless_it_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEFACTORY_PUBLIC_URL", "http://factory.example.com:3000")
    assert settings(monkeypatch, **HOST).mail_sender == "imagefactory@factory.example.com"
    assert settings(monkeypatch, FROM="builds@example.com").mail_sender == "builds@example.com"


def test_the_password_does_not_go_to_the_process_of_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEFACTORY_MAIL_PASSWORD", "not to be seen")
    monkeypatch.setenv("IMAGEFACTORY_MAIL_HOST", "mail.example.com")
    kept = through_sudo._kept()
    assert "IMAGEFACTORY_MAIL_HOST=mail.example.com" in kept
    assert not any("not to be seen" in each for each in kept)


def doctor(**given: str) -> str:
    factory = Factory("", None, **given)
    said = factory("doctor")
    factory.remove()
    return " ".join((said.stdout + said.stderr).split())


def test_doctor_says_that_no_mail_is_sent_and_which_setting_sends_it() -> None:
    assert "e-mail: no mail server is configured, so no e-mail is sent" in doctor()


def test_doctor_says_where_mail_goes_and_names_a_file_that_is_not_there(tmp_path: Path) -> None:
    said = doctor(
        IMAGEFACTORY_MAIL_HOST="mail.example.com", IMAGEFACTORY_MAIL_USER="factory",
        IMAGEFACTORY_MAIL_PASSWORD_FILE=str(tmp_path / "gone"),
    )  # fmt: skip
    assert "e-mail: sent through mail.example.com (starttls) from imagefactory@" in said
    assert f"Problem: IMAGEFACTORY_MAIL_PASSWORD_FILE names {tmp_path}/gone, which is no file" in said


@needs_root
def test_as_root_a_password_file_must_be_readable_for_the_user_that_sends() -> None:
    assert sites.find_account(create=True) is not None
    place = Path(tempfile.mkdtemp(prefix="ifmail-"))
    try:
        place.chmod(0o711)
        secret = place / "password"
        secret.write_text("x")
        secret.chmod(0o600)
        given = {"IMAGEFACTORY_MAIL_HOST": "mail.example.com", "IMAGEFACTORY_MAIL_PASSWORD_FILE": str(secret)}
        assert f"The user imagefactory may not read {secret}." in doctor(**given)
        shutil.chown(secret, "imagefactory")
        assert "may not read" not in doctor(**given)
    finally:
        shutil.rmtree(place)
