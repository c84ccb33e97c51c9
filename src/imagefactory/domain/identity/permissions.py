"""Every permission, and the four roles as one table. The matrix in the documentation is made from this file."""

from __future__ import annotations

import enum


class Permission(enum.StrEnum):
    """`area:action`, alphabetical."""

    ANALYTICS_VIEW = "analytics:view"
    ARTIFACT_DOWNLOAD = "artifact:download"
    ARTIFACT_VIEW = "artifact:view"
    AUDIT_VIEW = "audit:view"
    BILLING_VIEW = "billing:view"
    BUILD_CANCEL = "build:cancel"
    BUILD_START = "build:start"
    BUILD_VIEW = "build:view"
    LOG_DOWNLOAD = "log:download"
    PROJECT_CREATE = "project:create"
    PROJECT_DELETE = "project:delete"
    PROJECT_VIEW = "project:view"
    REPORT_VIEW = "report:view"
    SETTINGS_EDIT = "settings:edit"
    TEAM_MANAGE = "team:manage"


class SystemRole(enum.StrEnum):
    """Of the whole installation; granted from the command line or by an administrator, never by an invitation."""

    ADMINISTRATOR = "administrator"
    READ_ONLY_ADMINISTRATOR = "read_only_administrator"
    SECURITY_REVIEWER = "security_reviewer"


