"""Every mailer keeps the contract of `adapters/mail/base.py`: the fake, and SMTP as three kinds of server speak it."""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from imagefactory.adapters.mail.base import Mailer, MailRefused, MailUnavailable
from imagefactory.adapters.mail.fake import FakeMailer
from imagefactory.adapters.mail.smtp import SmtpMailer
from tests.mail_server import PASSWORD, USER, Letterbox, mail_server, make_certificate


@dataclasses.dataclass
class Stand:
    """A mailer, what arrived through it, and how to make the other side say no for good or for now."""

    mailer: Mailer
    arrived: Callable[[], list[EmailMessage]]
    refuse: Callable[[str], None]
    delay: Callable[[str], None]


def _fake() -> Stand:
    mailer = FakeMailer()

    def refuse(address: str) -> None:
        mailer.answers[address] = MailRefused("The mail server answered 550 No such user")

    def delay(address: str) -> None:
        mailer.answers[address] = MailUnavailable("The mail server answered 451 Later")

    return Stand(mailer, lambda: mailer.sent, refuse, delay)


@pytest.fixture(params=["fake", "none", "starttls", "tls"])
def stand(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stand]:
    if request.param == "fake":
        yield _fake()
        return
    certificate = make_certificate(tmp_path)
    with mail_server(request.param, certificate) as (box, port):
        user, password = ("", "") if request.param == "none" else (USER, PASSWORD)
        mailer = SmtpMailer("127.0.0.1", port, request.param, user, password, timeout=5, ca_file=certificate)

        def refuse(address: str) -> None:
            box.recipients[address] = "550 No such user"

        def delay(address: str) -> None:
            box.recipients[address] = "451 Later"

        yield Stand(mailer, lambda: box.mails, refuse, delay)


def letter(to: str = "ada@example.com", text: str = "Grüße: it failed.\n") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Image Factory <factory@example.com>"
    message["To"] = to
    message["Subject"] = "Build #7 of Größe failed"
    message["Message-ID"] = "<one@example.com>"
    message.set_content(text)
    return message


def test_a_mail_arrives_once_and_as_it_was(stand: Stand) -> None:
    stand.mailer.send(letter())
    (mail,) = stand.arrived()
    assert (mail["To"], mail["Message-ID"]) == ("ada@example.com", "<one@example.com>")
    assert mail["Subject"] == "Build #7 of Größe failed"
    assert mail.get_content().replace("\r\n", "\n") == "Grüße: it failed.\n"


def test_mails_do_not_touch_each_other(stand: Stand) -> None:
    stand.refuse("gone@example.com")
    stand.mailer.send(letter())
    with pytest.raises(MailRefused):
        stand.mailer.send(letter("gone@example.com"))
    stand.mailer.send(letter("eve@example.com"))
    assert [m["To"] for m in stand.arrived()] == ["ada@example.com", "eve@example.com"]


def test_an_address_that_the_server_will_never_take_is_refused_in_one_line(stand: Stand) -> None:
    stand.refuse("gone@example.com")
    with pytest.raises(MailRefused) as error:
        stand.mailer.send(letter("gone@example.com"))
    assert "550 No such user" in str(error.value)
    assert "\n" not in str(error.value)
    assert stand.arrived() == []


def test_a_server_that_asks_for_patience_is_unavailable(stand: Stand) -> None:
    stand.delay("grey@example.com")
    with pytest.raises(MailUnavailable, match="451 Later"):
        stand.mailer.send(letter("grey@example.com"))
    assert stand.arrived() == []


def test_a_line_with_a_dot_alone_does_not_end_the_mail(stand: Stand) -> None:
    stand.mailer.send(letter(text="before\n.\nafter\n"))
    assert stand.arrived()[0].get_content().split() == ["before", ".", "after"]


@pytest.fixture
def box() -> Iterator[tuple[Letterbox, int]]:
    with mail_server() as made:
        yield made


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("552 Too large", MailRefused),
        ("554 Spam", MailRefused),
        ("452 Full", MailUnavailable),
        ("421 Bye", MailUnavailable),
    ],
)
def test_the_answer_to_the_mail_itself_decides(box: tuple[Letterbox, int], answer: str, kind: type[Exception]) -> None:
    box[0].answer = answer
    with pytest.raises(kind, match=answer[:3]):
        SmtpMailer("127.0.0.1", box[1], "none").send(letter())


def test_a_server_that_hangs_up_after_it_took_the_mail_has_taken_it(box: tuple[Letterbox, int]) -> None:
    box[0].rude = True
    SmtpMailer("127.0.0.1", box[1], "none").send(letter())
    assert len(box[0].mails) == 1


def test_a_port_where_nobody_listens_is_unavailable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(MailUnavailable, match=r"127\.0\.0\.1 does not answer"):
            SmtpMailer("127.0.0.1", taken.getsockname()[1], "none").send(letter())


def test_a_server_that_says_nothing_is_unavailable_after_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(MailUnavailable, match="does not answer"):
        SmtpMailer("127.0.0.1", silent.getsockname()[1], "none", timeout=0.2).send(letter())


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_that_nobody_vouches_for_gets_no_password(tmp_path: Path, security: str) -> None:
    with mail_server(security, make_certificate(tmp_path)) as (box, port):
        with pytest.raises(MailUnavailable, match="certificate of the mail server"):
            SmtpMailer("127.0.0.1", port, security, USER, PASSWORD).send(letter())  # type: ignore[arg-type]
        assert (box.mails, box.sign_ins) == ([], [])


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_for_another_name_gets_no_password(tmp_path: Path, security: str) -> None:
    certificate = make_certificate(tmp_path, "other.example.com")
    with mail_server(security, certificate) as (box, port):
        mailer = SmtpMailer("127.0.0.1", port, security, USER, PASSWORD, ca_file=certificate)  # type: ignore[arg-type]
        with pytest.raises(MailUnavailable, match="certificate of the mail server"):
            mailer.send(letter())
        assert (box.mails, box.sign_ins) == ([], [])


def test_a_server_without_starttls_gets_no_mail_in_the_clear(box: tuple[Letterbox, int]) -> None:
    with pytest.raises(MailUnavailable, match="cannot do what is asked"):
        SmtpMailer("127.0.0.1", box[1], "starttls").send(letter())
    assert box[0].mails == []


def test_a_wrong_password_is_unavailable_and_not_in_the_sentence(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    with mail_server("starttls", certificate) as (box, port):
        mailer = SmtpMailer("127.0.0.1", port, "starttls", USER, "a wrong password", ca_file=certificate)
        with pytest.raises(MailUnavailable, match="does not accept the user name or password") as error:
            mailer.send(letter())
    assert "a wrong password" not in str(error.value) + repr(mailer)
    assert box.mails == []


def test_the_password_is_read_from_its_file_for_each_mail(tmp_path: Path) -> None:
    certificate, secret = make_certificate(tmp_path), tmp_path / "password"
    with mail_server("tls", certificate) as (box, port):
        mailer = SmtpMailer("127.0.0.1", port, "tls", USER, password_file=secret, ca_file=certificate)
        with pytest.raises(MailUnavailable, match="cannot be read"):
            mailer.send(letter())
        secret.write_text(f"{PASSWORD}\n")
        mailer.send(letter())
    assert box.encrypted == [True]
