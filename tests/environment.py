"""The world that every test runs in: a PostgreSQL and a data directory of its own, gone at the end.

A plugin and not a conftest, because Django's settings are read before any conftest is.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import tempfile
from pathlib import Path

import pytest

_stack = contextlib.ExitStack()
_database: Path | None = None


def database() -> Path:
    """Return the data directory of the tests' PostgreSQL, for tests that kill it and start it again."""
    assert _database is not None
    return _database


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    for name in [n for n in os.environ if n.startswith("IMAGEFACTORY_")]:
        del os.environ[name]
    from imagefactory.adapters.postgres.embedded import embedded_url
    from imagefactory.adapters.postgres.temporary import temporary

    place = Path(tempfile.mkdtemp(prefix="iftest-"))
    _stack.callback(shutil.rmtree, place, ignore_errors=True)
    global _database  # noqa: PLW0603 - pytest hands a plugin no place of its own before the settings are read
    server = _database = _stack.enter_context(temporary())
    os.environ["IMAGEFACTORY_DATA_DIR"] = str(place)
    # Tests empty their own database after each that commits, which the audit trail refuses even its owner by default.
    allowed = "&options=-c%20imagefactory.audit_truncate%3Dallowed"
    os.environ["IMAGEFACTORY_TEST_DATABASE_URL"] = embedded_url(server, "owner") + allowed
    os.environ["IMAGEFACTORY_TEST_INVALID_VARIABLE"] = "INVALID-VARIABLE(%s)"
    os.environ["IMAGEFACTORY_TENANT_SLOTS"] = "2"
    # The registry of the tests listens here; the port is part of image names, so it is chosen before anything starts.
    os.environ["IMAGEFACTORY_PUBLIC_URL"] = f"http://127.0.0.1:{_free_port()}"
    os.environ["IMAGEFACTORY_LEASE_SECONDS"] = "5"
    # Identity providers of the tests are processes on this machine.
    os.environ["IMAGEFACTORY_IDENTITY_HOSTS"] = "127.0.0.1,localhost"
    os.environ["IMAGEFACTORY_BUILD_NETWORK"] = "none"


@pytest.hookimpl(trylast=True)
def pytest_configure() -> None:
    """Serve requests as the role that a factory serves them as; store passwords by a cheap hash.

    A world has five people, and Argon2 takes its time on purpose.
    """
    from django.conf import settings

    settings.MIDDLEWARE = ["tests.walled.AppRoleMiddleware", *settings.MIDDLEWARE]
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher", *settings.PASSWORD_HASHERS]


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
    return port


def pytest_unconfigure() -> None:
    _stack.close()
