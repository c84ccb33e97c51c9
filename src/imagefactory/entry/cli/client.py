"""The command line's way to the API: an HTTP client that is signed in, and failures with an exit status."""

from __future__ import annotations

import functools
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, ParamSpec, TypeVar
from urllib.parse import urlsplit

import httpx
import typer

from imagefactory import __version__
from imagefactory.entry.cli import credentials
from imagefactory.entry.cli.tables import complain

P = ParamSpec("P")
R = TypeVar("R")

USAGE: Final = 2
REFUSED: Final = 3
NOT_FOUND: Final = 4
CONFLICT: Final = 5
UNREACHABLE: Final = 6

_EXIT: Final[Mapping[int, int]] = {
    400: CONFLICT, 401: REFUSED, 403: REFUSED, 428: REFUSED, 404: NOT_FOUND, 409: CONFLICT, 413: CONFLICT, 422: CONFLICT,
    429: UNREACHABLE, 502: UNREACHABLE, 503: UNREACHABLE, 504: UNREACHABLE,
}  # fmt: skip
_open: list[Client] = []  # clients of the running command; closed at its end
_TRIES: Final = 4  # of a GET; with the waits below about 4 seconds
_LONGEST_WAIT: Final = 10.0  # seconds that a Retry-After may hold one try back
_LIMIT: Final = 64 * 1024 * 1024  # bytes of one answer


class ApiFailure(Exception):
    """Something the API refused or could not do: a sentence and the exit status that tells scripts which."""

    def __init__(self, message: str, code: int = 1, *, error: str = "", challenge: str = "") -> None:
        """`challenge` is what a sign-in goes on with when the API asks for a second factor."""
        super().__init__(message)
        self.code = code
        self.error = error
        self.challenge = challenge


