"""The second wall with roles of an operator's own: the guide's statements, run as they stand there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from imagefactory.adapters.postgres import embedded
from imagefactory.adapters.postgres.temporary import temporary
from imagefactory.entry.up.second_wall import missing

ROOT = Path(__file__).resolve().parents[2]
PASSWORDS = {"owner": "first", "app": "second", "system": "third"}


def _guide() -> list[list[str]]:
    """Return the statements of each SQL block of the section."""
    text = (ROOT / "docs" / "operator.md").read_text().split("## Your own PostgreSQL", 1)[1].split("\n## ", 1)[0]
    return [[s for s in block.split(";") if s.strip()] for block in re.findall(r"```sql\n(.*?)```", text, re.DOTALL)]


def _address(server: Path, role: str) -> str:
    run = quote(str(embedded.socket_dir(server)), safe="/")
    return f"postgresql://factory_{role}:{PASSWORDS[role]}@/imagefactory2?host={run}"


def _run(server: Path, database: str, statements: list[str]) -> None:
    with psycopg.connect(embedded.embedded_url(server, "postgres", database), autocommit=True) as connection:
        for statement in statements:
            # The server of the test has a database of that name already.
            connection.execute(statement.replace("database imagefactory ", "database imagefactory2 ").encode())


def _migrate(server: Path, place: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "django", "migrate", "--noinput", "--verbosity", "0"], cwd="/", check=True,
        env={
            "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "src"), "IMAGEFACTORY_DATA_DIR": str(place),
            "DJANGO_SETTINGS_MODULE": "imagefactory.settings.django", "IMAGEFACTORY_PROCESS": "migrate",
            "IMAGEFACTORY_DATABASE_URL": _address(server, "app"),
            "IMAGEFACTORY_DATABASE_OWNER_URL": _address(server, "owner"),
        },
    )  # fmt: skip


@pytest.mark.real
def test_the_roles_of_the_guide_make_the_second_wall_and_one_role_is_told_that_it_is_missing(tmp_path: Path) -> None:
    roles, rights = _guide()
    with temporary() as server:
        _run(server, "postgres", roles)
        _run(server, "imagefactory2", rights)
        _migrate(server, tmp_path)
        assert missing(_address(server, "app")) == ""
        for role in ("owner", "system"):
            assert f"the database role factory_{role} of" in missing(_address(server, role))
        with psycopg.connect(_address(server, "system")) as system:
            assert system.execute("select count(*) from builds_build").fetchone() == (0,)
        # On a database that has its tables already, the same statements may come later. Who cannot ask is told nothing.
        _run(server, "imagefactory2", rights)
        assert missing(_address(server, "app").replace("second", "wrong")) == ""
