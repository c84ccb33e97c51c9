"""The permission matrix, cell by cell: written here by hand, so that a change of the code alone cannot pass."""

from __future__ import annotations

import pytest

from imagefactory.domain.identity.permissions import REASONS, ROLE_PERMISSIONS, Permission, Role, grantors

ROLES = (Role.OWNER, Role.ADMIN, Role.MEMBER, Role.VIEWER)
MATRIX = {
    "project:view": "yes yes yes yes",
    "project:create": "yes no no no",
    "project:delete": "yes no no no",
    "build:view": "yes yes yes yes",
    "build:start": "yes yes yes no",
    "build:cancel": "yes yes no no",
    "log:download": "yes yes yes yes",
    "artifact:view": "yes yes yes yes",
    "artifact:download": "yes yes yes yes",
    "team:manage": "yes yes no no",
    "settings:edit": "yes yes no no",
    "analytics:view": "yes yes no yes",
    "billing:view": "yes no no no",
    "audit:view": "yes yes no yes",
    "report:view": "yes yes no yes",
}
CELLS = [
    pytest.param(permission, role, word == "yes", id=f"{role}-{permission}-{word}")
    for permission, row in MATRIX.items()
    for role, word in zip(ROLES, row.split(), strict=True)
]


@pytest.mark.parametrize(("permission", "role", "held"), CELLS)
def test_a_role_holds_exactly_what_the_matrix_says(permission: str, role: Role, held: bool) -> None:
    assert (Permission(permission) in ROLE_PERMISSIONS[role]) is held


def test_every_permission_has_a_row_and_every_row_a_permission() -> None:
    assert set(MATRIX) == {str(p) for p in Permission}
    assert set(ROLE_PERMISSIONS) == set(ROLES) == set(Role)


@pytest.mark.parametrize("permission", list(Permission))
def test_every_refusal_says_why_and_who_can_grant_it(permission: Permission) -> None:
    assert REASONS[permission].endswith(".")
    assert "Owner" in grantors(permission)
