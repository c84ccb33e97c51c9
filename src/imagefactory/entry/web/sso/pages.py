"""Addresses of sign-in through providers; open to everyone, for nobody is signed in yet."""

from __future__ import annotations

from typing import Final

from imagefactory.entry.web.addresses import OPEN, SIGNED_IN, Page
from imagefactory.entry.web.sso import views

PAGES: Final = (
    Page("login/find", views.find, "login-find", OPEN),
    Page("sso/<uuid:provider_id>/start", views.start, "sso-start", OPEN),
    Page("sso/<uuid:provider_id>/directory", views.directory, "sso-directory", OPEN),
    Page("sso/<uuid:provider_id>/callback", views.callback, "sso-callback", OPEN),
    Page("sso/<uuid:provider_id>/acs", views.acs, "sso-acs", OPEN),
    Page("sso/<uuid:provider_id>/acs/finish", views.acs_finish, "sso-acs-finish", OPEN),
    Page("sso/<uuid:provider_id>/metadata", views.metadata, "sso-metadata", OPEN),
    Page("me/links", views.links, "me-links", SIGNED_IN),
    Page("me/links/add/<uuid:provider_id>", views.link, "me-link", SIGNED_IN),
    Page("me/links/<uuid:identity_id>/remove", views.unlink, "me-unlink", SIGNED_IN),
)
