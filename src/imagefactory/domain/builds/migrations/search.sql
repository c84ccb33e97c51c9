-- The trigram index behind the search for text in lists of builds. Without the extension the search works and is slow.
do $$
begin
  if exists (select 1 from pg_available_extensions where name = 'pg_trgm') then
    create extension if not exists pg_trgm;
    create index builds_text on builds_buildtext using gin (words gin_trgm_ops, codes gin_trgm_ops);
  end if;
end $$;
