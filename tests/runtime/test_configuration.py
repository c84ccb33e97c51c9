"""The configuration that `up` writes: read back by the programs it is for, and free of secrets."""

from __future__ import annotations

import configparser
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from imagefactory.entry.up import front_door, processes, registry, supervision
from imagefactory.entry.up.site import Site
from imagefactory.kernel.env import Settings, SettingsError, read


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "run").mkdir()
    settings = Settings(data_dir=tmp_path, public_url=f"http://localhost:{free_port()}")
    return Site(settings, None)


def adapted(site: Site, text: str) -> str:
    caddyfile = site.run / "Caddyfile"
    caddyfile.write_text(text)
    program = front_door.program()
    assert program
    ran = subprocess.run(
        [program, "adapt", "--adapter", "caddyfile", "--config", str(caddyfile)],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return ran.stdout


def test_caddy_reads_its_configuration_and_calls_nobody(site: Site) -> None:
    config = json.loads(adapted(site, front_door.configuration(site)))
    assert config["admin"]["disabled"] is True
    (server,) = config["apps"]["http"]["servers"].values()
    assert server["automatic_https"]["disable"] is True
    assert server["listen"] == [f"127.0.0.1:{site.settings.port}"]
    assert "tls" not in config["apps"]


def test_every_part_is_behind_the_front_door(site: Site) -> None:
    text = adapted(site, front_door.configuration(site))
    for name in ("web", "stream", "registry"):
        assert f"unix/{site.run / name}.sock" in text


def test_the_registry_wants_our_tokens_and_deletes_when_told(site: Site) -> None:
    config = yaml.safe_load(registry.configuration(site, "upload-secret"))
    assert config["auth"]["token"] == {
        "realm": f"{site.settings.public_url}/registry/token",
        "service": "imagefactory-registry",
        "issuer": "imagefactory",
        "rootcertbundle": str(site.secrets / "registry-token.crt"),
    }
    assert config["storage"]["delete"] == {"enabled": True}
    assert config["http"]["net"] == "unix"


def test_the_supervisors_configuration_holds_every_process_and_no_setting(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGEFACTORY_SECRET_KEYS", "a-secret-value")
    text = supervision.configuration(site, processes.table(site))
    parsed = configparser.RawConfigParser()
    parsed.read_string(text)
    programs = {name.removeprefix("program:") for name in parsed.sections() if name.startswith("program:")}
    assert programs >= {"postgres", "registry", "web", "stream", "worker", "dispatcher", "caddy"}
    assert "a-secret-value" not in text
    assert processes.environment(site)["IMAGEFACTORY_SECRET_KEYS"] == "a-secret-value"


def test_the_database_starts_first_and_the_front_door_last(site: Site) -> None:
    names = [process.name for process in processes.table(site)]
    assert (names[0], names[-1]) == ("postgres", "caddy")


def test_another_database_means_no_embedded_one(site: Site) -> None:
    settings = site.settings.model_copy(update={"database_url": "postgresql://db.example/factory"})
    assert "postgres" not in {process.name for process in processes.table(Site(settings, None))}


def test_an_https_address_needs_a_certificate_or_a_proxy(monkeypatch: pytest.MonkeyPatch, site: Site) -> None:
    monkeypatch.setenv("IMAGEFACTORY_PUBLIC_URL", "https://factory.example")
    with pytest.raises(SettingsError, match="IMAGEFACTORY_TLS_CERTIFICATE"):
        read()
    monkeypatch.setenv("IMAGEFACTORY_LISTEN_PORT", "8080")
    behind = Site(read(), None)
    text = front_door.configuration(behind)
    assert "http://:8080" in text
    assert "X-Forwarded-Proto https" in text


@pytest.fixture
def lonely_door(site: Site) -> Iterator[Site]:
    """The front door with nothing behind it, as in the moments of a restart."""
    (site.run / "Caddyfile").write_text(front_door.configuration(site).replace("try_duration 6s", "try_duration 1s"))
    with subprocess.Popen(
        front_door.argv(site),
        env=processes.environment(site),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as caddy:
        _await_port(site.settings.port)
        yield site
        caddy.terminate()


def _await_port(port: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            assert time.monotonic() < deadline, "Caddy did not listen in time"
            time.sleep(0.05)


@pytest.mark.real
def test_while_the_web_process_restarts_people_get_a_page_and_programs_an_envelope(lonely_door: Site) -> None:
    url = f"http://127.0.0.1:{lonely_door.settings.port}"
    page = httpx.get(f"{url}/projects", timeout=20)
    assert page.status_code == 502
    assert "The factory is starting" in page.text
    assert page.headers["retry-after"] == "3"
    answer = httpx.get(f"{url}/api/v1/builds", timeout=20)
    assert answer.status_code == 502
    assert answer.json()["error"]["code"] == "unavailable"


@pytest.mark.real
def test_internal_addresses_do_not_exist_outside(lonely_door: Site) -> None:
    answer = httpx.get(f"http://127.0.0.1:{lonely_door.settings.port}/internal/stream-grant", timeout=20)
    assert answer.status_code == 404


def test_settings_problems_are_told_together_with_exit_status_two(tmp_path: Path) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(sys.path),
        "IMAGEFACTORY_DATA_DIR": str(tmp_path),
        "IMAGEFACTORY_WEB_WORKERS": "none",
        "IMAGEFACTORY_PUBLIC_URL": "ftp://x",
    }
    for command in (
        ["-m", "imagefactory.entry.cli.main", "up"],
        ["-m", "imagefactory.entry.cli.main", "run", "web"],
        ["-m", "imagefactory.entry.up.launch", "worker"],
    ):
        ran = subprocess.run(
            [sys.executable, *command],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert ran.returncode == 2
        assert "IMAGEFACTORY_WEB_WORKERS" in ran.stderr
        assert "IMAGEFACTORY_PUBLIC_URL" in ran.stderr
        assert "Traceback" not in ran.stderr
