"""Image references, completed as Docker completes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagefactory.kernel.reference import ReferenceInvalid, has_transport, parse

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("written", "complete"),
    [
        ("debian", "docker.io/library/debian:latest"),
        ("debian:12", "docker.io/library/debian:12"),
        ("team/app", "docker.io/team/app:latest"),
        ("localhost/app", "localhost/app:latest"),
        ("localhost:3000/a/b:1", "localhost:3000/a/b:1"),
        ("ghcr.io/a/b@" + DIGEST, "ghcr.io/a/b@" + DIGEST),
        ("index.docker.io/debian", "docker.io/library/debian:latest"),
    ],
)
def test_references_are_completed(written: str, complete: str) -> None:
    assert str(parse(written)) == complete


@pytest.mark.parametrize("text", ["", "Debian", "a//b", "a:b:c", "a@sha256:1", "docker://a", "a b", "-a", "h:99x/a"])
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(ReferenceInvalid):
        parse(text)


def test_only_library_names_are_looked_for_in_the_own_registry() -> None:
    assert [str(each) for each in parse("debian:12").candidates("own:1")] == [
        "own:1/library/debian:12", "docker.io/library/debian:12",
    ]  # fmt: skip
    assert [str(each) for each in parse("team/app:1").candidates("own:1")] == ["docker.io/team/app:1"]


def test_an_image_named_like_a_transport_is_an_image() -> None:
    assert has_transport("docker-archive:/x")
    assert has_transport("oci:/x:1")
    assert not has_transport("docker:24")


@given(st.text(max_size=60))
def test_what_is_accepted_reads_back_as_itself(text: str) -> None:
    try:
        reference = parse(text)
    except ReferenceInvalid:
        return
    assert parse(str(reference)) == reference
