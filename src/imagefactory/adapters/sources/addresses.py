"""Which repository addresses may be used: their form, their host, and that they do not lead back into this machine."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

import psutil

from imagefactory.adapters.sources.base import Problem, SourceUnavailable

_SCP = re.compile(
    r"(?P<user>[A-Za-z0-9_][A-Za-z0-9_.-]{0,63})@(?P<host>[A-Za-z0-9.-]{1,253}):(?P<path>[^\s:/-][^\s]{0,1000})"
)
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
MAX_URL = 2048


@dataclasses.dataclass(frozen=True)
class AddressPolicy:
    """Where repositories may live.

    With `allowed_hosts`, only there (a name that stands there may also lead to this machine: whoever wrote the setting
    meant it). Without, everywhere but this machine and link-local addresses, and private networks where `allow_private`.
    `file_root` is the directory below which `file://` repositories may lie; None: none may.
    """

    allowed_hosts: Sequence[str] = ()
    denied_hosts: Sequence[str] = ()
    allow_private: bool = True
    file_root: Path | None = None


@dataclasses.dataclass(frozen=True)
class Address:
    """A checked repository address. `ip` is the address that was checked, and the only one that may be connected to."""

    scheme: Literal["https", "http", "ssh", "file"]
    url: str
    host: str
    port: int
    ip: str
    loopback: bool = False


def check_address(url: str, policy: AddressPolicy) -> Address:
    """Check a repository's address against the policy and resolve its host.

    Raises SourceUnavailable (`not_allowed` or `unreachable`).
    """
    if not url or len(url) > MAX_URL or any(ord(c) <= 32 or ord(c) == 127 for c in url) or url.startswith("-"):
        raise _refused("This is not a repository address; write it as https://host/path or git@host:path.")
    if scp := _SCP.fullmatch(url):
        return _remote("ssh", url, scp["host"], 22, policy)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _refused("The repository address is not valid; check its host and port.") from None
    match parts.scheme:
        case "https" | "http" as scheme:
            if parts.username is not None or parts.password is not None:
                raise _refused(
                    "Leave user name and password out of the address; store them as the project's credential."
                )
            if parts.query or parts.fragment:
                raise _refused('The repository address may not have a "?" or "#" part.')
            return _remote(scheme, url, parts.hostname or "", port or (443 if scheme == "https" else 80), policy)
        case "ssh":
            if parts.password is not None:
                raise _refused("Leave the password out of the address; store an SSH key as the project's credential.")
            if (parts.username or "").startswith("-") or not parts.path.strip("/"):
                raise _refused("The repository address is not valid; write it as ssh://git@host/path.")
            return _remote("ssh", url, parts.hostname or "", port or 22, policy)
        case "file":
            return _file(url, parts.netloc, unquote(parts.path), policy)
    raise _refused(
        "Only https, http, ssh and (where switched on) file addresses can be used, such as https://host/path."
    )


def _file(url: str, netloc: str, path: str, policy: AddressPolicy) -> Address:
    if policy.file_root is None:
        raise _refused("file:// repositories are switched off here; use https or ssh, or ask the operator.")
    resolved = Path(path).resolve()
    if netloc not in {"", "localhost"} or not resolved.is_relative_to(policy.file_root.resolve()):
        raise _refused("This file:// repository lies outside the directory that the operator opened for repositories.")
    if not resolved.is_dir():
        raise SourceUnavailable(Problem.REPOSITORY_NOT_FOUND, f"There is no repository at {url}; check the path.")
    return Address("file", f"file://{resolved}", "", 0, "")


def _remote(scheme: Literal["https", "http", "ssh"], url: str, host: str, port: int, policy: AddressPolicy) -> Address:
    host = host.lower()
    if not _HOST.fullmatch(host) and ":" not in host:
        raise _refused("The repository address has no valid host.")
    if host in {name.lower() for name in policy.denied_hosts}:
        raise _refused(f"Repositories on {host} are not allowed here; ask the operator.")
    listed = host in {name.lower() for name in policy.allowed_hosts}
    if policy.allowed_hosts and not listed:
        raise _refused(f"Repositories on {host} are not allowed here; allowed are {', '.join(policy.allowed_hosts)}.")
    ips = _resolve(host, port)
    if not listed:
        for ip in ips:
            _check_ip(host, ip, policy)
    return Address(scheme, url, host, port, str(ips[0]), loopback=ips[0].is_loopback)


IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


def _resolve(host: str, port: int) -> list[IpAddress]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise SourceUnavailable(
            Problem.UNREACHABLE,
            f"The host {host} can not be found; check the spelling and this machine's name service.",
        ) from None
    ips = [ipaddress.ip_address(str(each[4][0]).partition("%")[0]) for each in found]
    return list(dict.fromkeys(ips))


def inner_place(ip: IpAddress) -> Literal["machine", "private", ""]:
    """Return whether an address leads to this machine (or a link-local neighbour), into a private network, or outside."""
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    real: IpAddress = mapped or ip
    inside = real.is_loopback or real.is_unspecified or real.is_link_local or real.is_multicast or real.is_reserved
    if inside or str(real) in _own_addresses():
        return "machine"
    return "" if real.is_global else "private"


def _check_ip(host: str, ip: IpAddress, policy: AddressPolicy) -> None:
    place = inner_place(ip)
    if place == "machine":
        raise _refused(f"{host} leads to this machine or to a link-local address; repositories can not live there.")
    if place == "private" and not policy.allow_private:
        raise _refused(f"{host} leads into a private network; ask the operator to list it among the allowed hosts.")


def _own_addresses() -> set[str]:
    return {each.address.partition("%")[0] for addresses in psutil.net_if_addrs().values() for each in addresses}


def _refused(message: str) -> SourceUnavailable:
    return SourceUnavailable(Problem.NOT_ALLOWED, message)
