"""Kinds of source and of credential."""

from __future__ import annotations

import enum


class SourceKind(enum.StrEnum):
    NONE = ""
    GIT = "git"
    ARCHIVE = "archive"
    INLINE = "inline"


class CredentialKind(enum.StrEnum):
    """What a stored secret is for."""

    GIT_PASSWORD = "git_password"  # noqa: S105 - a kind, not a password
    GIT_SSH_KEY = "git_ssh_key"
    BUILD_SECRET = "build_secret"  # noqa: S105 - a kind, not a secret
