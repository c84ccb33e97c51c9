"""Secrets leave no trace, wherever the output is cut."""

from __future__ import annotations

import base64
import itertools
import json
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagefactory.adapters.logs.masking import Masker, SecretTooShort, spellings

# A small alphabet makes near misses and overlaps likely. `*` is left out: a secret of stars looks like a
# mask.
SECRETS = st.lists(
    st.text("abAB\n", min_size=4, max_size=9).filter(lambda s: len(s.strip()) >= 4), min_size=1, max_size=4
)


def masked(masker: Masker, pieces: list[str]) -> str:
    return "".join([masker.feed("out", piece) for piece in pieces]) + masker.flush("out")


@given(secrets=SECRETS, data=st.data())
@settings(max_examples=400, deadline=None)
def test_no_secret_leaves_and_the_cuts_make_no_difference(secrets: list[str], data: st.DataObject) -> None:
    forms = sorted({form for secret in secrets for form in spellings(secret)})
    parts = data.draw(st.lists(st.one_of(st.sampled_from(forms), st.text("abABxy\n", max_size=6)), max_size=8))
    text = "".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    shown = masked(Masker(secrets), pieces)
    assert not [form for form in forms if form in shown]
    assert shown == masked(Masker(secrets), [text])
    if not any(form in text for form in forms):
        assert shown == text


@given(cuts=st.lists(st.integers(0, 60), max_size=12), other=st.text("xyz\n", max_size=40))
@settings(max_examples=200, deadline=None)
def test_streams_that_take_turns_do_not_disturb_each_other(cuts: list[int], other: str) -> None:
    masker = Masker(["hunter22secret"])
    text = "begin hunter22secret and hunter22secre end hunter22secret"
    out = err = ""
    marks = [0, *sorted(cuts), len(text)]
    for number, (start, end) in enumerate(itertools.pairwise(marks)):
        out += masker.feed("out", text[start:end])
        err += masker.feed("err", other[number : number + 1])
    err += masker.feed("err", other[len(marks) - 1 :]) + masker.flush("err")
    assert out + masker.flush("out") == "begin *** and hunter22secre end ***"
    assert err == other
    assert masker.masked == 2


@pytest.mark.parametrize(
    "spelled",
    [
        'p@ss w/rd"1',
        json.dumps('p@ss w/rd"1'),
        quote('p@ss w/rd"1'),
        quote('p@ss w/rd"1', safe=""),
        "p%40ss+w%2Frd%221",
        base64.b64encode(b'p@ss w/rd"1').decode(),
        base64.b64encode(b'user:p@ss w/rd"1').decode(),
        base64.b64encode(b'u:p@ss w/rd"1\n').decode(),
        base64.urlsafe_b64encode(b'xp@ss w/rd"1 and more').decode(),
    ],
)
def test_every_spelling_of_a_secret_is_masked(spelled: str) -> None:
    masker = Masker(['p@ss w/rd"1'])
    shown = masked(masker, [f"before {spelled} after"])
    assert shown.startswith("before ")
    assert shown.endswith(" after")
    assert "***" in shown
    assert masker.masked == 1
    left = shown.removeprefix("before ").removesuffix(" after").replace("***", "")
    assert len(left) <= 16, "only what stands around the value may be left"


def test_each_line_of_a_key_is_masked_alone() -> None:
    key = "-----BEGIN KEY-----\r\nMIIEabcd1234\r\nx\r\nMIIEefgh5678\r\n-----END KEY-----\r\n"
    shown = masked(Masker([key]), ["MIIEabcd1234\n", "ok\n", "MIIE", "efgh5678"])
    assert shown == "***\nok\n***"


@pytest.mark.parametrize("secret", ["", "abc", "  abc  \n"])
def test_a_secret_that_is_too_short_is_refused_without_showing_it(secret: str) -> None:
    with pytest.raises(SecretTooShort) as refused:
        Masker(["long enough", secret])
    assert "abc" not in str(refused.value)


def test_without_secrets_text_passes_at_once() -> None:
    assert Masker([]).feed("out", "anything") == "anything"


def test_what_could_become_a_secret_is_held_and_let_go() -> None:
    masker = Masker(["secret99"])
    assert masker.feed("out", "a secre") == "a "
    assert masker.feed("out", "tary") == "secretary"
