"""Addresses of the pages about people, invitations, roles and requests for access."""

from __future__ import annotations

from typing import Final

from imagefactory.domain.identity.permissions import Permission
from imagefactory.entry.web import (
    access_views,
    invitation_views,
    join_views,
    people_views,
    project_people_views,
    role_views,
)
from imagefactory.entry.web.addresses import MEMBER, OPEN, Page, in_project, in_some_project

_T = "t/<slug:tenant>"
MANAGE = in_some_project(Permission.TEAM_MANAGE)
# In every project where the role, or the member, has to do with.
MANAGE_ALL = in_project(Permission.TEAM_MANAGE)

PAGES: Final = (
    Page("invite/<str:token>", join_views.open_invitation, "join", OPEN),
    Page(f"{_T}/people", people_views.people, "people", MEMBER),
    Page(f"{_T}/people/invitations", invitation_views.invitations, "invitations", MANAGE),
    Page(f"{_T}/people/invitations/new", invitation_views.invite, "invite", MANAGE),
    Page(
        f"{_T}/people/invitations/<uuid:invitation_id>/resend", invitation_views.resend, "invitation-resend", MANAGE
    ),
    Page(
        f"{_T}/people/invitations/<uuid:invitation_id>/cancel", invitation_views.cancel, "invitation-cancel", MANAGE
    ),
    Page(f"{_T}/people/requests", access_views.requests, "access-requests", MANAGE),
    Page(f"{_T}/people/requests/new", access_views.ask, "access-ask", MEMBER),
    Page(f"{_T}/people/requests/<uuid:request_id>", access_views.decide, "access-decide", MANAGE),
    Page(f"{_T}/people/leave", people_views.leave, "leave", MEMBER),
    Page(f"{_T}/people/<uuid:user_id>", people_views.member, "member", MEMBER, MANAGE),
    Page(f"{_T}/people/<uuid:user_id>/remove", people_views.remove, "member-remove", MANAGE_ALL),
    Page(f"{_T}/settings/roles", role_views.roles, "roles", MEMBER),
    Page(f"{_T}/settings/roles/new", role_views.new_role, "role-new", MANAGE),
    Page(f"{_T}/settings/roles/<uuid:role_id>", role_views.role, "role", MEMBER, MANAGE_ALL),
    Page(f"{_T}/settings/roles/<uuid:role_id>/delete", role_views.delete_role, "role-delete", MANAGE_ALL),
    Page(
        f"{_T}/p/<slug:project>/settings/people", project_people_views.project_people, "settings-people",
        in_project(Permission.PROJECT_VIEW), in_project(Permission.TEAM_MANAGE),
    ),
)  # fmt: skip
