"""From which addresses a tenant takes requests."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Mapping, Sequence

from imagefactory.domain.identity.errors import AddressNotAllowed
from imagefactory.domain.identity.models import IpList, Tenant
from imagefactory.domain.identity.selectors.tenants import require_tenant
from imagefactory.kernel.actor import Actor

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_MAPPED = ipaddress.ip_network("::ffff:0:0/96")


@dataclasses.dataclass(frozen=True)
class IpListView:
    """A tenant's list as its pages show it; `networks` holds `cidr` and `note` of each."""

    networks: Sequence[Mapping[str, str]] = ()
    for_sessions: bool = False
    version: int = 0


def read_network(text: str) -> Network:
    """Return the network that a CIDR or a single address means; IPv4 written as IPv6 is IPv4.

    Raises ValueError for what is none, and for a CIDR with bits behind its prefix.
    """
    found = ipaddress.ip_network(text.strip())
    if isinstance(found, ipaddress.IPv6Network) and found.prefixlen >= 96 and found.subnet_of(_MAPPED):  # type: ignore[arg-type]
        mapped = found.network_address.ipv4_mapped
        return ipaddress.ip_network(f"{mapped}/{found.prefixlen - 96}")
    return found


def is_within(address: str, networks: Sequence[Mapping[str, str]]) -> bool:
    """Whether an address is in one of the networks; what is no address is in none."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in ipaddress.ip_network(n["cidr"]) for n in networks)


def check_address(tenant: Tenant, address: str, *, program: bool) -> None:
    """Return when the tenant takes requests from this address; an empty one is not a request from outside.

    The tenant is loaded with its `ip_list`, or this asks for it.
    Raises AddressNotAllowed.
    """
    rules: IpList | None = getattr(tenant, "ip_list", None)
    if not address or rules is None or not rules.networks or not (program or rules.for_sessions):
        return
    if not is_within(address, rules.networks):
        raise AddressNotAllowed(address, tenant.slug)


def ip_list(actor: Actor) -> IpListView:
    """Return the list of the actor's tenant; every member may know from where they are let in."""
    found = IpList.objects.filter(tenant_id=require_tenant(actor)).first()
    return IpListView(found.networks, found.for_sessions, found.version) if found else IpListView()
