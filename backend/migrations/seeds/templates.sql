-- Commands run inside the sandbox in the project's work tree; $PORT is that work tree's own.
insert into project_templates (slug, name, description, stack, setup_command, start_command, test_command, version)
values (
  'react-vite', 'React + Vite', 'A page in TypeScript with React, served by Vite, tested by Node.',
  '["React 19", "Vite 8", "TypeScript"]', 'npm ci --no-audit --no-fund', 'npm run dev', 'npm test', 1)
on conflict (slug) do update set
  name = excluded.name, description = excluded.description, stack = excluded.stack,
  setup_command = excluded.setup_command, start_command = excluded.start_command,
  test_command = excluded.test_command, version = excluded.version
where project_templates.version <= excluded.version
