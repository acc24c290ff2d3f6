import type { Project, ProjectDetail, UpdateProject } from '@guildhall/protocol/projects.ts'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { isProblem, messageOf, ProblemError } from '../../lib/request.ts'
import { projectKeys, updateProject } from './api.ts'

type Changes = Omit<UpdateProject, 'version'>

/**
 * A part of a project's settings being edited. It is sent with the version it began from: when someone else saved in
 * between, nothing is overwritten, and `reload` takes the newest instead.
 */
export function useSettingsForm<Values extends object>(
  project: Project,
  read: (project: Project) => Values,
  write: (values: Values) => Changes,
) {
  const client = useQueryClient()
  const [base, setBase] = useState(project)
  const [values, setValues] = useState(() => read(project))
  const isChanged = JSON.stringify(values) !== JSON.stringify(read(base))
  const reload = (newest: Project) => {
    setBase(newest)
    setValues(read(newest))
  }
  const save = useMutation({
    mutationFn: () => updateProject(project.id, { ...write(values), version: base.version }),
    onSuccess: ({ project: saved }) => {
      reload(saved)
      client.setQueryData<ProjectDetail>(
        projectKeys.detail(saved.id),
        (detail) => detail && { ...detail, project: saved },
      )
      return client.invalidateQueries({ queryKey: projectKeys.lists })
    },
  })
  // What others saved is taken over at once while nothing is being edited here.
  if (project.version > base.version && !isChanged && !save.isPending) reload(project)

  const { error } = save
  return {
    values,
    set: (change: Partial<Values>) => {
      if (save.isSuccess) save.reset()
      setValues({ ...values, ...change })
    },
    isChanged,
    isSaving: save.isPending,
    isSaved: save.isSuccess && !isChanged,
    isStale: isProblem(error, 'stale'),
    fields: error instanceof ProblemError ? (error.problem.fields ?? {}) : {},
    fault: error && !(error instanceof ProblemError && error.problem.fields) ? messageOf(error) : null,
    onSubmit: (event: FormEvent) => {
      event.preventDefault()
      if (isChanged && !save.isPending) save.mutate()
    },
    reload: () => {
      save.reset()
      reload(project)
    },
  }
}
