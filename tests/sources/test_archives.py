"""Archives that were made to do harm, and those that were not."""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imagefactory.adapters.sources.archive import unpack
from imagefactory.adapters.sources.base import Problem, SourceLimits, SourceUnavailable

LIMITS = SourceLimits(max_bytes=1024 * 1024, max_files=100)


def tar_of(path: Path, *entries: tuple[str, bytes, str], mode: int = 0o644) -> Path:
    """Write a tar of (name, tar type, content or link target)."""
    with tarfile.open(path, "w") as tar:
        for name, kind, text in entries:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = kind, mode
            if kind == tarfile.REGTYPE:
                entry.size = len(text.encode())
                tar.addfile(entry, io.BytesIO(text.encode()))
            else:
                entry.linkname = text
                tar.addfile(entry)
    return path


def refused(archive: Path, where: Path) -> Problem:
    where.mkdir()
    with pytest.raises(SourceUnavailable) as caught:
        unpack(archive, where, LIMITS)
    return caught.value.problem


FILE = tarfile.REGTYPE


@pytest.mark.parametrize(
    "entries",
    [
        [("../evil", FILE, "x")],
        [("/evil", FILE, "x")],
        [("a/../../evil", FILE, "x")],
        [("link", tarfile.SYMTYPE, "/etc/passwd")],
        [("link", tarfile.SYMTYPE, "../..")],
        [("dir/link", tarfile.SYMTYPE, "../../x")],
        [("real", tarfile.DIRTYPE, ""), ("link", tarfile.SYMTYPE, "real"), ("link/evil", FILE, "x")],
        [("hard", tarfile.LNKTYPE, "../../etc/passwd")],
        [("hard", tarfile.LNKTYPE, "missing")],
        [("dev", tarfile.CHRTYPE, "")],
        [("pipe", tarfile.FIFOTYPE, "")],
    ],
)
def test_a_tar_that_reaches_out_is_refused(tmp_path: Path, entries: list[tuple[str, bytes, str]]) -> None:
    assert refused(tar_of(tmp_path / "a.tar", *entries), tmp_path / "out") is Problem.INVALID_ARCHIVE
    assert not (tmp_path / "evil").exists()


def test_links_inside_are_kept_and_special_bits_are_not(tmp_path: Path) -> None:
    entries = (("bin/a", FILE, "x"), ("b", tarfile.SYMTYPE, "bin/a"), ("c", tarfile.LNKTYPE, "bin/a"))
    out = tmp_path / "out"
    out.mkdir()
    fetched = unpack(tar_of(tmp_path / "a.tar", *entries, mode=0o6755), out, LIMITS)
    assert fetched.files == 3
    assert (out / "b").readlink() == Path("bin/a")
    assert stat.S_IMODE((out / "bin/a").stat().st_mode) & 0o7022 == 0
    assert os.access(out / "bin/a", os.X_OK)


def test_a_lone_top_directory_is_left_out(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    told: list[str] = []
    unpack(tar_of(tmp_path / "a.tar", ("app-1.0/Dockerfile", FILE, "FROM a")), out, LIMITS, told.append)
    assert [path.name for path in out.iterdir()] == ["Dockerfile"]
    assert "app-1.0" in told[0]


def test_a_bomb_stops_at_the_limit(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "a.tar.gz", "wb") as packed, tarfile.open(fileobj=packed, mode="w") as tar:
        entry = tarfile.TarInfo("zeros")
        entry.size = 64 * 1024 * 1024
        tar.addfile(entry, io.BytesIO(bytes(entry.size)))
    assert refused(tmp_path / "a.tar.gz", tmp_path / "out") is Problem.TOO_LARGE
    assert not (tmp_path / "out" / "zeros").exists()


def test_too_many_entries_stop_at_the_limit(tmp_path: Path) -> None:
    many = [(f"f{number}", FILE, "") for number in range(101)]
    assert refused(tar_of(tmp_path / "a.tar", *many), tmp_path / "out") is Problem.TOO_LARGE


def test_a_huge_extended_header_is_not_read(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.PAX_FORMAT) as tar:
        entry = tarfile.TarInfo("x")
        entry.pax_headers = {"comment": "y" * (2 * 1024 * 1024)}
        tar.addfile(entry)
    where = tmp_path / "out"
    where.mkdir()
    with pytest.raises(SourceUnavailable, match="header larger"):
        unpack(tmp_path / "a.tar", where, LIMITS)


def test_a_zip_is_held_to_the_same_rules(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr("../evil", "x")
    assert refused(tmp_path / "bad.zip", tmp_path / "out") is Problem.INVALID_ARCHIVE
    with zipfile.ZipFile(tmp_path / "good.zip", "w") as archive:
        archive.writestr("Dockerfile", "FROM a")
        archive.writestr("src/x", "y")
    (tmp_path / "good").mkdir()
    assert unpack(tmp_path / "good.zip", tmp_path / "good", LIMITS).files == 2


@pytest.mark.parametrize("ahead", [b"", b"PK something before it"])
def test_the_directory_of_a_zip_is_counted_before_it_is_read(tmp_path: Path, ahead: bytes) -> None:
    """An entry of 47 bytes becomes an object ten times as large: an upload of 512 MiB would fill the memory."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(101):
            archive.writestr(f"f{number}", "")
    whole = ahead + buffer.getvalue()
    (tmp_path / "a.zip").write_bytes(whole)
    assert refused(tmp_path / "a.zip", tmp_path / "out") is Problem.TOO_LARGE
    assert list((tmp_path / "out").iterdir()) == []  # before, the first hundred were written
    (tmp_path / "fits").mkdir()
    assert unpack(tmp_path / "a.zip", tmp_path / "fits", SourceLimits(max_bytes=1024, max_files=101)).files == 101


def test_the_directory_of_a_large_zip_is_counted_too(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number in range(65_536):  # more than the old form of a zip can count
            archive.writestr(f"f{number}", "")
    assert refused(tmp_path / "a.zip", tmp_path / "out") is Problem.TOO_LARGE
    assert list((tmp_path / "out").iterdir()) == []


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.binary(max_size=600), head=st.sampled_from([b"", b"PK\x03\x04", b"\x1f\x8b", b"BZh9", b"\xfd7zXZ\x00"]))
def test_random_bytes_are_refused_with_a_sentence(tmp_path: Path, data: bytes, head: bytes) -> None:
    (tmp_path / "a").write_bytes(head + data)
    where = tmp_path / "out"
    where.mkdir(exist_ok=True)
    with pytest.raises(SourceUnavailable):
        unpack(tmp_path / "a", where, LIMITS)
