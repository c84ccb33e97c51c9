"""The second wall: row-level security of a table, as one line of a migration.

    operations = [TenantWall("projects_project")]
    operations = [TenantWall("builds_execution", through=("build_id", "builds_build"))]

A policy binds everybody but the table's owner and roles with BYPASSRLS (`owner` and `system` of the embedded database).
What it compares with is set by `kernel/scope.py`; when nothing is set it raises, so that a forgotten scope does not look
like an empty list.
"""

from __future__ import annotations

from django.db import migrations

# Both stand in a sub-select, so that a statement asks each once; `=` of uuids is leakproof, so indexes go on serving.
# PostgreSQL asks when there is a row to decide on: where no row of any tenant fits, nothing is raised and nothing is hidden.
_FUNCTIONS = """
create or replace function wall_tenant() returns uuid language plpgsql stable parallel safe as $$
declare
  told text := coalesce(current_setting('app.tenant_id', true), '');
begin
  if told = '' then
    raise exception 'No tenant is in scope, so no tenant''s rows can be read or written.'
      using hint = 'A door sets the scope when it knows who asks: kernel/scope.py.';
  end if;
  return case when told = '*' then null else told::uuid end;
end $$;
create or replace function wall_open() returns boolean language sql stable parallel safe as $$
  select coalesce(current_setting('app.tenant_id', true), '') = '*'
$$;
"""
_CREATE = """
alter table {table} enable row level security;
drop policy if exists tenant_wall on {table};
create policy tenant_wall on {table} using ({rule});
"""
_INSERTS = """
drop policy if exists tenant_wall_inserts on {table};
create policy tenant_wall_inserts on {table} for insert with check (true);
"""
_DROP = """
drop policy if exists tenant_wall on {table};
drop policy if exists tenant_wall_inserts on {table};
alter table {table} disable row level security;
"""


class TenantWall(migrations.RunSQL):
    """Put a table behind the wall: by its column `tenant_id`, or `through` a column that names a row of a walled table.

    Rows without a tenant are seen under `scope.whole_installation` only. `open_inserts` lets any scope, and none, add rows
    that it may then not read: for records such as those of refusals, which are made before it is known who asks.
    """

    def __init__(
        self, table: str, *, column: str = "tenant_id", through: tuple[str, str] | None = None,
        open_inserts: bool = False,
    ) -> None:  # fmt: skip
        rule = f"{column} = (select wall_tenant()) or (select wall_open())"
        if through is not None:
            key, parent = through
            rule = f"exists (select 1 from {parent} p where p.id = {table}.{key})"  # noqa: S608 - names of ours
        # Permissive policies add up, so a second one is enough to let rows in.
        create = _CREATE.format(table=table, rule=rule)
        if open_inserts:
            create += _INSERTS.format(table=table)
        super().__init__(_FUNCTIONS + create, _DROP.format(table=table))

    def describe(self) -> str:
        """Return what `migrate` shows."""
        return "Put a table behind the tenants' wall"
