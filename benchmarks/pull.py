"""What the decision at request time costs a pull: one manifest through the front door, with web asked first and without."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx

from benchmarks import places
from benchmarks.factory import Factory
from benchmarks.figures import Figure, Options, spread, spread_figures

DECISION_MS, TURNS = 15.0, 10
_CHECK = re.compile(r"\t\tforward_auth .*?\n\t\t}\n", re.DOTALL)
_MANIFEST = {"Accept": "application/vnd.oci.image.manifest.v1+json"}


@contextlib.contextmanager
def _without_check(factory: Factory) -> Iterator[int]:
    """Run a second front door that asks nobody before it passes a request to the registry; yields its port."""
    from imagefactory.entry.up import front_door

    port, text = places.free_port(), (factory.data / "run" / "Caddyfile").read_text()
    bare, gone = _CHECK.subn("", text)
    if gone != 1:
        raise RuntimeError("The front door's configuration has no check to leave out.")
    with tempfile.TemporaryDirectory() as place:
        config = Path(place) / "Caddyfile"
        config.write_text(
            bare.replace(f":{factory.port}", f":{port}").replace(str(factory.data / "run" / "caddy"), place)
        )
        argv = [front_door.program() or "caddy", "run", "--adapter", "caddyfile", "--config", str(config)]
        environment = {"HOME": place, "PATH": "/usr/bin:/bin"}
        with places.running(argv, environment, Path(place) / "log"):
            places.until(lambda: _status(f"http://127.0.0.1:{port}/v2/") == 401, "the second front door")
            yield port


def _status(url: str) -> int:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(url, trust_env=False).status_code
    return 0


def _pushed(factory: Factory) -> tuple[str, str, str]:
    """Push an image by hand; returns its manifest's path, a key that may pull it, and the id of that key."""
    from imagefactory.domain.identity.services import create_api_key
    from imagefactory.executors.fake import write_layout

    owner = places.team("bench")
    key, text = create_api_key(owner.actor(), name="bench", project_ids=[owner.project_id])
    repository = f"{owner.slug}/{owner.project_slug}"
    with tempfile.TemporaryDirectory() as place:
        write_layout(Path(place) / "layout", "bench")
        subprocess.run(
            ["skopeo", "--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false", f"--dest-creds=x:{text}",
             f"oci:{place}/layout:latest", f"docker://127.0.0.1:{factory.port}/{repository}:latest"],
            check=True, capture_output=True,
        )  # fmt: skip
    return repository, text, str(key.id)


def _token(factory: Factory, repository: str, key: str) -> dict[str, str]:
    asked = {"service": "imagefactory-registry", "scope": f"repository:{repository}:pull"}
    answer = httpx.get(f"{factory.url}/registry/token", params=asked, auth=("x", key), trust_env=False)
    return {"Authorization": f"Bearer {answer.json()['token']}", **_MANIFEST}


def _compared(factory: Factory, repository: str, key: str, each: int) -> Iterator[Figure]:
    path, spent = f"/v2/{repository}/manifests/latest", dict[str, list[float]](asked=[], straight=[])
    with _without_check(factory) as port:
        doors = {"asked": factory.url, "straight": f"http://127.0.0.1:{port}"}
        with httpx.Client(trust_env=False) as client:
            for turn in range(TURNS):
                headers = _token(factory, repository, key)
                for door in sorted(doors, reverse=bool(turn % 2)):
                    for n in range(each + 3):
                        began = time.perf_counter()
                        answer = client.get(doors[door] + path, headers=headers)
                        if answer.status_code != 200:
                            raise RuntimeError(f"A pull was answered with {answer.status_code}: {answer.text[:200]}")
                        if n >= 3:
                            spent[door].append((time.perf_counter() - began) * 1000)
    bare = spread(spent["straight"])
    for figure, peer in zip(spread_figures("manifest through the door", spent["asked"]), bare, strict=True):
        yield Figure(figure.what, figure.value, "ms", peer=peer, peer_name="nobody asked", note=figure.note)
        if "p95" in figure.what and figure.value is not None:
            yield Figure("the decision, p95", figure.value - peer, "ms", reach=DECISION_MS, note="the difference")


def _revoked(factory: Factory, repository: str, key: str, key_id: str) -> Iterator[Figure]:

    from imagefactory.domain.identity.selectors import actor_for_token
    from imagefactory.domain.identity.services import revoke_api_key
    from imagefactory.kernel.actor import ActorKind

    headers, path = _token(factory, repository, key), f"/v2/{repository}/manifests/latest"
    person = dataclasses.replace(actor_for_token(key), kind=ActorKind.USER, key_id=None)
    revoke_api_key(person, uuid.UUID(key_id))
    began = time.perf_counter()
    places.until(
        lambda: httpx.get(factory.url + path, headers=headers, trust_env=False).status_code == 401, "a refusal", every=0
    )
    yield Figure("revoked to refused", (time.perf_counter() - began) * 1000, "ms", reach=2000)


def measure(options: Options) -> Iterator[Figure]:
    """Yield the figures."""
    factory = Factory(IMAGEFACTORY_EXECUTOR="fake", IMAGEFACTORY_BUILD_NETWORK="none")
    with factory.running():
        factory.django()
        from django.db import connections

        try:
            repository, key, key_id = _pushed(factory)
            yield from _compared(factory, repository, key, 10 if options.quick else 50)
            yield from _revoked(factory, repository, key, key_id)
        finally:
            connections.close_all()
