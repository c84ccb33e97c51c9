"""Sign in, sign out, who am I."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from imagefactory.entry.cli import credentials
from imagefactory.entry.cli.client import REFUSED, USAGE, ApiFailure, Client, connect, told
from imagefactory.entry.cli.tables import say, show_fields, show_json

app = typer.Typer(no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print what the API answers.")]
_A_DAY_FAR_AWAY = 4_102_444_800.0  # 2100-01-01: an API key's end is the API's business, not the session file's


def read_secret(what: str) -> str:
    """Return a secret from standard input: typed without echo, or piped without its last newline.

    Raises ApiFailure when there is none.
    """
    if sys.stdin.isatty():
        text = str(typer.prompt(what, hide_input=True, err=True))
    else:
        text = sys.stdin.read(1_048_576).removesuffix("\n").removesuffix("\r")
    if not text:
        raise ApiFailure(f"{what} was expected on standard input, and nothing came.", USAGE)
    return text


def _tokens(client: Client, email: str, password: str, code: str) -> Any:
    """Return the tokens of a sign-in, with the second factor where the account has one."""
    try:
        return client.post("/auth/login", {"email": email, "password": password})
    except ApiFailure as failure:
        if not failure.challenge:
            raise
        challenge = failure.challenge
    if not code and not sys.stdin.isatty():
        raise ApiFailure("This account has a second factor. Give its code with --code, or use an API key.", REFUSED)
    code = code or str(typer.prompt("Code of your authenticator app, or a recovery code", err=True))
    return client.post("/auth/login/verify", {"challenge": challenge, "code": code})


@app.command()
@told
def login(
    *,
    url: Annotated[str, typer.Option(help="Address of the factory; else IMAGEFACTORY_URL, or the last one.")] = "",
    email: Annotated[str, typer.Option(help="E-mail address; asked for when left out.")] = "",
    tenant: Annotated[str, typer.Option(help="Tenant to work in, where you belong to several.")] = "",
    token_stdin: Annotated[
        bool, typer.Option("--token-stdin", help="Read an API key from standard input instead of a password.")
    ] = False,
    code: Annotated[
        str, typer.Option(help="Code of your authenticator app or a recovery code; asked for when it is needed.")
    ] = "",
) -> None:
    """Sign in and stay signed in. Passwords and keys are never arguments."""
    place = credentials.check_url(url) if url else credentials.choose()[0]
    if token_stdin:
        session = credentials.Session(place, read_secret("An API key").strip(), _A_DAY_FAR_AWAY, "", tenant)
    else:
        email = email or str(typer.prompt("E-mail", err=True))
        password = read_secret("Password")
        tokens = _tokens(Client(place), email, password, code)
        session = credentials.Session.from_tokens(place, tokens, tenant=tenant)
    me = Client(place, session).get("/auth/me")
    with credentials.locked():
        credentials.save(session)
    where = f" in tenant {me['tenant']}" if me["tenant"] else ""
    say(f"Signed in at {place} as {me['email']}{where}.")
    if not me["tenant"] and me["tenants"]:
        say(f"Choose a tenant with --tenant: {', '.join(t['slug'] for t in me['tenants'])}.")


@app.command()
@told
def logout() -> None:
    """Sign out: the stored tokens stop working and are removed."""
    session = credentials.load()
    if session is None:
        say("Nobody was signed in.")
        return
    try:
        # A key is not a session: it stays valid until it is revoked.
        if session.refresh_token:
            Client(session.url, session).post("/auth/logout")
    except ApiFailure as failure:
        if failure.code != REFUSED:
            raise ApiFailure(
                f"{failure} The session was removed here, but may stay valid there until it runs out.",
                failure.code,
            ) from None
    finally:
        with credentials.locked():
            credentials.forget()
    say(f"Signed out at {session.url}.")


@app.command()
@told
def whoami(*, as_json: AsJson = False) -> None:
    """Show who is signed in, where, and what they may do."""
    client = connect()
    me = client.get("/auth/me")
    if as_json:
        show_json(me)
        return
    show_fields(
        [
            ("factory", client.url),
            ("name", me["name"]),
            ("e-mail", me["email"]),
            ("tenant", me["tenant"]),
            ("role", me["role"]),
            (
                "tenants",
                ", ".join(f"{t['slug']} ({t['role']})" if t["role"] else t["slug"] for t in me["tenants"]),
            ),
            ("may", ", ".join(me["permissions"])),
        ]
    )
