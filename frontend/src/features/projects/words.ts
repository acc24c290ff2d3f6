import type { Autonomy, ProjectRole } from '@guildhall/protocol/projects.ts'

/** Each role, and what it lets a person do. */
export const roleWords: Record<ProjectRole, { name: string; may: string }> = {
  owner: { name: 'Owner', may: 'does everything, settings and members included' },
  editor: { name: 'Editor', may: 'talks to the crew, approves plans, uses terminals and previews' },
  viewer: { name: 'Viewer', may: 'reads along: chat, tasks, code and previews; changes nothing' },
}

/** Who must say yes, and to what. */
export const autonomyWords: Record<Autonomy, { name: string; means: string }> = {
  review_all: {
    name: 'Ask at every gate',
    means: 'You approve the plan, and each finished task once more before it is merged.',
  },
  review_plan: {
    name: 'Ask for the plan',
    means: 'You approve the plan; what then passes its checks and a review is merged without asking.',
  },
  auto: {
    name: 'Do not ask',
    means: 'Work begins as soon as it is planned. The documents are still written; checks and reviews still decide.',
  },
}
