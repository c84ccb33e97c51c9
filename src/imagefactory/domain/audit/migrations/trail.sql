-- The audit trail: partitioned by month, append-only, with the functions that make and drop partitions.

create table audit_entry (
    event_id uuid not null,
    occurred_at timestamptz not null,
    recorded_at timestamptz not null,
    seq bigint not null check (seq > 0),
    tenant_id uuid,
    project_id uuid,
    type text collate "C" not null,
    actor_id uuid,
    actor_kind text not null,
    actor_name text not null,
    actor_email text not null,
    key_id uuid,
    object_kind text not null,
    object_id text not null,
    object_label text not null,
    before jsonb,
    after jsonb,
    details jsonb not null,
    result text not null check (result in ('done', 'refused', 'failed')),
    reason text not null,
    address text not null,
    request_id text not null,
    correlation_id text not null,
    search tsvector not null,
    prev_hash bytea not null,
    hash bytea not null,
    primary key (event_id, occurred_at)
) partition by range (occurred_at);

-- The chain's order, for the writer and for `audit verify`; the nil UUID stands for rows without tenant.
create unique index audit_entry_chain
    on audit_entry (coalesce(tenant_id, '00000000-0000-0000-0000-000000000000'::uuid), seq, occurred_at);
create index audit_entry_tenant on audit_entry (tenant_id, occurred_at, event_id);
create index audit_entry_project on audit_entry (project_id, occurred_at, event_id) where project_id is not null;
create index audit_entry_newest on audit_entry (occurred_at, event_id);
create index audit_entry_result on audit_entry (result, occurred_at, event_id) where result <> 'done';
-- New words wait in a list of at most 1 MB, which a search reads through: without it the relay is half as fast.
create index audit_entry_search on audit_entry using gin (search) with (fastupdate = on, gin_pending_list_limit = 1024);

create function audit_refuse_change() returns trigger language plpgsql as $$
begin
    -- Only whoever owns the table may truncate it at all; tests empty their own database this way.
    if tg_op = 'TRUNCATE' and current_setting('imagefactory.audit_truncate', true) = 'allowed' then
        return null;
    end if;
    raise exception 'The audit trail is append-only: % on % is refused.', tg_op, tg_table_name
        using errcode = 'insufficient_privilege', hint = 'Old rows go by the retention job, a whole month at a time.';
end $$;

create trigger audit_append_only before update or delete on audit_entry
    for each row execute function audit_refuse_change();
create trigger audit_no_truncate before truncate on audit_entry
    for each statement execute function audit_refuse_change();

-- Row triggers come to a new partition from the parent, statement triggers do not.
-- The table is made alone and then attached: that blocks no reader and no writer, as "partition of" would.
create function audit_ensure_partition(moment timestamptz) returns void
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    first timestamptz := date_trunc('month', moment at time zone 'UTC') at time zone 'UTC';
    next timestamptz := (date_trunc('month', moment at time zone 'UTC') + interval '1 month') at time zone 'UTC';
    name text := 'audit_entry_' || to_char(moment at time zone 'UTC', '"y"YYYY"m"MM');
begin
    if to_regclass(name) is not null then
        return;
    end if;
    perform pg_advisory_xact_lock(7011);
    if to_regclass(name) is not null then
        return;
    end if;
    execute format('create table %I (like audit_entry including defaults including constraints)', name);
    execute format('alter table audit_entry attach partition %I for values from (%L) to (%L)', name, first, next);
    execute format('create trigger audit_no_truncate before truncate on %I for each statement '
                   'execute function audit_refuse_change()', name);
end $$;

create table audit_head (
    chain uuid primary key,
    seq bigint not null,
    hash bytea not null
);

create table audit_checkpoint (
    number bigint primary key,
    chain uuid not null,
    seq bigint not null,
    hash bytea not null,
    kind text not null check (kind in ('tail', 'removal')),
    made_at timestamptz not null,
    removed_until timestamptz,
    kept_hash bytea not null,
    previous bytea not null,
    key_id text not null,
    signature bytea not null
);
create index audit_checkpoint_chain on audit_checkpoint (chain, seq);
create trigger audit_append_only before update or delete on audit_checkpoint
    for each row execute function audit_refuse_change();
create trigger audit_no_truncate before truncate on audit_checkpoint
    for each statement execute function audit_refuse_change();

create table audit_refusal_window (
    key varchar(64) primary key,
    started_at timestamptz not null,
    count integer not null,
    actor jsonb not null,
    event jsonb not null
);
create index audit_refusal_window_old on audit_refusal_window (started_at);

-- Drops one month, whole, and only when every chain in it has a checkpoint that says so (its signature is for `verify`).
create function audit_drop_partition(name text) returns void
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    told bigint;
begin
    if name !~ '^audit_entry_y[0-9]{4}m[0-9]{2}$' then
        raise exception '% is no month of the audit trail.', name;
    end if;
    if to_timestamp(substr(name, 13), '"y"YYYY"m"MM') > now() - interval '31 days' then
        raise exception 'The month % of the audit trail is too young to go.', name;
    end if;
    execute format(
        'select count(*) from (select coalesce(tenant_id, ''00000000-0000-0000-0000-000000000000''::uuid) as chain, '
        'max(seq) as seq from %I group by 1) m where not exists (select 1 from audit_checkpoint c '
        'where c.chain = m.chain and c.kind = ''removal'' and c.seq >= m.seq)', name) into told;
    if told > 0 then
        raise exception '% chains of % have no checkpoint of their removal.', told, name;
    end if;
    execute format('drop table %I', name);
end $$;

-- The two roles that serve get rights by default; of these tables they add rows and read them.
do $$
declare
    role text;
begin
    foreach role in array array['app', 'system'] loop
        if exists (select 1 from pg_roles where rolname = role) then
            execute format('revoke update, delete on audit_entry, audit_checkpoint from %I', role);
        end if;
    end loop;
end $$;
