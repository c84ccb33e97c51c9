"""Addresses of the administration."""

from __future__ import annotations

from typing import Final

from imagefactory.entry.web import admin_people_views, admin_tenant_views, admin_views
from imagefactory.entry.web.addresses import CHANGE_ALL, SEE_ALL, Page

_T, _U = "admin/tenants/<slug:slug>", "admin/people/<uuid:user_id>"

PAGES: Final = (
    Page("admin/", admin_views.overview, "admin", SEE_ALL),
    Page("admin/tenants", admin_tenant_views.tenants, "admin-tenants", SEE_ALL),
    Page("admin/tenants/new", admin_tenant_views.new, "admin-tenant-new", CHANGE_ALL),
    Page("admin/capabilities", admin_tenant_views.switch_many, "admin-capabilities", CHANGE_ALL),
    Page(_T, admin_tenant_views.tenant, "admin-tenant", SEE_ALL),
    Page(f"{_T}/capabilities", admin_tenant_views.capabilities, "admin-tenant-capabilities", SEE_ALL, CHANGE_ALL),
    Page(f"{_T}/delete", admin_tenant_views.delete, "admin-tenant-delete", CHANGE_ALL),
    Page(f"{_T}/state/<slug:action>", admin_tenant_views.act, "admin-tenant-act", CHANGE_ALL),
    Page("admin/people", admin_people_views.people, "admin-people", SEE_ALL),
    Page(_U, admin_people_views.person, "admin-person", SEE_ALL),
    Page(f"{_U}/roles/<slug:role>/<slug:action>", admin_people_views.system_role, "admin-person-role", CHANGE_ALL),
    Page(f"{_U}/<slug:action>", admin_people_views.act, "admin-person-act", CHANGE_ALL),
    Page("admin/roles", admin_views.roles, "admin-roles", SEE_ALL),
)
