"""Permissions in words for people, in the order in which people look for them."""

from __future__ import annotations

from typing import Final

from imagefactory.domain.identity.permissions import Permission

LABELS: Final[dict[Permission, str]] = {
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
