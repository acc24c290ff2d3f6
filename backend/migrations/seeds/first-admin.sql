-- The first owner of the house: no password, so the only way in is the single-use link that `make start` prints.
insert into users (id, username, display_name, role, is_verified)
select '01900000-0000-7000-8000-000000000001', 'admin', 'Admin', 'admin', true
where not exists (select from users where role = 'admin')
