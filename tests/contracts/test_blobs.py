"""Every blob store keeps the contract of `adapters/blobs/base.py`: the same tests for the one in memory and the one in files."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagefactory.adapters.blobs.base import Blob, BlobNotFound, BlobStore, BlobTooLarge
from imagefactory.adapters.blobs.fake import FakeBlobs
from imagefactory.adapters.blobs.files import FileBlobs

ABSENT = f"sha256:{'0' * 64}"


@pytest.fixture(params=["memory", "files"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    return FakeBlobs() if request.param == "memory" else FileBlobs(tmp_path / "blobs")


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def test_content_comes_back_under_the_digest_of_its_bytes(store: BlobStore) -> None:
    blob = store.put([b"one ", b"", b"two"], max_bytes=100)
    assert blob == Blob(digest_of(b"one two"), 7)
    assert store.find(blob.digest) == blob
    with store.open(blob.digest) as first, store.open(blob.digest) as second:
        assert first.read(3) == b"one"
        assert second.read() == b"one two"


def test_empty_content_is_content(store: BlobStore) -> None:
    blob = store.put([], max_bytes=0)
    assert blob == Blob(digest_of(b""), 0)
    with store.open(blob.digest) as content:
        assert content.read() == b""


def test_the_same_content_twice_is_one_blob(store: BlobStore) -> None:
    assert store.put([b"same"], max_bytes=4) == store.put([b"sa", b"me"], max_bytes=4)
    store.delete(digest_of(b"same"))
    assert store.find(digest_of(b"same")) is None


def test_content_may_be_as_large_as_allowed_and_no_larger(store: BlobStore) -> None:
    assert store.put([b"x" * 2048], max_bytes=2048).size == 2048
    with pytest.raises(BlobTooLarge, match=r"larger than 2 KiB.*\.$"):
        store.put([b"y" * 2048, b"y"], max_bytes=2048)
    assert store.find(digest_of(b"y" * 2049)) is None
    assert store.find(digest_of(b"y" * 2048)) is None


def test_a_source_that_breaks_off_leaves_nothing(store: BlobStore) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        raise ConnectionError("the client went away")

    with pytest.raises(ConnectionError):
        store.put(broken(), max_bytes=100)
    assert store.find(digest_of(b"half")) is None


def test_what_is_not_there_is_told_in_a_sentence_and_may_be_deleted(store: BlobStore) -> None:
    assert store.find(ABSENT) is None
    with pytest.raises(BlobNotFound, match=r"upload it again\.$"):
        store.open(ABSENT)
    store.delete(ABSENT)


@pytest.mark.parametrize("text", ["", "sha256:", "sha256:../../etc/passwd", "md5:0", f"sha256:{'0' * 64}/", "../x"])
def test_a_text_that_is_no_digest_names_nothing(store: BlobStore, text: str) -> None:
    assert store.find(text) is None
    with pytest.raises(BlobNotFound):
        store.open(text)
    store.delete(text)


def test_a_deleted_blob_is_gone_and_can_be_put_again(store: BlobStore) -> None:
    blob = store.put([b"again"], max_bytes=10)
    store.delete(blob.digest)
    with pytest.raises(BlobNotFound):
        store.open(blob.digest)
    assert store.put([b"again"], max_bytes=10) == blob
    assert store.find(blob.digest) == blob


def test_many_may_put_the_same_content_at_once(store: BlobStore) -> None:
    found: list[Blob] = []

    def work() -> None:
        found.extend(store.put([b"x" * 4096], max_bytes=4096) for _ in range(20))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == [Blob(digest_of(b"x" * 4096), 4096)] * 80
    with store.open(found[0].digest) as content:
        assert content.read() == b"x" * 4096


def test_a_failed_upload_leaves_no_file_behind(tmp_path: Path) -> None:
    store = FileBlobs(tmp_path)
    with pytest.raises(BlobTooLarge):
        store.put([b"x" * 100], max_bytes=10)
    assert list(tmp_path.iterdir()) == []
    assert store.put([b"x"], max_bytes=10).size == 1
    assert store.path(digest_of(b"x")).stat().st_mode & 0o077 == 0
