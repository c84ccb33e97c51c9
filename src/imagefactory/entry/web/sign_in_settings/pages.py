"""Addresses of the settings of sign-in and CI."""

from __future__ import annotations

from typing import Final

from imagefactory.entry.web.addresses import CHANGE_ALL, OWNER, SEE_ALL, Page
from imagefactory.entry.web.sign_in_settings import ci_views, views

_T, _A = "t/<slug:tenant>/settings", "admin/sign-in"

PAGES: Final = (
    Page(f"{_T}/sign-in", views.providers, "team-sign-in", OWNER),
    Page(f"{_T}/sign-in/new/<slug:kind>", views.new, "team-sign-in-new", OWNER),
    Page(f"{_T}/sign-in/<uuid:provider_id>", views.provider, "team-sign-in-provider", OWNER),
    Page(f"{_T}/sign-in/<uuid:provider_id>/test", views.try_out, "team-sign-in-test", OWNER),
    Page(f"{_T}/sign-in/<uuid:provider_id>/delete", views.delete, "team-sign-in-delete", OWNER),
    Page(f"{_T}/ci", ci_views.rules, "team-ci", OWNER),
    Page(f"{_T}/ci/new", ci_views.new, "team-ci-new", OWNER),
    Page(f"{_T}/ci/<uuid:trust_id>", ci_views.rule, "team-ci-rule", OWNER),
    Page(f"{_T}/ci/<uuid:trust_id>/delete", ci_views.delete, "team-ci-delete", OWNER),
    Page(_A, views.providers, "admin-sign-in", SEE_ALL),
    Page(f"{_A}/new/<slug:kind>", views.new, "admin-sign-in-new", CHANGE_ALL),
    Page(f"{_A}/<uuid:provider_id>", views.provider, "admin-sign-in-provider", SEE_ALL, CHANGE_ALL),
    Page(f"{_A}/<uuid:provider_id>/test", views.try_out, "admin-sign-in-test", SEE_ALL),
    Page(f"{_A}/<uuid:provider_id>/delete", views.delete, "admin-sign-in-delete", CHANGE_ALL),
    Page(f"{_A}/<uuid:provider_id>/confirm", views.confirm, "admin-sign-in-confirm", CHANGE_ALL),
)
