import { type Member, type Project, ProjectRole } from '@guildhall/protocol/projects.ts'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { TriangleAlert } from 'lucide-react'
import { type FormEvent, useRef, useState } from 'react'
import { FormFault } from '../../../components/form-fault.tsx'
import { Notice } from '../../../components/notice.tsx'
import { Button } from '../../../components/ui/button.tsx'
import { Field } from '../../../components/ui/field.tsx'
import { Select } from '../../../components/ui/select.tsx'
import { Skeleton } from '../../../components/ui/skeleton.tsx'
import { Sure } from '../../../components/ui/sure.tsx'
import { messageOf, ProblemError } from '../../../lib/request.ts'
import { useSession } from '../../identity/api.ts'
import { addMember, changeMember, leaveProject, memberList, projectKeys, removeMember } from '../api.ts'
import { roleWords } from '../words.ts'

interface SettingsMembersProps {
  project: Project
  mayChange: boolean
  /** The reader left the project. */
  onGone(): void
}

const roles = ProjectRole.options.toReversed().map((role) => ({ value: role, label: roleWords[role].name }))

export function SettingsMembers({ project, mayChange, onGone }: SettingsMembersProps) {
  const client = useQueryClient()
  const members = useQuery(memberList(project.id))
  const userId = useSession(({ user }) => user?.id)
  const onSettled = () => client.invalidateQueries({ queryKey: projectKeys.members(project.id) })
  const change = useMutation({
    mutationFn: ({ member, role }: { member: Member; role: ProjectRole }) =>
      changeMember(project.id, member.userId, role),
    onSettled,
  })
  const remove = useMutation({ mutationFn: (member: Member) => removeMember(project.id, member.userId), onSettled })
  const leave = useMutation({ mutationFn: () => leaveProject(project.id), onSuccess: onGone })
  const error = change.error ?? remove.error ?? leave.error

  if (members.isPending) return <Skeleton className="h-32" />
  if (members.isError) {
    return (
      <Notice
        icon={TriangleAlert}
        tone="bad"
        title="The members could not be read"
        action={<Button onClick={() => void members.refetch()}>Try again</Button>}
      >
        {messageOf(members.error)}
      </Notice>
    )
  }
  return (
    <div className="grid gap-5">
      {mayChange && <AddMember projectId={project.id} onAdded={onSettled} />}
      <FormFault text={error && messageOf(error)} />
      <ul aria-label="Members" className="divide-y divide-line border-y border-line">
        {members.data.map((member) => {
          const isMe = member.userId === userId
          const name = isMe ? `${member.displayName} (you)` : member.displayName
          return (
            <li key={member.userId} className="flex min-h-12 flex-wrap items-center gap-x-3 gap-y-1.5 py-2">
              <span className="min-w-0 flex-1">
                <span className="block truncate text-sm font-medium">{name}</span>
                <span className="block truncate text-xs text-fg-3">@{member.username}</span>
              </span>
              {mayChange ? (
                <Select
                  label={`Role of ${member.displayName}`}
                  value={member.role}
                  options={roles}
                  disabled={change.isPending}
                  onChange={(role) => change.mutate({ member, role: role as ProjectRole })}
                />
              ) : (
                <span className="text-sm text-fg-2">{roleWords[member.role].name}</span>
              )}
              {isMe ? (
                <Sure label="Leave" confirm="Leave the project" busy={leave.isPending} onSure={() => leave.mutate()} />
              ) : (
                mayChange && (
                  <Sure
                    label="Remove"
                    confirm={`Remove ${member.displayName}`}
                    busy={remove.isPending && remove.variables.userId === member.userId}
                    onSure={() => remove.mutate(member)}
                  />
                )
              )}
            </li>
          )
        })}
      </ul>
      <dl className="grid gap-1.5 text-sm text-fg-2">
        {roles.map(({ value, label }) => (
          <div key={value}>
            <dt className="inline font-medium text-fg">{label}</dt> <dd className="inline">{roleWords[value].may}.</dd>
          </div>
        ))}
      </dl>
    </div>
  )
}

function AddMember({ projectId, onAdded }: { projectId: string; onAdded(): void }) {
  const form = useRef<HTMLFormElement>(null)
  const [role, setRole] = useState<ProjectRole>('editor')
  const add = useMutation({
    mutationFn: (login: string) => addMember(projectId, { login, role }),
    onSuccess: () => {
      form.current?.reset()
      onAdded()
    },
  })
  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const login = String(new FormData(event.currentTarget).get('login')).trim()
    if (login && !add.isPending) add.mutate(login)
  }
  const isUnknown = add.error instanceof ProblemError && add.error.problem.fields?.login !== undefined
  return (
    <form ref={form} onSubmit={onSubmit} className="flex flex-wrap items-end gap-2">
      <Field
        label="Add someone who has an account here"
        name="login"
        placeholder="E-mail address or username"
        autoComplete="off"
        autoCapitalize="none"
        required
        error={isUnknown ? 'Nobody here has this address or name.' : add.error ? messageOf(add.error) : undefined}
        className="min-w-56 flex-1"
      />
      <div className="flex h-10 items-center gap-2" style={add.error ? { marginBottom: 22 } : undefined}>
        <Select label="Their role" value={role} options={roles} onChange={(next) => setRole(next as ProjectRole)} />
        <Button type="submit" busy={add.isPending}>
          Add
        </Button>
      </div>
    </form>
  )
}
