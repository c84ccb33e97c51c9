"""Secrets in layers are found, hostile layouts are refused, grants open one repository and nothing else."""

from __future__ import annotations

import base64
import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from imagefactory.adapters.registries.layers import find_secrets
from imagefactory.adapters.registries.layout import LayoutInvalid, read_image, write_from_tar
from imagefactory.adapters.registries.tokens import TokenIssuer, ensure_keys, parse_scopes

SECRET = "correct horse/battery+staple"


def layout_with(where: Path, content: bytes, env: Sequence[str] = ()) -> Path:
    with tarfile.open(where / "root.tar", "w") as tar:
        entry = tarfile.TarInfo("file")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    layout = where / "image"
    write_from_tar(where / "root.tar", layout, config={"Cmd": ["sh"], "Env": list(env)}, created="2023-11-14T22:13:20Z")
    return layout


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (SECRET.encode(), ["tok"]),
        (b"x" * 1_048_570 + SECRET.encode(), ["tok"]),  # over the edge of two pieces
        (base64.b64encode(b"user:" + SECRET.encode() + b"!"), ["tok"]),
        (b"https://u:correct%20horse%2Fbattery%2Bstaple@host", ["tok"]),
        (b"nothing to see", []),
    ],
)
def test_a_secret_is_found_in_each_spelling(tmp_path: Path, content: bytes, found: list[str]) -> None:
    layout = layout_with(tmp_path, content)
    assert find_secrets(layout, read_image(layout), {"tok": SECRET}, limit=10_000_000) == found


@pytest.mark.parametrize("secret", ['say "friend" and enter', "grüße\\vom\tmeer", "plain words"])
def test_a_secret_is_found_in_the_configuration_and_in_json_whatever_its_characters(
    tmp_path: Path, secret: str
) -> None:
    for place, content, env in (
        ("config", b"x", [f"TOKEN={secret}"]),
        ("layer", json.dumps({"token": secret}).encode(), []),
    ):
        (tmp_path / place).mkdir()
        layout = layout_with(tmp_path / place, content, env)
        assert find_secrets(layout, read_image(layout), {"tok": secret}, limit=10_000_000) == ["tok"], place
        assert find_secrets(layout, read_image(layout), {"tok": f"not {secret}"}, limit=10_000_000) == [], place


def test_a_layer_that_is_not_what_its_digest_says_is_refused(tmp_path: Path) -> None:
    layout = layout_with(tmp_path, b"x")
    image = read_image(layout)
    blob = layout / "blobs" / "sha256" / str(image.layers[0]["digest"]).removeprefix("sha256:")
    blob.write_bytes(blob.read_bytes() + b"x")
    with pytest.raises(LayoutInvalid):
        read_image(layout)


def test_a_layout_that_is_a_link_to_the_host_is_refused(tmp_path: Path) -> None:
    layout = layout_with(tmp_path, b"x")
    (layout / "index.json").rename(tmp_path / "elsewhere.json")
    (layout / "index.json").symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(LayoutInvalid):
        read_image(layout)


def test_the_same_tar_gives_the_same_digest(tmp_path: Path) -> None:
    digests = set()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        index = json.loads((layout_with(tmp_path / name, b"x") / "index.json").read_text())
        digests.add(index["manifests"][0]["digest"])
    assert len(digests) == 1


def test_a_grant_opens_one_repository_until_it_ends(tmp_path: Path) -> None:
    issuer = TokenIssuer(ensure_keys(tmp_path)[0])
    grant = issuer.read_grant(issuer.issue_grant("build 1", "team/app", ["push", "pull"]))
    assert grant is not None
    assert grant.allows("team/app") == {"pull", "push"}
    assert not grant.allows("team/other")
    assert issuer.read_grant(issuer.issue_grant("build 1", "team/app", ["push"], ttl=-5)) is None
    (tmp_path / "stranger").mkdir()
    stranger = TokenIssuer(ensure_keys(tmp_path / "stranger")[0])
    assert issuer.read_grant(stranger.issue_grant("build 1", "team/app", ["push"])) is None
    assert issuer.read_grant("ifg_" + issuer.issue("x", [])["token"]) is None  # a registry token is no grant


def test_keys_are_made_once_and_private(tmp_path: Path) -> None:
    key, certificate = ensure_keys(tmp_path)
    before = key.read_bytes()
    assert ensure_keys(tmp_path) == (key, certificate)
    assert key.read_bytes() == before
    assert key.stat().st_mode & 0o077 == 0


def test_scopes_that_are_not_well_formed_ask_for_nothing() -> None:
    asked = parse_scopes(["repository:team/app:pull,push", "repository:../x:pull", "nonsense", "repository:A:pull"])
    assert [(each.name, each.actions) for each in asked] == [("team/app", ("pull", "push"))]
