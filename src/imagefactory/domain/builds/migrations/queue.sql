create sequence builds_turn_seq;
create sequence builds_fence_seq;

-- builds_claim is in claim.sql.

-- Before a build becomes queued: the share lock keeps a claimer from clearing `ready` between now and the commit.
create function builds_enqueue(p_tenant uuid, p_max int) returns void language plpgsql as $$
begin
  insert into builds_tenantqueue (tenant_id, running, max_running, ready, ready_at, turn)
    values (p_tenant, 0, p_max, true, now(), nextval('builds_turn_seq')) on conflict (tenant_id) do nothing;
  perform 1 from builds_tenantqueue where tenant_id = p_tenant for share;
  update builds_tenantqueue set ready = true, ready_at = now()
    where tenant_id = p_tenant and (not ready or ready_at > now());
end $$;

create function builds_release(p_tenant uuid) returns void language sql as $$
  update builds_tenantqueue set running = running - 1 where tenant_id = p_tenant;
$$;

create sequence builds_live_seq;
