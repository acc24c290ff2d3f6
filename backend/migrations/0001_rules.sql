-- Who may see and change which row. Written by hand; `npm run db:rebuild` keeps it.
--   migrate  owns the schema and the functions below; a policy lets it through (row-level security is forced on owners).
--   app      every request and every agent run; sees what `app.actor` (a user's id, set for one transaction) may see.
--   system   the house: sweeps, scheduler, merge queue, queue; a policy lets it through, nothing bypasses.

create function guildhall_actor() returns uuid
  language sql stable
  return nullif(current_setting('app.actor', true), '')::uuid;
--> statement-breakpoint

-- Projects of the actor, as one set: a policy that asks it per query costs one look-up instead of one per row.
-- SECURITY DEFINER, because a policy on members that reads members would ask itself for ever.
create function guildhall_projects() returns setof uuid
  language sql stable security definer set search_path = pg_catalog, public, pg_temp
  as $$
    select m.project_id from public.project_members m where m.user_id = guildhall_actor()
    union
    select p.id from public.projects p where p.owner_id = guildhall_actor()
  $$;
--> statement-breakpoint

create function guildhall_is_member(project uuid) returns boolean
  language sql stable security definer set search_path = pg_catalog, public, pg_temp
  as $$
    select exists (select from public.project_members m where m.project_id = project and m.user_id = guildhall_actor())
        or exists (select from public.projects p where p.id = project and p.owner_id = guildhall_actor())
  $$;
--> statement-breakpoint

-- Whether the actor works with this person in some project: then a fact may be put into that person's log
-- ("you were added"). Append it before the membership ends, or as the house.
create function guildhall_knows(person uuid) returns boolean
  language sql stable security definer set search_path = pg_catalog, public, pg_temp
  as $$
    select person = guildhall_actor()
        or exists (select from public.project_members m
                   where m.user_id = person and m.project_id in (select guildhall_projects()))
  $$;
--> statement-breakpoint

create function guildhall_may_use_topic(topic text) returns boolean
  language sql stable
  as $$
    select case split_part(topic, ':', 1)
      when 'project' then guildhall_is_member(split_part(topic, ':', 2)::uuid)
      when 'user' then guildhall_knows(split_part(topic, ':', 2)::uuid)
      else false
    end
  $$;
--> statement-breakpoint

-- What every table gets; migrations that add a table call it (or protect_project_table).
create function guildhall_protect(target regclass) returns void
  language plpgsql
  as $$
  begin
    execute format('alter table %s enable row level security', target);
    execute format('alter table %s force row level security', target);
    execute format('create policy house on %s to system, migrate using (true) with check (true)', target);
    execute format('grant select, insert, update, delete on %s to app, system', target);
  end
  $$;
--> statement-breakpoint

-- A table whose rows belong to the project in `project_id`.
create function guildhall_protect_project_table(target regclass) returns void
  language plpgsql
  as $$
  begin
    perform guildhall_protect(target);
    execute format('create policy members on %s to app
                      using (project_id in (select guildhall_projects()))
                      with check (guildhall_is_member(project_id))', target);
  end
  $$;
--> statement-breakpoint

revoke all on all functions in schema public from public;
--> statement-breakpoint
grant usage on schema public to app, system;
--> statement-breakpoint
grant execute on function guildhall_actor(), guildhall_projects(), guildhall_is_member(uuid), guildhall_knows(uuid),
  guildhall_may_use_topic(text) to app, system;
--> statement-breakpoint

-- Every table with a project_id, except those with rules of their own below.
do $$
declare
  target regclass;
begin
  for target in
    select c.oid::regclass from pg_class c
      join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'public'
      join pg_attribute a on a.attrelid = c.oid and a.attname = 'project_id' and not a.attisdropped
    where c.relkind = 'r' and c.relname not in ('events', 'audit_log')
  loop
    perform guildhall_protect_project_table(target);
  end loop;
end
$$;
--> statement-breakpoint

-- projects: the owner's id in the new row counts, since the row is not there yet when it is inserted.
select guildhall_protect('projects');
--> statement-breakpoint
create policy members on projects to app
  using (owner_id = guildhall_actor() or id in (select guildhall_projects()))
  with check (owner_id = guildhall_actor() or guildhall_is_member(id));
--> statement-breakpoint

-- templates are the house's and the same for everyone.
select guildhall_protect('project_templates');
--> statement-breakpoint
revoke insert, update, delete on project_templates from app;
--> statement-breakpoint
create policy everyone on project_templates for select to app using (true);
--> statement-breakpoint

-- events: append-only. A project's log is its members'; a person's log is read by that person alone.
select guildhall_protect('events');
--> statement-breakpoint
alter table events add constraint events_topic_names_its_reader check (
  (user_id is null and topic = 'project:' || project_id::text)
  or (project_id is null and topic = 'user:' || user_id::text));
--> statement-breakpoint
revoke update, delete on events from app;
--> statement-breakpoint
revoke update on events from system;
--> statement-breakpoint
create policy readers on events for select to app
  using (project_id in (select guildhall_projects()) or user_id = guildhall_actor());
--> statement-breakpoint
create policy writers on events for insert to app
  with check (guildhall_is_member(project_id) or guildhall_knows(user_id));
--> statement-breakpoint

-- topics: a counter a topic; appendEvent inserts or moves it, so whoever may append may do both.
select guildhall_protect('topics');
--> statement-breakpoint
revoke delete on topics from app;
--> statement-breakpoint
create policy writers on topics to app
  using (guildhall_may_use_topic(topic)) with check (guildhall_may_use_topic(topic));
--> statement-breakpoint

-- users: a person sees and edits the own row, and neither role nor standing. Names of others: guildhall_people.
select guildhall_protect('users');
--> statement-breakpoint
revoke insert, update, delete on users from app;
--> statement-breakpoint
grant update (email, username, display_name, password_hash, last_login_at, updated_at) on users to app;
--> statement-breakpoint
create policy self on users to app using (id = guildhall_actor()) with check (id = guildhall_actor());
--> statement-breakpoint

select guildhall_protect('sessions');
--> statement-breakpoint
create policy self on sessions to app using (user_id = guildhall_actor()) with check (user_id = guildhall_actor());
--> statement-breakpoint

select guildhall_protect('tickets');
--> statement-breakpoint
create policy self on tickets to app using (user_id = guildhall_actor()) with check (user_id = guildhall_actor());
--> statement-breakpoint

-- idempotency_keys: a person's own; the house writes the key where the effect is the house's.
select guildhall_protect('idempotency_keys');
--> statement-breakpoint
create policy self on idempotency_keys to app
  using (user_id = guildhall_actor()) with check (user_id = guildhall_actor());
--> statement-breakpoint

-- audit_log: anyone may be recorded, also before sign-in (no RETURNING there: it would need to read); nobody edits.
select guildhall_protect('audit_log');
--> statement-breakpoint
revoke update, delete on audit_log from app, system;
--> statement-breakpoint
create policy writers on audit_log for insert to app with check (true);
--> statement-breakpoint
create policy readers on audit_log for select to app using (project_id in (select guildhall_projects()));
--> statement-breakpoint

-- messages are never changed once they are stored; they go with their project.
revoke update, delete on agent_messages from app;
--> statement-breakpoint

-- Before sign-in there is no actor. What identity needs then is these functions and nothing else; each takes a secret
-- or a name, never lists, and answers whole rows so that a new column needs no change here.

create function guildhall_find_user_by_login(login text) returns setof users
  language sql stable security definer set search_path = pg_catalog, public, pg_temp
  as $$ select * from public.users u where lower(u.username) = lower(login) or lower(u.email) = lower(login) limit 1 $$;
--> statement-breakpoint

create function guildhall_find_user(user_id uuid) returns setof users
  language sql stable security definer set search_path = pg_catalog, public, pg_temp
  as $$ select * from public.users u where u.id = user_id $$;
--> statement-breakpoint

-- A registration; always role `user`. A name or address that is taken is a unique violation (23505, constraint
-- users_username or users_email).
create function guildhall_insert_user(id uuid, email text, username text, display_name text, password_hash text)
  returns setof users
  language sql security definer set search_path = pg_catalog, public, pg_temp
  as $$
    insert into public.users (id, email, username, display_name, password_hash)
    values (id, email, username, display_name, password_hash) returning *
  $$;
--> statement-breakpoint

create function guildhall_insert_session(
  id uuid, user_id uuid, refresh_hash text, device text, remember_me boolean, expires_at timestamptz)
  returns setof sessions
  language sql security definer set search_path = pg_catalog, public, pg_temp
  as $$
    update public.users u set last_login_at = now() where u.id = user_id;
    insert into public.sessions (id, user_id, refresh_hash, device, remember_me, expires_at)
    values (id, user_id, refresh_hash, device, remember_me, expires_at) returning *
  $$;
--> statement-breakpoint

-- Any session, also an ended one: the caller looks at revoked_at and expires_at.
create function guildhall_find_session(session_id uuid) returns setof sessions
  language sql stable security definer set search_path = pg_catalog, public, pg_temp
  as $$ select * from public.sessions s where s.id = session_id $$;
--> statement-breakpoint

-- Swaps the refresh hash; no row when the session ended or the old hash is not the newest (then it was stolen, or
-- two tabs raced).
create function guildhall_rotate_session(session_id uuid, old_hash text, new_hash text, new_expires_at timestamptz)
  returns setof sessions
  language sql security definer set search_path = pg_catalog, public, pg_temp
  as $$
    update public.sessions s
      set refresh_hash = new_hash, expires_at = new_expires_at, last_seen_at = now()
      where s.id = session_id and s.refresh_hash = old_hash and s.revoked_at is null and s.expires_at > now()
      returning s.*
  $$;
--> statement-breakpoint

-- Takes a single-use ticket: whoever deletes the row has it. Nothing when it is unknown, used or too old.
create function guildhall_take_ticket(ticket_kind text, ticket_hash text) returns setof tickets
  language sql security definer set search_path = pg_catalog, public, pg_temp
  as $$
    with taken as (
      delete from public.tickets t where t.hash = ticket_hash and t.kind = ticket_kind returning t.*)
    select * from taken where expires_at > now()
  $$;
--> statement-breakpoint

-- Names of the people in a project, for its members.
create function guildhall_people(project uuid) returns table (user_id uuid, username text, display_name text)
  language sql stable security definer set search_path = pg_catalog, public, pg_temp
  as $$
    select u.id, u.username, u.display_name from public.users u
      join public.project_members m on m.user_id = u.id
    where m.project_id = project and guildhall_is_member(project)
  $$;
--> statement-breakpoint

do $$
declare
  fn regprocedure;
begin
  for fn in
    select p.oid::regprocedure from pg_proc p join pg_namespace n on n.oid = p.pronamespace and n.nspname = 'public'
    where p.proname like 'guildhall\_%' and p.proname not like 'guildhall\_protect%'
  loop
    execute format('revoke all on function %s from public', fn);
    execute format('grant execute on function %s to app, system', fn);
  end loop;
end
$$;
