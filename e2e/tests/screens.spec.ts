import AxeBuilder from '@axe-core/playwright'
import type { Page } from '@playwright/test'
import { expect, register, test, watchConsole } from '../support/fixtures.ts'

const themes = ['ink', 'paper'] as const
const sizes = [
  { width: 1600, height: 1000 },
  { width: 390, height: 844 },
]

async function expectAccessible(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).exclude('iframe').analyze()
  const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
  expect(serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' | ')}`)).toEqual([])
}

for (const theme of themes)
  for (const size of sizes)
    test(`sign-in and projects are clean in ${theme} at ${size.width} px`, async ({ page, product }) => {
      const consoleIsClean = watchConsole(page)
      await page.emulateMedia({ colorScheme: theme === 'ink' ? 'dark' : 'light', reducedMotion: 'reduce' })
      await page.setViewportSize(size)
      await page.goto(product.url)
      await expect(page.getByRole('button', { name: 'Sign in' })).toBeVisible()
      await expectAccessible(page)
      await register(page, product)
      await expectAccessible(page)
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
      expect(overflow).toBeLessThanOrEqual(0)
      consoleIsClean()
    })
