"""Addresses of the pages."""

from __future__ import annotations

from typing import Final

from django.urls import register_converter
from django.urls.converters import StringConverter

from imagefactory.domain.identity.permissions import Permission
from imagefactory.entry.web import (
    account_views,
    admin_pages,
    appearance,
    audit_views,
    build_list_views,
    build_views,
    help_views,
    image_views,
    log_views,
    me_views,
    new_build_views,
    notification_views,
    overview_views,
    palette_views,
    people_urls,
    project_views,
    settings_views,
    tenant_pages,
)
from imagefactory.entry.web.addresses import (
    MEMBER,
    OPEN,
    SEE_ALL,
    SIGNED_IN,
    Page,
    in_project,
    in_some_project,
    in_tenant,
)
from imagefactory.entry.web.key_urls import KEY_PAGES
from imagefactory.entry.web.sign_in_settings import pages as sign_in_settings
from imagefactory.entry.web.signin import urls as signin_urls
from imagefactory.entry.web.sso import pages as sso


class DigestConverter(StringConverter):
    """The digest of an image in an address."""

    regex = "sha256:[0-9a-f]{64}"


class ImageNameConverter(StringConverter):
    """The name of an image without its tenant: a project, or a project and names below it."""

    regex = "[a-z0-9._-]+(?:/[a-z0-9._-]+)*"


register_converter(DigestConverter, "digest")
register_converter(ImageNameConverter, "image")

_T = "t/<slug:tenant>"
_P = f"{_T}/p/<slug:project>"
_B = f"{_P}/builds/<int:number>"

VIEW, EDIT = in_project(Permission.PROJECT_VIEW), in_project(Permission.SETTINGS_EDIT)
VIEW_BUILD, READ_LOG = in_project(Permission.BUILD_VIEW), in_project(Permission.LOG_DOWNLOAD)
START, CANCEL = in_project(Permission.BUILD_START), in_project(Permission.BUILD_CANCEL)

AUDIT = in_some_project(Permission.AUDIT_VIEW)

# Each area with many pages has a table of its own, added here.
PAGES: Final = (
    Page("", account_views.home, "home", OPEN),
    Page("login", account_views.sign_in, "login", OPEN),
    Page("signup", account_views.sign_up, "signup", OPEN),
    Page("logout", account_views.sign_out, "logout", OPEN),
    *signin_urls.PAGES,
    *sso.PAGES,
    *sign_in_settings.PAGES,
    Page("tenants/new", account_views.new_tenant, "tenant-new", SIGNED_IN),
    Page("appearance", appearance.appearance, "appearance", OPEN),
    Page("palette", palette_views.palette, "palette", SIGNED_IN),
    Page("me/profile", me_views.profile, "me", SIGNED_IN),
    Page("me/password", me_views.password, "me-password", SIGNED_IN),
    *KEY_PAGES,
    Page("me/appearance", me_views.appearance, "me-appearance", SIGNED_IN),
    Page("me/notifications", notification_views.email_settings, "me-notifications", SIGNED_IN),
    Page("notifications", notification_views.notifications, "notifications", SIGNED_IN),
    Page("notifications/badge", notification_views.badge, "notifications-badge", SIGNED_IN),
    Page("notifications/read", notification_views.read, "notifications-read", SIGNED_IN),
    Page("notifications/unread", notification_views.unread, "notifications-unread", SIGNED_IN),
    Page("notifications/<uuid:notice_id>", notification_views.open_notice, "notification", SIGNED_IN),
    Page("help", help_views.topic, "help", OPEN),
    Page("help/<slug:name>", help_views.topic, "help-topic", OPEN),
    Page(f"{_T}/", overview_views.overview, "overview", MEMBER),
    Page(f"{_T}/activity", audit_views.activity, "activity", AUDIT),
    Page(f"{_T}/activity/export", audit_views.export_activity, "activity-export", AUDIT),
    Page("admin/audit", audit_views.installation, "admin-audit", SEE_ALL),
    Page("admin/audit/export", audit_views.export_installation, "admin-audit-export", SEE_ALL),
    Page(f"{_T}/builds", build_list_views.tenant_builds, "builds", MEMBER),
    Page(f"{_T}/builds/new", build_list_views.choose_project, "build-choose", in_some_project(Permission.BUILD_START)),
    Page(f"{_T}/projects", project_views.projects, "projects", MEMBER),
    Page(f"{_T}/projects/new", project_views.new_project, "project-new", in_tenant(Permission.PROJECT_CREATE)),
    Page(f"{_T}/images", image_views.images, "images", MEMBER),
    Page(f"{_T}/images/<image:name>", image_views.image, "image", in_project(Permission.ARTIFACT_VIEW)),
    Page(
        f"{_T}/images/<image:name>/<digest:digest>",
        image_views.version,
        "image-version",
        in_project(Permission.ARTIFACT_VIEW),
    ),
    Page(f"{_P}/", project_views.project, "project", VIEW),
    Page(f"{_P}/settings", settings_views.general, "settings", VIEW, EDIT),
    Page(f"{_P}/settings/source", settings_views.source, "settings-source", VIEW, EDIT),
    Page(f"{_P}/settings/credentials", settings_views.credentials, "settings-credentials", VIEW, EDIT),
    Page(
        f"{_P}/settings/credentials/<uuid:credential_id>/delete",
        settings_views.delete_credential,
        "credential-delete",
        EDIT,
    ),
    Page(f"{_P}/settings/danger", settings_views.danger, "settings-danger", VIEW, EDIT),
    Page(f"{_P}/builds", build_list_views.project_builds, "project-builds", VIEW),
    Page(f"{_P}/builds/new", new_build_views.new_build, "build-new", START),
    Page(_B, build_views.build, "build", VIEW_BUILD),
    Page(f"{_B}/config", build_views.config, "build-config", VIEW_BUILD),
    Page(f"{_B}/log", log_views.full_log, "build-log", VIEW_BUILD),
    Page(f"{_B}/log/raw", log_views.raw_log, "build-log-raw", READ_LOG),
    Page(f"{_B}/log/download", log_views.download_log, "build-log-download", READ_LOG),
    Page(f"{_B}/log/lines", log_views.log_lines, "build-log-lines", VIEW_BUILD),
    Page(f"{_B}/log/outline", log_views.log_outline, "build-log-outline", VIEW_BUILD),
    Page(f"{_B}/log/search", log_views.log_search, "build-log-search", VIEW_BUILD),
    Page(f"{_B}/cancel", build_views.cancel, "build-cancel", CANCEL),
    Page(f"{_B}/rerun", build_views.rerun, "build-rerun", START),
    *tenant_pages.PAGES,
    *admin_pages.PAGES,
    *people_urls.PAGES,
)

urlpatterns = [page.pattern() for page in PAGES]