class Role(enum.StrEnum):
    """Owner holds in the whole tenant, the others in the projects that a person is assigned to."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    VIEWER = "viewer"


_VIEW = frozenset(
    {
        Permission.ARTIFACT_DOWNLOAD,
        Permission.ARTIFACT_VIEW,
        Permission.BUILD_VIEW,
        Permission.LOG_DOWNLOAD,
        Permission.PROJECT_VIEW,
    }
)

ROLE_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.OWNER: frozenset(Permission),
    Role.ADMIN: _VIEW
    | {
        Permission.ANALYTICS_VIEW,
        Permission.AUDIT_VIEW,
        Permission.BUILD_CANCEL,
        Permission.BUILD_START,
        Permission.REPORT_VIEW,
        Permission.SETTINGS_EDIT,
        Permission.TEAM_MANAGE,
    },
    Role.MEMBER: _VIEW | {Permission.BUILD_START},
    Role.VIEWER: _VIEW | {Permission.ANALYTICS_VIEW, Permission.AUDIT_VIEW, Permission.REPORT_VIEW},
}

# What holds in the whole tenant or not at all; a role that is given per project cannot have it.
TENANT_ONLY: frozenset[Permission] = frozenset({Permission.BILLING_VIEW, Permission.PROJECT_CREATE})

# What a suspended tenant still allows; everything else is a change.
READ_ONLY: frozenset[Permission] = _VIEW | {
    Permission.ANALYTICS_VIEW,
    Permission.AUDIT_VIEW,
    Permission.BILLING_VIEW,
    Permission.REPORT_VIEW,
}

# What a refusal says; the second half of the sentence, who can grant it, follows from `grantors`.
REASONS: dict[Permission, str] = {
    Permission.ANALYTICS_VIEW: "Your role does not include the analytics of this project.",
    Permission.ARTIFACT_DOWNLOAD: "Your role does not include downloading artifacts of this project.",
    Permission.ARTIFACT_VIEW: "Your role does not include seeing the artifacts of this project.",
    Permission.AUDIT_VIEW: "Your role does not include the audit trail.",
    Permission.BILLING_VIEW: "Billing is open to owners of the team only.",
    Permission.BUILD_CANCEL: "Members may start builds and may not cancel them; viewers may do neither.",
    Permission.BUILD_START: "Viewers may watch builds and may not start them.",
    Permission.BUILD_VIEW: "Your role does not include the builds of this project.",
    Permission.LOG_DOWNLOAD: "Your role does not include downloading the logs of this project.",
    Permission.PROJECT_CREATE: "Only owners of the team create projects.",
    Permission.PROJECT_DELETE: "Only owners of the team delete projects.",
    Permission.PROJECT_VIEW: "Your role does not include this project.",
    Permission.REPORT_VIEW: "Your role does not include reports.",
    Permission.SETTINGS_EDIT: "Only owners and the project's admins change its settings.",
    Permission.TEAM_MANAGE: "Only owners and the project's admins manage its team.",
}


def grantors(permission: Permission) -> str:
    """Return the sentence that says who can grant `permission`."""
    roles = [r for r, held in ROLE_PERMISSIONS.items() if permission in held]
    lowest = " or ".join(r.capitalize() for r in roles)
    return f"It comes with the role {lowest}; an owner of the team can assign it."


class Capability(enum.StrEnum):
    """What a tenant is entitled to; switched by a system administrator."""

    BUILD = "build"
    QUARANTINE_REQUEST = "quarantine_request"
    QUARANTINE_RELEASE = "quarantine_release"
    ONDEMAND_IMAGE_SCANNING = "ondemand_image_scanning"


CAPABILITY_MEANINGS: dict[Capability, str] = {
    Capability.BUILD: "Start builds, push images to the registry, and keep what they make.",
    Capability.QUARANTINE_REQUEST: "Ask for images from outside; they come in through quarantine.",
    Capability.QUARANTINE_RELEASE: "Use images that reviewers released from quarantine.",
    Capability.ONDEMAND_IMAGE_SCANNING: "Have any image scanned for known vulnerabilities.",
}

# Of a tenant, for those who support it; pages and messages are in English so far.
LANGUAGES: dict[str, str] = {
    "en": "English", "cs": "Čeština", "da": "Dansk", "de": "Deutsch", "es": "Español", "fi": "Suomi", "fr": "Français",
    "it": "Italiano", "ja": "日本語", "nl": "Nederlands", "no": "Norsk", "pl": "Polski", "pt": "Português", "sv": "Svenska",
    "uk": "Українська", "zh": "中文",
}  # fmt: skip

SYSTEM_ROLE_NAMES: dict[SystemRole, str] = {
    SystemRole.ADMINISTRATOR: "Administrator",
    SystemRole.READ_ONLY_ADMINISTRATOR: "Read-only administrator",
    SystemRole.SECURITY_REVIEWER: "Security reviewer",
}
SYSTEM_ROLE_MEANINGS: dict[SystemRole, str] = {
    SystemRole.ADMINISTRATOR: "Runs the installation: teams, capabilities, people and system roles.",
    SystemRole.READ_ONLY_ADMINISTRATOR: "Sees all that administrators see, and changes nothing.",
    SystemRole.SECURITY_REVIEWER: "Decides about images from outside; sees no administration.",
}

CAPABILITY_NAMES: dict[Capability, str] = {
    Capability.BUILD: "building images",
    Capability.QUARANTINE_REQUEST: "requesting images through quarantine",
    Capability.QUARANTINE_RELEASE: "using images released from quarantine",
    Capability.ONDEMAND_IMAGE_SCANNING: "scanning images on demand",
}
# What a permission lets one do, in the order in which people look for it.
PERMISSION_NAMES: dict[Permission, str] = {
    Permission.PROJECT_VIEW: "View projects",
    Permission.PROJECT_CREATE: "Create projects",
    Permission.PROJECT_DELETE: "Delete projects",
    Permission.SETTINGS_EDIT: "Edit settings",
    Permission.TEAM_MANAGE: "Manage the team",
    Permission.BUILD_VIEW: "View builds",
    Permission.BUILD_START: "Start builds",
    Permission.BUILD_CANCEL: "Cancel builds",
    Permission.LOG_DOWNLOAD: "Download logs",
    Permission.ARTIFACT_VIEW: "View images",
    Permission.ARTIFACT_DOWNLOAD: "Pull images",
    Permission.ANALYTICS_VIEW: "View analytics",
    Permission.REPORT_VIEW: "View reports",
    Permission.AUDIT_VIEW: "View the audit trail",
    Permission.BILLING_VIEW: "View billing",
}
