"""Where an identity provider may live: a tenant types its address, and it must not become a way into our own network."""

from __future__ import annotations

import dataclasses
import ipaddress
import socket
from collections.abc import Sequence

from imagefactory.adapters.sources.addresses import inner_place


class ProviderUnreachable(Exception):
    """The provider's address is not allowed, or nothing useful answers there; `message` is one sentence for people."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclasses.dataclass(frozen=True)
class HostPolicy:
    """Which hosts may be reached.

    With `listed`, only these (and they may lead anywhere: whoever wrote the setting meant it). Without, every host
    outside this machine, and private networks where `allow_private`.
    """

    listed: Sequence[str] = ()
    allow_private: bool = False

    def check_host(self, host: str) -> None:
        """Return when the name may be asked for.

        Raises ProviderUnreachable.
        """
        if self.listed and host.lower() not in {name.lower() for name in self.listed}:
            raise ProviderUnreachable(
                f"Identity providers on {host} are not allowed here. Ask the operator to add it to "
                "IMAGEFACTORY_IDENTITY_HOSTS."
            )

    def check_ip(self, host: str, ip: str) -> None:
        """Return when a connection to this address may be used; called with the address that is connected.

        Raises ProviderUnreachable.
        """
        if self.listed:
            return
        place = inner_place(ipaddress.ip_address(ip.partition("%")[0]))
        if place == "machine" or (place == "private" and not self.allow_private):
            raise ProviderUnreachable(
                f"{host} leads into the factory's own machine or network, where identity providers can not live. Ask the "
                "operator to add it to IMAGEFACTORY_IDENTITY_HOSTS if it is right."
            )

    def resolve(self, host: str, port: int) -> None:
        """Check a host and every address behind its name, before anything connects.

        Raises ProviderUnreachable.
        """
        self.check_host(host)
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise ProviderUnreachable(f"The host {host} can not be found. Check the spelling of the address.") from None
        for each in found:
            self.check_ip(host, str(each[4][0]))
