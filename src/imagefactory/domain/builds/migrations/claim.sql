-- The fair claim: a tenant's row is the lock, its turn gives fairness, its counters keep the cap exact.
-- plpgsql, because each statement needs a snapshot taken after the lock; never join the result in the same statement.
create or replace function builds_claim(p_worker text, p_execution uuid, p_lease interval)
returns table(o_build uuid, o_tenant uuid, o_project uuid, o_number int, o_attempt int, o_fence bigint)
language plpgsql as $$
declare
  t uuid;
begin
  for i in 1..64 loop
    select q.tenant_id into t from builds_tenantqueue q
      where q.ready and not q.paused and q.running < q.max_running and q.ready_at <= now()
      order by q.turn limit 1 for no key update skip locked;
    if not found then
      -- Other claimers may hold every ready tenant just now, for a few milliseconds: "nothing" would be wrong then, and
      -- its caller would sleep until the next notice.
      perform 1 from builds_tenantqueue q
        where q.ready and not q.paused and q.running < q.max_running and q.ready_at <= now() limit 1;
      if not found then return; end if;
      perform pg_sleep(0.003);
      continue;
    end if;

    update builds_build b set status = 'running', started_at = coalesce(b.started_at, clock_timestamp()),
        attempts = b.attempts + 1, wait_reason = '', not_before = null, updated_at = clock_timestamp()
      where b.id = (
        select h.id from builds_build h
        where h.tenant_id = t and h.status = 'queued' and (h.not_before is null or h.not_before <= now())
        order by h.rank desc, h.queued_at, h.id limit 1 for update skip locked)
      returning b.id, b.project_id, b.number, b.attempts into o_build, o_project, o_number, o_attempt;

    if o_build is null then
      -- Nothing may start now: either the queue is empty, or all of it waits for a later time.
      update builds_tenantqueue q set
          ready = exists (select 1 from builds_build b where b.tenant_id = t and b.status = 'queued'),
          ready_at = coalesce(
            (select min(b.not_before) from builds_build b where b.tenant_id = t and b.status = 'queued'), now())
        where q.tenant_id = t;
      continue;
    end if;

    o_tenant := t;
    o_fence := nextval('builds_fence_seq');
    update builds_tenantqueue q set running = q.running + 1, turn = nextval('builds_turn_seq') where q.tenant_id = t;
    insert into builds_execution (id, created_at, updated_at, build_id, attempt, status, fence, worker, lease_until,
        claimed_at, reason, isolation, facts, log_lines, masked_values, progress, usage)
      values (p_execution, clock_timestamp(), clock_timestamp(), o_build, o_attempt, 'claimed', o_fence, p_worker,
        clock_timestamp() + p_lease, clock_timestamp(), '', '{}', '{}', 0, 0, '{}', '{}');
    return next;
    return;
  end loop;
end $$;
