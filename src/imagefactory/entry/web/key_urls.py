"""Addresses of the pages about keys, service accounts and networks."""

from __future__ import annotations

from typing import Final

from imagefactory.domain.identity.permissions import Permission
from imagefactory.entry.web import key_views, service_account_views, tenant_key_views
from imagefactory.entry.web.addresses import MEMBER, SIGNED_IN, Page, in_project, in_some_project, in_tenant

_S = "t/<slug:tenant>/settings"
_A = f"{_S}/service-accounts"
_ONE = f"{_A}/<uuid:account_id>"
_KEY = f"{_ONE}/keys/<uuid:account_key_id>"

# A service account is managed by who manages the team of all its projects.
SOME, THESE = in_some_project(Permission.TEAM_MANAGE), in_project(Permission.TEAM_MANAGE)
ALL = in_tenant(Permission.TEAM_MANAGE)

KEY_PAGES: Final = (
    Page("me/keys", key_views.keys, "me-keys", SIGNED_IN),
    Page("me/keys/<uuid:key_id>/rotate", key_views.rotate_key, "me-key-rotate", SIGNED_IN),
    Page("me/keys/<uuid:key_id>/revoke", key_views.revoke_key, "me-key-revoke", SIGNED_IN),
    Page(_A, service_account_views.accounts, "service-accounts", SOME),
    Page(f"{_A}/new", service_account_views.new_account, "service-account-new", SOME),
    Page(_ONE, service_account_views.account, "service-account", THESE),
    Page(f"{_ONE}/edit", service_account_views.edit_account, "service-account-edit", THESE),
    Page(f"{_ONE}/switch", service_account_views.switch_account, "service-account-switch", THESE),
    Page(f"{_ONE}/delete", service_account_views.delete_account, "service-account-delete", THESE),
    Page(f"{_KEY}/rotate", service_account_views.rotate_key, "service-account-key-rotate", THESE),
    Page(f"{_KEY}/revoke", service_account_views.revoke_key, "service-account-key-revoke", THESE),
    Page(f"{_S}/keys", tenant_key_views.keys, "tenant-keys", ALL),
    Page(f"{_S}/keys/<uuid:tenant_key_id>/revoke", tenant_key_views.revoke_key, "tenant-key-revoke", ALL),
    Page(f"{_S}/network", tenant_key_views.network, "tenant-network", MEMBER, in_tenant(Permission.SETTINGS_EDIT)),
)
