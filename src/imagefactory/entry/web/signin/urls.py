"""Addresses of signing in and of what protects an account."""

from __future__ import annotations

from typing import Final

from imagefactory.entry.web.addresses import OPEN, SIGNED_IN, Page
from imagefactory.entry.web.signin import login_views, mail_views, security_views, session_views

PAGES: Final = (
    Page("login/verify", login_views.verify, "login-verify", OPEN),
    Page("login/passkey", login_views.passkey, "login-passkey", OPEN),
    Page("login/recover", mail_views.recover, "login-recover", OPEN),
    Page("login/reset/<str:reset_token>", mail_views.reset, "login-reset", OPEN),
    Page("login/change-password", mail_views.change_password, "login-change-password", SIGNED_IN),
    Page("login/confirm", mail_views.confirm, "login-confirm", OPEN),
    Page("login/confirm/<str:confirm_token>", mail_views.confirm_link, "login-confirm-link", OPEN),
    Page("login/email/<str:email_token>", mail_views.email_link, "login-email-link", OPEN),
    Page("me/email", security_views.email, "me-email", SIGNED_IN),
    Page("me/security", security_views.security, "me-security", SIGNED_IN),
    Page("me/security/required", security_views.required, "me-security-required", SIGNED_IN),
    Page("me/security/app", security_views.add_app, "me-security-app", SIGNED_IN),
    Page("me/security/key", security_views.add_key, "me-security-key", SIGNED_IN),
    Page("me/security/codes", security_views.codes, "me-security-codes", SIGNED_IN),
    Page("me/security/<int:factor_id>/rename", security_views.rename_key, "me-security-rename", SIGNED_IN),
    Page("me/security/<int:factor_id>/remove", security_views.remove, "me-security-remove", SIGNED_IN),
    Page("me/sessions", session_views.sessions, "me-sessions", SIGNED_IN),
    Page("me/sessions/end-others", session_views.end_others, "me-sessions-end", SIGNED_IN),
    Page("me/sessions/<uuid:session_id>/end", session_views.end, "me-session-end", SIGNED_IN),
    Page("me/history", session_views.history, "me-history", SIGNED_IN),
)
# Names that django-allauth asks for; each leads to the page of ours that has the address.
ALIASES: Final = {"account_login": "login", "mfa_authenticate": "login/verify"}
