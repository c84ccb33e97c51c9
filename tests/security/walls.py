"""Which tables stand behind the tenants' wall, read from the database, and which do not, with the reason."""

from __future__ import annotations

from django.db import connection

# Every table with a tenant in it that has no policy. A new one gets `TenantWall` in its migration, or a line here.
UNWALLED = {
    "audit_entry": "`@@` is not leakproof, so a policy takes the text search its index; one module reads it, with the "
    "tenant in every statement (docs/decisions/0009), and every column is hashed",
    "builds_buildtext": "LIKE is not leakproof, so a policy takes the search its trigram index; it is read only as "
    "`id in (...)` below builds, which stand behind the wall (docs/decisions/0010)",
    "identity_apikey": "says which tenant a caller works in, so it is read before there is a scope",
    "identity_customrole": "part of what a person may do, read with their role bindings before there is a scope",
    "identity_invitation": "found by its link before it is known who asks; lists of them name the tenant",
    "identity_iplist": "says from where one may come; read with the tenant, before there is a scope",
    "identity_citrust": "says which CI jobs a tenant believes, to a caller who is nobody yet",
    "identity_externalidentity": "says whose session it is that came through a provider, before there is a scope",
    "identity_identityprovider": "read at the sign-in page by people who are nobody yet",
    "identity_providergrant": "of a person in several tenants, when a provider of the installation signs them in",
    "identity_providerrole": "read when someone signs in, across the tenants of a provider of the installation",
    "identity_membership": "says in which tenants a person is, on every page; read by person, across tenants",
    "identity_rolebinding": "says what a person may do, and their role in each of their tenants; read by person",
    "identity_retiredslug": "short names that nobody gets again; asked for whatever tenant is made",
    "identity_tenantdecision": "written by administrators, who are in no tenant; read by tenant, behind a policy",
    "identity_tenantexport": "asked for by owners and administrators, made by jobs; handed out by tenant, behind a policy",
    "identity_tenantlogo": "shown beside each of a person's tenants, on every page",
    "identity_serviceaccount": "says whom a key acts for, so it is read before there is a scope",
    "notifications_mail": "written by the reactions and sent by the worker, which are `system`; no door reads it",
    "notifications_notice": "of one person, in whichever team; every page reads and counts them by person",
    "outbox_outboxevent": "written by services of every scope, read by the relay alone, which is `system`",
}

_WITH_TENANT = """
with recursive near (oid) as (
  select a.attrelid from pg_attribute a join pg_class c on c.oid = a.attrelid
  where a.attname = 'tenant_id' and not a.attisdropped and c.relkind in ('r', 'p') and not c.relispartition
    and c.relnamespace = 'public'::regnamespace
  union
  select k.conrelid from pg_constraint k join near n on k.confrelid = n.oid
    join pg_class c on c.oid = k.conrelid where k.contype = 'f' and not c.relispartition
)
select c.relname, c.relrowsecurity and exists (select 1 from pg_policy p where p.polrelid = c.oid)
from near join pg_class c using (oid) order by 1
"""


def tables() -> dict[str, bool]:
    """Return each table that has a tenant, or hangs by foreign keys on one that has; true when a policy holds for it."""
    with connection.cursor() as cursor:
        cursor.execute(_WITH_TENANT)
        return dict(cursor.fetchall())


def walled() -> list[str]:
    return [name for name, holds in tables().items() if holds]


def keys(table: str) -> set[str]:
    """Return the primary keys of all rows of a table that the present role and scope let through."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select a.attname from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey) "
            "where i.indrelid = %s::regclass and i.indisprimary",
            [table],
        )
        columns = ", ".join(name for (name,) in cursor.fetchall())
        cursor.execute(f"select concat_ws('/', {columns}) from {table}")
        return {key for (key,) in cursor.fetchall()}
