import { Autonomy, type Project } from '@guildhall/protocol/projects.ts'
import { useQuery } from '@tanstack/react-query'
import { Field, SelectField } from '../../../components/ui/field.tsx'
import { modelInUse, modelList, modelName } from '../../llm/api.ts'
import { useSettingsForm } from '../use-settings-form.ts'
import { autonomyWords } from '../words.ts'
import { SettingsForm } from './settings-form.tsx'

interface SettingsCrewProps {
  project: Project
  mayChange: boolean
}

const amountPattern = '\\d{1,9}([.,]\\d{1,2})?'
/** What was typed as the API takes it; what is no amount goes as it is, and the API says so. */
const asUsd = (typed: string): string | null => {
  const text = typed.trim().replace(',', '.')
  if (text === '') return null
  return new RegExp(`^${amountPattern}$`).test(text) ? Number(text).toFixed(6) : text
}

/** Which model the crew thinks with, what that may cost, and how often it asks. */
export function SettingsCrew({ project, mayChange }: SettingsCrewProps) {
  const form = useSettingsForm(
    project,
    ({ config: { budgetUsd, ...config } }) => ({ ...config, budget: budgetUsd ? Number(budgetUsd).toFixed(2) : '' }),
    ({ budget, ...config }) => ({ config: { ...config, budgetUsd: asUsd(budget) } }),
  )
  const models = useQuery(modelList())
  const { model, autonomy, budget } = form.values
  const available = (models.data?.items ?? []).filter((each) => each.available)
  const usual = models.data && modelInUse(models.data, null)
  const isUnknown = model !== null && models.data !== undefined && !available.some(({ id }) => id === model)
  return (
    <SettingsForm form={form} mayChange={mayChange}>
      <SelectField
        label="Model"
        value={model ?? ''}
        onChange={(event) => form.set({ model: event.target.value || null })}
        hint="Runs that are under way keep the model they began with."
        error={isUnknown ? `${model} is not set up here; choose another.` : form.fields['config.model']}
      >
        <option value="">
          {usual
            ? `As everywhere in this house: ${modelName(usual)}`
            : 'As everywhere in this house: none is set up yet'}
        </option>
        {isUnknown && <option value={model}>{model}</option>}
        {available.map((each) => (
          <option key={each.id} value={each.id}>
            {modelName(each)}
          </option>
        ))}
      </SelectField>
      <Field
        label="Budget in US dollars"
        value={budget}
        onChange={(event) => form.set({ budget: event.target.value })}
        inputMode="decimal"
        pattern={amountPattern}
        placeholder="No limit"
        autoComplete="off"
        hint="What all model calls of this project may cost together. A call that could pass it is not sent; empty means no limit."
        error={form.fields['config.budgetUsd'] && 'An amount such as 5 or 12.50'}
      />
      <fieldset className="grid gap-2">
        <legend className="mb-1.5 text-sm font-medium text-fg-2">How often the crew asks you</legend>
        {Autonomy.options.map((value) => (
          <label
            key={value}
            className="flex cursor-pointer gap-3 rounded-md border border-line p-3 transition-colors duration-[120ms] has-checked:border-accent has-checked:bg-accent-soft has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-accent"
          >
            <input
              type="radio"
              name="autonomy"
              value={value}
              checked={autonomy === value}
              onChange={() => form.set({ autonomy: value })}
              className="mt-0.5 size-4 shrink-0 accent-(--accent) outline-none"
            />
            <span>
              <span className="block font-medium">{autonomyWords[value].name}</span>
              <span className="mt-0.5 block text-sm text-fg-2">{autonomyWords[value].means}</span>
            </span>
          </label>
        ))}
      </fieldset>
    </SettingsForm>
  )
}
