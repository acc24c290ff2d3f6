import { create } from 'zustand'

export const themeChoices = ['system', 'ink', 'paper'] as const
export type ThemeChoice = (typeof themeChoices)[number]
export const themeNames: Record<ThemeChoice, string> = { system: 'As the system', ink: 'Ink', paper: 'Paper' }
export type Theme = 'ink' | 'paper'

const key = 'guildhall.theme'
const systemIsLight = matchMedia('(prefers-color-scheme: light)')

const stored = (): ThemeChoice => themeChoices.find((choice) => choice === localStorage.getItem(key)) ?? 'system'
const shown = (choice: ThemeChoice): Theme => (choice === 'system' ? (systemIsLight.matches ? 'paper' : 'ink') : choice)

interface ThemeState {
  choice: ThemeChoice
  theme: Theme
  choose(choice: ThemeChoice): void
}

/** Which theme the page wears. `public/theme.js` has set it before the first paint. */
export const useTheme = create<ThemeState>((set) => ({
  choice: stored(),
  theme: shown(stored()),
  choose(choice) {
    localStorage.setItem(key, choice)
    set({ choice, theme: shown(choice) })
  },
}))

const wear = ({ theme }: ThemeState) => {
  document.documentElement.dataset.theme = theme
}
wear(useTheme.getState())
useTheme.subscribe(wear)
systemIsLight.addEventListener('change', () => useTheme.setState(({ choice }) => ({ theme: shown(choice) })))
