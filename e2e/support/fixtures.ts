import { randomUUID } from 'node:crypto'
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import AxeBuilder from '@axe-core/playwright'
import { test as base, expect, type Page } from '@playwright/test'
import { type Product, startModel, startProduct } from './product.ts'

/** One product and one scripted crew for a whole file. */
export const test = base.extend<object, { product: Product }>({
  product: [
    async ({}, use) => {
      const model = await startModel()
      const product = await startProduct({ modelUrl: model.url })
      await use(product)
      if (process.env['GUILDHALL_E2E_LOG']) writeFileSync(process.env['GUILDHALL_E2E_LOG'], product.output())
      await product.stop()
      await model.stop()
    },
    { scope: 'worker', timeout: 180_000 },
  ],
})
export { expect }

/** A word that cannot be anywhere before the test put it there. */
export const nonce = () => `nonce-${randomUUID().slice(0, 8)}`

export const password = 'a long enough password'

/** Registers a new person through the page and ends on the projects page; answers the username. */
export async function register(page: Page, product: Product): Promise<string> {
  const name = `p${randomUUID().slice(0, 8)}`
  await page.goto(`${product.url}/register`)
  await page.getByLabel('Email').fill(`${name}@example.test`)
  await page.getByLabel('Username').fill(name)
  await page.getByLabel('Password', { exact: true }).fill(password)
  await page.getByRole('button', { name: 'Create account' }).click()
  await expect(page.getByRole('heading', { name: 'What shall the crew build?' })).toBeVisible()
  return name
}

/** Creates a project from a wish on the projects page and waits for the manager's plan; answers the project's id. */
export async function wish(page: Page, text: string): Promise<string> {
  await page.getByRole('textbox', { name: 'What shall the crew build?' }).fill(text)
  await page.getByRole('button', { name: 'Start' }).click()
  await page.waitForURL(/\/projects\/[0-9a-f-]{36}/)
  return /\/projects\/([0-9a-f-]{36})/.exec(page.url())![1]!
}

export async function approvePlan(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Approve plan' }).click({ timeout: 180_000 })
}

/** Text inside the live preview. */
export const inPreview = (page: Page) => page.frameLocator('iframe[title="Preview"]')

/** git over the bare repository that counts, read from outside the product. */
export function git(product: Product, projectId: string, ...args: string[]): string {
  const repository = join(product.dataDir, 'repositories', `${projectId}.git`)
  return execFileSync('git', ['--git-dir', repository, '-c', 'safe.directory=*', ...args], { encoding: 'utf8' })
}

const sizes = [
  { width: 1600, height: 1000 },
  { width: 390, height: 844 },
]
/** Both themes at both sizes that every screen is looked at in. */
export const looks = (['ink', 'paper'] as const).flatMap((theme) => sizes.map((size) => ({ theme, size })))
export type Look = (typeof looks)[number]

export async function wear(page: Page, { theme, size }: Look): Promise<void> {
  await page.emulateMedia({ colorScheme: theme === 'ink' ? 'dark' : 'light', reducedMotion: 'reduce' })
  await page.setViewportSize(size)
}

/** No serious finding of axe and nothing wider than the screen. The previewed app is the person's own. */
export async function expectClean(page: Page, look: Look): Promise<void> {
  await wear(page, look)
  const { violations } = await new AxeBuilder({ page }).exclude('iframe').analyze()
  const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
  expect(serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' | ')}`)).toEqual([])
  expect(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)).toBeLessThanOrEqual(0)
}

/** Fails the test when the page logs an error or an exception escapes. */
export function watchConsole(page: Page): () => void {
  const errors: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text())
  })
  page.on('pageerror', (error) => errors.push(String(error)))
  return () => expect(errors, 'errors in the browser console').toEqual([])
}

test.afterEach(async ({ product }, info) => {
  if (info.status !== info.expectedStatus)
    await info.attach('what the product printed', { body: product.output(), contentType: 'text/plain' })
})
