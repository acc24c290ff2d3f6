import { useQuery } from '@tanstack/react-query'
import { GitBranch, Plus, SquareTerminal } from 'lucide-react'
import { Menu, MenuContent, MenuItem, MenuLabel, MenuSeparator, MenuTrigger } from '../../../components/ui/menu.tsx'
import { useNow } from '../../../lib/clock.ts'
import { ago, shortBranch } from '../../../lib/format.ts'
import { branchList } from '../../repository/api.ts'
import { terminalList } from '../api.ts'

interface NewTerminalProps {
  projectId: string
  mainBranch: string
  /** Shells that stand as tabs already. */
  known: readonly (string | null)[]
  onNew(branch: string, terminalId?: string): void
}

/** A new shell on a branch, or one that runs already without a tab here. */
export const NewTerminal = (props: NewTerminalProps) => (
  <Menu>
    <MenuTrigger
      aria-label="New terminal"
      title="New terminal"
      className="grid size-7 shrink-0 place-items-center rounded-sm text-fg-2 hover:bg-surface-3 hover:text-fg max-md:size-11"
    >
      <Plus className="size-4" />
    </MenuTrigger>
    <MenuContent align="start" className="max-h-80 overflow-auto">
      <Choices {...props} />
    </MenuContent>
  </Menu>
)

/** Asked for when the menu opens. */
function Choices({ projectId, mainBranch, known, onNew }: NewTerminalProps) {
  const now = useNow()
  const branches = useQuery(branchList(projectId)).data ?? []
  const running = (useQuery(terminalList(projectId)).data ?? []).filter(({ id }) => !known.includes(id))
  const others = branches.filter(({ name, status }) => name !== mainBranch && status !== 'merged')
  return (
    <>
      <MenuLabel>New, on the branch</MenuLabel>
      <MenuItem onSelect={() => onNew(mainBranch)}>
        <GitBranch /> {mainBranch}
      </MenuItem>
      {others.map(({ name }) => (
        <MenuItem key={name} onSelect={() => onNew(name)} title={name}>
          <GitBranch /> <span className="max-w-64 truncate">{shortBranch(name)}</span>
        </MenuItem>
      ))}
      {running.length > 0 && (
        <>
          <MenuSeparator />
          <MenuLabel>Running already</MenuLabel>
          {running.map(({ id, branch, createdAt }) => (
            <MenuItem key={id} onSelect={() => onNew(branch, id)}>
              <SquareTerminal />
              <span className="max-w-48 truncate">{shortBranch(branch)}</span>
              <span className="ml-auto text-xs text-fg-3 tabular">{ago(createdAt, now)}</span>
            </MenuItem>
          ))}
        </>
      )}
    </>
  )
}
