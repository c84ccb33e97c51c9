"""The three network policies, tried from inside a jail against real listeners of the host."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.executors.stand import Played, Stand, needs_root, play

pytestmark = [needs_root, pytest.mark.real]

_PROBE = """
import json, socket, subprocess, sys
answers = {}
for host, port in json.loads(sys.argv[1]):
    if not host:
        told = subprocess.run("ip route show default".split(), capture_output=True, text=True).stdout
        host = (told.split() + ["", "", "127.0.0.1"])[2] or "127.0.0.1"
    try:
        with socket.create_connection((host, port), 2) as s:
            answers[f"{host}:{port}"] = s.recv(16).decode()
    except OSError as error:
        answers[f"{host}:{port}"] = type(error).__name__
print(json.dumps(list(answers.values())))
"""


@contextlib.contextmanager
def listener(address: str, port: int = 0) -> Iterator[int]:
    """Say hello to all who come."""
    with socket.create_server((address, port)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = server.accept()
                    with client:
                        client.sendall(b"hello")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def _own_address() -> str:
    told = json.loads(subprocess.run(["ip", "-j", "-4", "addr"], capture_output=True, text=True, check=True).stdout)
    found = [a["local"] for link in told for a in link["addr_info"] if not a["local"].startswith(("127.", "10.88."))]
    if not found:
        pytest.skip("This machine has no address but its loopback.")
    return str(found[0])


def _try(stand: Stand, policy: Any, *targets: tuple[str, int]) -> list[str]:
    played: Played = play(stand.executor, ["python3", "-c", _PROBE, json.dumps(targets)], network=policy)
    answers: list[str] = json.loads(played.text.splitlines()[-1])
    return answers


@pytest.mark.parametrize("policy", ["none", "registry", "open"])
def test_the_hosts_services_are_out_of_reach_but_for_the_front_door(stand: Stand, policy: str) -> None:
    own = _own_address()
    with (
        listener("127.0.0.1", stand.port) as door,
        listener("127.0.0.1") as loopback,
        listener("0.0.0.0") as everywhere,  # noqa: S104 - the case that must be refused
    ):
        targets = [("", door), ("", loopback), ("", everywhere), (own, everywhere), ("127.0.0.1", loopback)]
        answers = _try(stand, policy, *targets)
        with socket.create_connection((own, everywhere), 2) as twin:  # the listener is there for the host itself
            assert twin.recv(16) == b"hello"
    assert (answers[0] == "hello") == (policy != "none")
    assert "hello" not in answers[1:]


def test_only_open_lets_packets_out(stand: Stand) -> None:
    # A second network namespace plays the outside: 198.51.100.0/24 is for documentation and nobody's.
    name = f"ifout{stand.port}"[:15]
    for command in (
        f"ip netns add {name}",
        f"ip link add {name} type veth peer name eth0 netns {name}",
        f"ip addr add 198.51.100.1/24 dev {name}",
        f"ip link set {name} up",
        f"ip -n {name} addr add 198.51.100.2/24 dev eth0",
        f"ip -n {name} link set eth0 up",
        f"ip -n {name} link set lo up",
    ):
        subprocess.run(command.split(), check=True)
    serve = "import socket\ns=socket.create_server(('198.51.100.2',8080))\nprint('up',flush=True)\nwhile 1:\n c,_=s.accept();c.sendall(b'hello');c.close()"
    outside = subprocess.Popen(["ip", "netns", "exec", name, "python3", "-c", serve], stdout=subprocess.PIPE)
    try:
        assert outside.stdout is not None
        assert outside.stdout.readline() == b"up\n"
        answers = {policy: _try(stand, policy, ("198.51.100.2", 8080)) for policy in ("none", "registry", "open")}
    finally:
        outside.kill()
        outside.communicate()
        subprocess.run(["ip", "link", "del", name], check=True)
        subprocess.run(["ip", "netns", "del", name], check=True)
    assert answers["open"] == ["hello"]
    assert "hello" not in answers["none"] + answers["registry"]


def test_a_build_has_no_version_6_way_to_the_host(stand: Stand) -> None:
    script = "import socket\nfor n in ('::1', 'fd00::2'):\n try: socket.create_connection((n, 22), 1); print('reached')\n except OSError as e: print('refused')"
    assert "reached" not in play(stand.executor, ["python3", "-c", script], network="open").text


def test_network_bytes_are_counted(stand: Stand) -> None:
    with listener("127.0.0.1", stand.port) as door:
        given = play(stand.executor, ["python3", "-c", _PROBE, json.dumps([("", door)])], network="registry")
    assert given.usages[-1].net_in_bytes > 0
    assert given.usages[-1].net_out_bytes > 0
