"""HTTP to identity providers: bounded in time and size, no redirects, and only to hosts that the policy allows."""

from __future__ import annotations

import json
import socket
import time
from typing import Any, ClassVar
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.poolmanager import PoolManager

from imagefactory.adapters.identity.addresses import HostPolicy, ProviderUnreachable

CONNECT_SECONDS, READ_SECONDS = 5.0, 10.0
WHOLE_SECONDS = 20.0
MAX_ANSWER = 512 * 1024  # bytes; the largest key sets of large providers are some 20 KiB


class _Checked:
    """Looks at the address that is really connected, after name service and before the first byte is sent."""

    policy: ClassVar[HostPolicy]
    host: str

    def _new_conn(self) -> socket.socket:
        made: socket.socket = super()._new_conn()  # type: ignore[misc]
        try:
            self.policy.check_ip(self.host, made.getpeername()[0])
        except ProviderUnreachable:
            made.close()
            raise
        return made


def _pools(policy: HostPolicy) -> dict[str, type[HTTPConnectionPool]]:
    plain = type("CheckedHTTPConnection", (_Checked, HTTPConnection), {"policy": policy})
    secure = type("CheckedHTTPSConnection", (_Checked, HTTPSConnection), {"policy": policy})
    return {
        "http": type("CheckedHTTPPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("CheckedHTTPSPool", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
    }


class _CheckedAdapter(HTTPAdapter):
    def __init__(self, policy: HostPolicy) -> None:
        self._policy = policy
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        self.poolmanager = PoolManager(num_pools=4)
        self.poolmanager.pool_classes_by_scheme = _pools(self._policy)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        raise ProviderUnreachable("Identity providers are asked directly, never through a proxy.")


class ProviderSession(requests.Session):
    """A `requests` session for identity providers; allauth is handed one too.

    Raises ProviderUnreachable where a plain session would connect to a forbidden place, and requests' own errors.
    """

    def __init__(self, policy: HostPolicy) -> None:
        super().__init__()
        self.policy = policy
        self.trust_env = False  # neither proxies nor netrc of this process are for a tenant's provider
        adapter = _CheckedAdapter(policy)
        self.mount("http://", adapter)
        self.mount("https://", adapter)

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        text = url.decode() if isinstance(url, bytes) else url
        check_url(text, self.policy)
        kwargs |= {"timeout": (CONNECT_SECONDS, READ_SECONDS), "allow_redirects": False, "stream": True}
        try:
            response = super().request(str(method), text, *args, **kwargs)
            _read_bounded(response)
        except requests.RequestException as error:
            raise ProviderUnreachable(
                f"{urlsplit(text).hostname} does not answer as expected: {_why(error)}."
            ) from error
        return response


def _why(error: Exception) -> str:
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return (
            "its certificate is not valid for this name, or is issued by an authority that this machine does not know"
        )
    if isinstance(error, requests.Timeout):
        return "it takes too long"
    return "the connection failed"


def _read_bounded(response: requests.Response) -> None:
    body, until = b"", time.monotonic() + WHOLE_SECONDS
    for chunk in response.iter_content(16 * 1024):
        body += chunk
        if time.monotonic() > until:
            response.close()
            raise ProviderUnreachable("The provider sends its answer too slowly. Try again later.")
        if len(body) > MAX_ANSWER:
            response.close()
            raise ProviderUnreachable(
                f"The provider's answer is larger than {MAX_ANSWER // 1024} KiB. Check its address."
            )
    response._content = body  # noqa: SLF001 - where requests keeps a body that was read whole


def check_url(url: str, policy: HostPolicy) -> None:
    """Return when `url` may be fetched: https (plain http only to hosts that the operator listed), no user name in it.

    Raises ProviderUnreachable.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ProviderUnreachable("The provider's address is not valid; check its host and port.") from None
    host = parts.hostname or ""
    if parts.scheme not in {"https", "http"} or not host or len(url) > 2048 or parts.username is not None:
        raise ProviderUnreachable("The provider's address must look like https://login.example.com/realm.")
    if parts.scheme == "http" and not policy.listed:
        raise ProviderUnreachable(
            "The provider's address must begin with https://, so that nobody can answer in its place."
        )
    policy.resolve(host, port or (443 if parts.scheme == "https" else 80))


def get_json(url: str, policy: HostPolicy) -> dict[str, Any]:
    """Return the JSON object that stands at `url`.

    Raises ProviderUnreachable.
    """
    with ProviderSession(policy) as session:
        response = session.get(url, headers={"Accept": "application/json"})
    if response.status_code != 200:
        raise ProviderUnreachable(f"{url} answers with status {response.status_code}. Check the provider's address.")
    try:
        found = json.loads(response.content)
    except ValueError:
        raise ProviderUnreachable(f"{url} does not hold JSON. Check the provider's address.") from None
    if not isinstance(found, dict):
        raise ProviderUnreachable(f"{url} does not hold a JSON object. Check the provider's address.")
    return found
