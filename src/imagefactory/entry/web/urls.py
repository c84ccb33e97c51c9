"""Addresses of the pages."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path, register_converter
from django.urls.converters import StringConverter

from imagefactory.entry.web import (
    account_views,
    appearance,
    audit_views,
    build_list_views,
    build_views,
    help_views,
    image_views,
    log_views,
    me_views,
    new_build_views,
    overview_views,
    palette_views,
    project_views,
    settings_views,
)


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

urlpatterns: list[URLPattern | URLResolver] = [
    path("", account_views.home, name="home"),
    path("login", account_views.sign_in, name="login"),
    path("signup", account_views.sign_up, name="signup"),
    path("logout", account_views.sign_out, name="logout"),
    path("tenants/new", account_views.new_tenant, name="tenant-new"),
    path("appearance", appearance.appearance, name="appearance"),
    path("palette", palette_views.palette, name="palette"),
    path("me/profile", me_views.profile, name="me"),
    path("me/password", me_views.password, name="me-password"),
    path("me/keys", me_views.keys, name="me-keys"),
    path("me/keys/<uuid:key_id>/revoke", me_views.revoke_key, name="me-key-revoke"),
    path("me/appearance", me_views.appearance, name="me-appearance"),
    path("help", help_views.topic, name="help"),
    path("help/<slug:name>", help_views.topic, name="help-topic"),
    path(f"{_T}/", overview_views.overview, name="overview"),
    path(f"{_T}/activity", audit_views.activity, name="activity"),
    path(f"{_T}/activity/export", audit_views.export_activity, name="activity-export"),
    path("admin/audit", audit_views.installation, name="admin-audit"),
    path("admin/audit/export", audit_views.export_installation, name="admin-audit-export"),
    path(f"{_T}/builds", build_list_views.tenant_builds, name="builds"),
    path(f"{_T}/builds/new", build_list_views.choose_project, name="build-choose"),
    path(f"{_T}/projects", project_views.projects, name="projects"),
    path(f"{_T}/projects/new", project_views.new_project, name="project-new"),
    path(f"{_T}/images", image_views.images, name="images"),
    path(f"{_T}/images/<image:name>", image_views.image, name="image"),
    path(f"{_T}/images/<image:name>/<digest:digest>", image_views.version, name="image-version"),
    path(f"{_P}/", project_views.project, name="project"),
    path(f"{_P}/settings", settings_views.general, name="settings"),
    path(f"{_P}/settings/source", settings_views.source, name="settings-source"),
    path(f"{_P}/settings/credentials", settings_views.credentials, name="settings-credentials"),
    path(
        f"{_P}/settings/credentials/<uuid:credential_id>/delete",
        settings_views.delete_credential,
        name="credential-delete",
    ),
    path(f"{_P}/settings/danger", settings_views.danger, name="settings-danger"),
    path(f"{_P}/builds", build_list_views.project_builds, name="project-builds"),
    path(f"{_P}/builds/new", new_build_views.new_build, name="build-new"),
    path(_B, build_views.build, name="build"),
    path(f"{_B}/config", build_views.config, name="build-config"),
    path(f"{_B}/log", log_views.full_log, name="build-log"),
    path(f"{_B}/log/raw", log_views.raw_log, name="build-log-raw"),
    path(f"{_B}/log/download", log_views.download_log, name="build-log-download"),
    path(f"{_B}/log/lines", log_views.log_lines, name="build-log-lines"),
    path(f"{_B}/log/outline", log_views.log_outline, name="build-log-outline"),
    path(f"{_B}/log/search", log_views.log_search, name="build-log-search"),
    path(f"{_B}/cancel", build_views.cancel, name="build-cancel"),
    path(f"{_B}/rerun", build_views.rerun, name="build-rerun"),
]
