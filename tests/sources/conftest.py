"""A repository with two commits and a tag."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sources.servers import git


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    where = tmp_path / "repositories" / "app"
    where.mkdir(parents=True)
    git(where, "init", "--quiet", "-b", "main")
    (where / "Dockerfile").write_text("FROM scratch\n")
    git(where, "add", ".")
    git(where, "commit", "--quiet", "-m", "First")
    git(where, "tag", "-a", "v1", "-m", "One")
    (where / "more").write_text("more\n")
    git(where, "add", ".")
    git(where, "commit", "--quiet", "-m", "Second")
    return where
