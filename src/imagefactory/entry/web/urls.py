"""Addresses of the pages."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from imagefactory.entry.web import account_views, appearance, palette_views, tenant_views

_BUILD = "t/<slug:tenant>/p/<slug:project>/builds/<int:number>"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", account_views.home, name="home"),
    path("login", account_views.sign_in, name="login"),
    path("signup", account_views.sign_up, name="signup"),
    path("logout", account_views.sign_out, name="logout"),
    path("appearance", appearance.appearance, name="appearance"),
    path("palette", palette_views.palette, name="palette"),
    path("t/<slug:tenant>/", tenant_views.builds, name="tenant"),
    path("t/<slug:tenant>/projects/new", tenant_views.new_project, name="project-new"),
    path("t/<slug:tenant>/images", tenant_views.images, name="images"),
    path("t/<slug:tenant>/p/<slug:project>/builds/new", tenant_views.new_build, name="build-new"),
    path(_BUILD, tenant_views.build, name="build"),
    path(f"{_BUILD}/log/raw", tenant_views.raw_log, name="build-log-raw"),
    path(f"{_BUILD}/cancel", tenant_views.cancel, name="build-cancel"),
    path(f"{_BUILD}/rerun", tenant_views.rerun, name="build-rerun"),
]
