"""Addresses of the administration."""

from __future__ import annotations

from typing import Final

from imagefactory.domain.identity.permissions import SystemRole
from imagefactory.entry.web import admin_people_views, admin_tenant_views, admin_views
from imagefactory.entry.web.addresses import Page, of_installation

SEE: Final = of_installation(SystemRole.ADMINISTRATOR, SystemRole.READ_ONLY_ADMINISTRATOR)
CHANGE: Final = of_installation(SystemRole.ADMINISTRATOR)
_T, _U = "admin/tenants/<slug:slug>", "admin/people/<uuid:user_id>"

PAGES: Final = (
    Page("admin/", admin_views.overview, "admin", SEE),
    Page("admin/tenants", admin_tenant_views.tenants, "admin-tenants", SEE),
    Page("admin/tenants/new", admin_tenant_views.new, "admin-tenant-new", CHANGE),
    Page("admin/capabilities", admin_tenant_views.switch_many, "admin-capabilities", CHANGE),
    Page(_T, admin_tenant_views.tenant, "admin-tenant", SEE),
    Page(f"{_T}/capabilities", admin_tenant_views.capabilities, "admin-tenant-capabilities", SEE, CHANGE),
    Page(f"{_T}/delete", admin_tenant_views.delete, "admin-tenant-delete", CHANGE),
    Page(f"{_T}/state/<slug:action>", admin_tenant_views.act, "admin-tenant-act", CHANGE),
    Page("admin/people", admin_people_views.people, "admin-people", SEE),
    Page(_U, admin_people_views.person, "admin-person", SEE),
    Page(f"{_U}/roles/<slug:role>/<slug:action>", admin_people_views.system_role, "admin-person-role", CHANGE),
    Page(f"{_U}/<slug:action>", admin_people_views.act, "admin-person-act", CHANGE),
    Page("admin/roles", admin_views.roles, "admin-roles", SEE),
)
