"""The network of one build: none, this factory's registry only, or the internet without this host."""

from __future__ import annotations

import subprocess
from pathlib import Path

_LINK_LOCAL = "169.254.0.0/16"  # where clouds keep the machine's own credentials


class NetworkUnavailable(Exception):
    """The network could not be set up. The message is a sentence."""


def _run(*argv: str, check: bool = True) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    if check and done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise NetworkUnavailable(f"`{' '.join(argv[:4])}` failed: {said[-1][:200] if said else done.returncode}.")


class Network:
    """The network namespace of one slot: a veth pair in 10.88.0.0/16, four addresses a slot."""

    def __init__(self, slot: int, port: int) -> None:
        self.slot, self.port = slot, port
        self.namespace, self.link, self.chain = f"ifb{slot}", f"ifb{slot}", f"IFB{slot}"
        third, fourth = divmod(slot * 4, 256)
        self.host, self.guest = f"10.88.{third}.{fourth + 1}", f"10.88.{third}.{fourth + 2}"

    @property
    def path(self) -> str:
        return f"/run/netns/{self.namespace}"

    def up(self, kind: str) -> None:
        """Make the namespace; `registry` reaches only the front door's port here, `open` also the outside.

        Raises NetworkUnavailable; what was made by then is removed by `down`.
        """
        self.down()
        n, v = self.namespace, self.link
        _run("ip", "netns", "add", n)
        _run("ip", "-n", n, "link", "set", "lo", "up")
        _run("ip", "link", "add", v, "type", "veth", "peer", "name", "eth0", "netns", n)
        _run("ip", "addr", "add", f"{self.host}/30", "dev", v)
        # Version 6 would give both ends an address that no rule below knows.
        sysctl = Path(f"/proc/sys/net/ipv6/conf/{v}/disable_ipv6")
        if sysctl.exists():
            sysctl.write_text("1")
        _run("ip", "link", "set", v, "up")
        _run("ip", "-n", n, "addr", "add", f"{self.guest}/30", "dev", "eth0")
        _run("ip", "-n", n, "link", "set", "eth0", "up")
        _run("ip", "-n", n, "route", "add", "default", "via", self.host)
        Path(f"/proc/sys/net/ipv4/conf/{v}/route_localnet").write_text("1")
        # To this host: the front door's port and nothing else, whatever address of the host is used.
        _run("iptables", "-w", "-N", self.chain)
        if self.port:
            door = ["-p", "tcp", "-d", "127.0.0.1", "--dport", str(self.port), "-j", "ACCEPT"]
            _run("iptables", "-w", "-A", self.chain, *door)
            _run("iptables", "-w", "-t", "nat", "-A", "PREROUTING", *self._dnat())
        established = ["-m", "conntrack", "--ctstate", "ESTABLISHED,RELATED", "-j", "ACCEPT"]
        _run("iptables", "-w", "-A", self.chain, *established)
        _run("iptables", "-w", "-A", self.chain, "-j", "REJECT")
        _run("iptables", "-w", "-I", "INPUT", "-i", v, "-j", self.chain)
        _run("iptables", "-w", "-N", f"{self.chain}F")
        _run("iptables", "-w", "-A", f"{self.chain}F", "-d", _LINK_LOCAL, "-j", "REJECT")
        _run("iptables", "-w", "-A", f"{self.chain}F", "-d", "10.88.0.0/16", "-j", "REJECT")
        _run("iptables", "-w", "-A", f"{self.chain}F", "-j", "ACCEPT" if kind == "open" else "REJECT")
        _run("iptables", "-w", "-I", "FORWARD", "-i", v, "-j", f"{self.chain}F")
        _run("iptables", "-w", "-I", "FORWARD", "-o", v, *established)
        if kind == "open":
            _run("iptables", "-w", "-t", "nat", "-A", "POSTROUTING", *self._masquerade())
            Path("/proc/sys/net/ipv4/ip_forward").write_text("1")

    def _dnat(self) -> list[str]:
        port = str(self.port)
        where = ["-i", self.link, "-p", "tcp", "-d", self.host, "--dport", port]
        return [*where, "-j", "DNAT", "--to", f"127.0.0.1:{port}"]

    def _masquerade(self) -> list[str]:
        return ["-s", f"{self.guest}/32", "!", "-o", self.link, "-j", "MASQUERADE"]

    def down(self) -> None:
        """Remove everything; safe when nothing is there."""
        v, c = self.link, self.chain
        established = ["-m", "conntrack", "--ctstate", "ESTABLISHED,RELATED", "-j", "ACCEPT"]
        _run("ip", "netns", "del", self.namespace, check=False)
        _run("ip", "link", "del", v, check=False)
        if self.port:
            _run("iptables", "-w", "-t", "nat", "-D", "PREROUTING", *self._dnat(), check=False)
        _run("iptables", "-w", "-t", "nat", "-D", "POSTROUTING", *self._masquerade(), check=False)
        _run("iptables", "-w", "-D", "FORWARD", "-o", v, *established, check=False)
        for hook, chain in (("INPUT", c), ("FORWARD", f"{c}F")):
            _run("iptables", "-w", "-D", hook, "-i", v, "-j", chain, check=False)
            _run("iptables", "-w", "-F", chain, check=False)
            _run("iptables", "-w", "-X", chain, check=False)

    def traffic(self) -> tuple[int, int]:
        """Return bytes that came in and went out, as the build sees it."""
        base = Path(f"/sys/class/net/{self.link}/statistics")
        try:
            return int((base / "tx_bytes").read_text()), int((base / "rx_bytes").read_text())
        except (OSError, ValueError):
            return 0, 0
