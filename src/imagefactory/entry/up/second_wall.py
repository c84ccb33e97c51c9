"""Does the database keep tenants apart by itself? For `up` and `doctor` to say, when the answer is no."""

from __future__ import annotations

from imagefactory.kernel import pg


def missing(address: str) -> str:
    """Return the sentence on a missing second wall, for the address that the web process uses.

    Empty when the wall stands, and when the database or its tables are not there to ask.
    """
    import psycopg
    from psycopg.conninfo import make_conninfo

    try:
        with psycopg.connect(make_conninfo("", **pg.parameters(address)), connect_timeout=5) as connection:
            row = connection.execute("select row_security_active('builds_build'), current_user::text").fetchone()
    except psycopg.Error:
        return ""
    if row is None or row[0]:
        return ""
    return (
        f"THE SECOND WALL BETWEEN TENANTS IS MISSING: the database role {row[1]} of IMAGEFACTORY_DATABASE_URL owns the tables, "
        "or row-level security does not bind it. Only the factory's own queries keep tenants apart. Make three roles as "
        "docs/operator.md says under 'Your own PostgreSQL', and name them in IMAGEFACTORY_DATABASE_URL, "
        "IMAGEFACTORY_DATABASE_SYSTEM_URL and IMAGEFACTORY_DATABASE_OWNER_URL."
    )