def told(command: Callable[P, R]) -> Callable[P, R]:
    """Wrap a command: a failure becomes one sentence on standard error and an exit status."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except ApiFailure as failure:
            complain(failure)
            raise typer.Exit(failure.code) from None
        except credentials.CredentialsUnusable as failure:
            complain(failure)
            raise typer.Exit(USAGE) from None
        finally:
            while _open:
                _open.pop().http.close()

    return wrapped


def explain(response: httpx.Response) -> ApiFailure:
    """Return the failure that an answer of 400 or more stands for, with its fields or request id."""
    status = response.status_code
    code = _EXIT.get(status, 1)
    try:
        error = response.json()["error"]
        message, details = str(error["message"]), error.get("details") or {}
    except (ValueError, KeyError, TypeError):
        where = urlsplit(str(response.url)).netloc
        return ApiFailure(f"{where} answered {status} and no reason. Check that this is an Image Factory.", code)
    fields = details.get("fields")
    if isinstance(fields, dict):
        message = " ".join([message, *(f"{name}: {' '.join(said)}" for name, said in fields.items())])
    if status == httpx.codes.UNAUTHORIZED and "/auth/login" not in response.url.path:
        message += " Use `imagefactory login`, or set IMAGEFACTORY_TOKEN."
    if status == httpx.codes.INTERNAL_SERVER_ERROR and error.get("request_id"):
        message += f" Request id: {error['request_id']}."
    return ApiFailure(message, code, error=str(error.get("code", "")), challenge=str(details.get("challenge", "")))


class Client:
    """Calls the API as whoever is signed in. Only reads are tried again; a write is sent once."""

    def __init__(self, url: str, session: credentials.Session | None = None, *, token: str = "") -> None:
        """With `token` that alone is used; else the stored session, renewed when it runs out."""
        self.url, self.session, self._token = url, session, token
        # A proxy for the internet must not see the token of a factory on this machine.
        local = urlsplit(url).hostname in {"localhost", "127.0.0.1", "::1"}
        self.http = httpx.Client(
            base_url=f"{url}/api/v1",
            headers={"User-Agent": f"imagefactory-cli/{__version__}"},
            timeout=httpx.Timeout(60, connect=5),
            trust_env=not local,
        )
        _open.append(self)

    def headers(self) -> dict[str, str]:
        """Return what identifies the caller: the bearer token and the chosen tenant."""
        token = self._token or (self.session.access_token if self.session else "")
        found = {"Authorization": f"Bearer {token}"} if token else {}
        if tenant := credentials.tenant_from_environment() or (self.session.tenant if self.session else ""):
            found["X-Tenant-ID"] = tenant
        return found

    def call(self, method: str, path: str, **how: Any) -> Any:
        """Call the API and return its answer: data, or None where it has none.

        Raises ApiFailure.
        """
        response = self._send(method, path, how)
        if response.status_code == httpx.codes.UNAUTHORIZED and self._renew():
            response = self._send(method, path, how)
        if response.is_error or response.is_redirect:
            raise explain(response)
        if response.status_code == httpx.codes.NO_CONTENT or not response.content:
            return None
        try:
            return response.json()
        except ValueError:
            raise ApiFailure(f"{self.url} did not answer with JSON. Check that this is an Image Factory.", 1) from None

    def get(self, path: str, **params: Any) -> Any:
        return self.call("GET", path, params={k: v for k, v in params.items() if v not in (None, "")})

    def post(self, path: str, body: Any = None, **how: Any) -> Any:
        return self.call("POST", path, json={} if body is None else body, **how)

    def create(self, path: str, body: Any) -> Any:
        """Post with an idempotency key of its own, for routes that honour one."""
        return self.post(path, body, headers={"Idempotency-Key": uuid.uuid4().hex})

    @contextmanager
    def stream(
        self, path: str, *, headers: Mapping[str, str], params: Any = None, quiet: float = 60
    ) -> Iterator[httpx.Response]:
        """Open an answer that keeps coming; `quiet` is how many seconds without a byte end it.

        Raises ApiFailure when it cannot be opened or breaks.
        """
        self.ensure_fresh()
        limits = httpx.Timeout(quiet, connect=5)
        try:
            with self.http.stream(
                "GET", path, headers={**self.headers(), **headers}, params=params, timeout=limits
            ) as response:
                yield response
        except httpx.HTTPError as error:
            raise self._unreachable(error) from None

    def _send(self, method: str, path: str, how: dict[str, Any]) -> httpx.Response:
        how = dict(how)
        extra = how.pop("headers", {})
        self.ensure_fresh()
        tries = _TRIES if method == "GET" else 1
        for number in range(1, tries + 1):
            wait = 0.5 * 2 ** (number - 1)
            try:
                with self.http.stream(method, path, headers={**self.headers(), **extra}, **how) as response:
                    _read(response)
            except httpx.HTTPError as error:
                if number == tries:
                    raise self._unreachable(error) from None
            else:
                if response.status_code != httpx.codes.SERVICE_UNAVAILABLE or number == tries:
                    return response
                asked = response.headers.get("Retry-After", "")
                wait = min(float(asked), _LONGEST_WAIT) if asked.isdigit() else wait
            time.sleep(wait)
        raise AssertionError("the last try returns or raises")

    def _unreachable(self, error: httpx.HTTPError) -> ApiFailure:
        if isinstance(error, httpx.TimeoutException):
            return ApiFailure(
                f"{self.url} did not answer in time. Try again, or look with `imagefactory status`.",
                UNREACHABLE,
            )
        return ApiFailure(
            f"{self.url} cannot be reached ({error}). Check the address, or start it with `imagefactory up`.",
            UNREACHABLE,
        )

    def ensure_fresh(self) -> None:
        """Renew the access token when it is about to end."""
        if not self._token and self.session and self.session.access_ends - time.time() < 15:
            self._renew()

    def _renew(self) -> bool:
        """Exchange the refresh token; one process at a time, because each token works once."""
        if self._token or self.session is None or not self.session.refresh_token:
            return False
        with credentials.locked():
            stored = credentials.load()
            if stored and stored.url == self.url and stored.access_token != self.session.access_token:
                self.session = stored  # another process was faster
                return True
            try:
                response = self.http.post("/auth/refresh", json={"refresh_token": self.session.refresh_token})
            except httpx.HTTPError as error:
                raise self._unreachable(error) from None
            if response.is_error:
                if response.status_code != httpx.codes.UNAUTHORIZED:
                    raise explain(response)
                return False
            self.session = credentials.Session.from_tokens(self.url, response.json(), tenant=self.session.tenant)
            credentials.save(self.session)
        return True


def _read(response: httpx.Response) -> None:
    """Read an answer whole, but not without end."""
    content = bytearray()
    for piece in response.iter_bytes():
        content += piece
        if len(content) > _LIMIT:
            raise ApiFailure("The answer is larger than 64 MiB. Ask for less of it.", 1)
    response._content = bytes(content)  # noqa: SLF001 - what Response.read() does, with a bound


def as_uuid(text: str, what: str) -> str:
    """Return an id as the API writes it.

    Raises ApiFailure when the text is none.
    """
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise ApiFailure(f'"{text[:80]}" is not the id of a {what}.', USAGE) from None


def connect() -> Client:
    """Return a client for whoever is signed in.

    Raises ApiFailure when nobody is, CredentialsUnusable when what is stored cannot be used.
    """
    url, session, token = credentials.choose()
    if not token and session is None:
        raise ApiFailure(
            f"You are not signed in at {url}. Use `imagefactory login`, or set IMAGEFACTORY_TOKEN.", REFUSED
        )
    return Client(url, session, token=token)
