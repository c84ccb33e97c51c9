"""Addresses of a team's settings."""

from __future__ import annotations

from typing import Final

from imagefactory.domain.identity.permissions import Permission
from imagefactory.entry.web import tenant_end_views, tenant_settings_views
from imagefactory.entry.web.addresses import MEMBER, OWNER_ALWAYS, Page, in_tenant

_S = "t/<slug:tenant>/settings"

PAGES: Final = (
    Page("t/<slug:tenant>/logo", tenant_settings_views.logo, "team-logo", MEMBER),
    Page(f"{_S}/general", tenant_settings_views.general, "team-settings", MEMBER, in_tenant(Permission.SETTINGS_EDIT)),
    Page(f"{_S}/capabilities", tenant_settings_views.capabilities, "team-capabilities", MEMBER),
    Page(
        f"{_S}/capabilities/<slug:capability>/ask",
        tenant_settings_views.ask,
        "team-capability-ask",
        in_tenant(Permission.SETTINGS_EDIT),
    ),
    Page(f"{_S}/danger", tenant_end_views.danger, "team-danger", MEMBER, OWNER_ALWAYS),
    Page(f"{_S}/exports/<uuid:export_id>", tenant_end_views.export, "team-export", OWNER_ALWAYS),
)
