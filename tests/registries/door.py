"""A real front door before a real registry and the factory's web, for tests of who may pull and push at this moment."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import yaml

from imagefactory.adapters.registries.tokens import ensure_keys
from imagefactory.entry.up import front_door, processes, registry
from imagefactory.entry.up.site import Site
from imagefactory.kernel import env
from imagefactory.kernel.env import Settings

QUIET: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


@contextlib.contextmanager
def standing(place: Path, web: str) -> Iterator[Site]:
    """Run registry and front door in `place`, at the tests' public address; `web` is where the factory's web listens."""
    (place / "run").mkdir(parents=True)
    site = Site(Settings(data_dir=place, public_url=env.get().public_url), None)
    _, certificate = ensure_keys(env.get().data_dir / "secrets")
    config = yaml.safe_load(registry.configuration(site, "upload-secret"))
    config["auth"]["token"]["rootcertbundle"] = str(certificate)
    del config["notifications"]
    (place / "registry.yml").write_text(yaml.safe_dump(config))
    text = front_door.configuration(site).replace(f"unix/{site.run / 'web.sock'}", web)
    (site.run / "Caddyfile").write_text(text.replace("lb_try_duration 6s", "lb_try_duration 500ms"))
    with contextlib.ExitStack() as stack:
        stack.enter_context(_running(["docker-registry", "serve", str(place / "registry.yml")]))
        stack.enter_context(_running(front_door.argv(site), processes.environment(site)))
        deadline = time.monotonic() + 60
        while not (site.run / "registry.sock").exists() or not _answers(f"{site.settings.public_url}/v2/"):
            assert time.monotonic() < deadline, "registry and front door do not answer"
            time.sleep(0.05)
        yield site


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code in {401, 503}
    except httpx.HTTPError:
        return False


@contextlib.contextmanager
def _running(argv: list[str], environment: dict[str, str] | None = None) -> Iterator[None]:
    with subprocess.Popen(argv, env=environment, **QUIET) as process:
        try:
            yield
        finally:
            process.terminate()
            process.wait(15)


class Client:
    """Speaks to the registry as Docker does: one token for a repository, kept while the test changes rights."""

    def __init__(self, key: str, repository: str, actions: str = "pull,push") -> None:
        self.repository, self._http = repository, httpx.Client(base_url=env.get().public_url, timeout=30)
        asked = {"service": "imagefactory-registry", "scope": f"repository:{repository}:{actions}"}
        answer = self._http.get("/registry/token", params=asked, auth=("anyone", key))
        self.token = answer.json().get("token", "") if answer.status_code == 200 else ""
        self.answer = answer

    def ask(self, method: str, path: str, repository: str = "", **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}", **more.pop("headers", {})}
        url = f"/v2/{repository or self.repository}/{path}"
        return self._http.request(method, url, headers=headers, **more)

    def pull(self, tag: str = "latest") -> int:
        accept = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
        return self.ask("GET", f"manifests/{tag}", headers=accept).status_code

    def begin_push(self) -> httpx.Response:
        return self.ask("POST", "blobs/uploads/")


def skopeo(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["skopeo", "--insecure-policy", *arguments], capture_output=True, text=True, check=False, timeout=120
    )


def push(key: str, layout: Path, reference: str) -> subprocess.CompletedProcess[str]:
    return skopeo(
        "copy", "--dest-tls-verify=false", f"--dest-creds=x:{key}", f"oci:{layout}:latest", f"docker://{reference}"
    )


def pull(key: str, reference: str, into: Path) -> subprocess.CompletedProcess[str]:
    return skopeo("copy", "--src-tls-verify=false", f"--src-creds=x:{key}", f"docker://{reference}", f"oci:{into}:x")


def message(answer: httpx.Response) -> str:
    return str(json.loads(answer.content)["errors"][0]["message"])
