import { fileURLToPath } from 'node:url'
import { chromium, type Page } from '@playwright/test'
import { sentences } from '../backend/src/testing/scenarios/rehearsal.ts'
import { startModel, startProduct } from './support/product.ts'

/** Takes the pictures of docs/screenshots from the running product: `npm run screenshots -w e2e`. */
const folder = fileURLToPath(new URL('../docs/screenshots/', import.meta.url))
const executablePath = process.env['GUILDHALL_CHROMIUM']
const wide = { width: 1600, height: 1000 }
const narrow = { width: 390, height: 844 }

async function shoot(page: Page, name: string): Promise<void> {
  for (const [theme, colorScheme] of [['ink', 'dark'] as const, ['paper', 'light'] as const])
    for (const size of [wide, narrow]) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
      await page.setViewportSize(size)
      // The preview's frame is made anew for each width.
      await page.waitForTimeout(2_500)
      await page.screenshot({ path: `${folder}${name}-${theme}-${size.width}.png` })
    }
  await page.setViewportSize(wide)
}

const model = await startModel({ delayMs: 25 })
const product = await startProduct({ modelUrl: model.url })
const browser = await chromium.launch({
  ...(executablePath ? { executablePath } : {}),
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
})
try {
  const page = await browser.newPage({ viewport: wide })
  await page.goto(product.url)
  await page.getByRole('button', { name: 'Sign in' }).waitFor()
  await shoot(page, 'sign-in')
  await page.goto(`${product.url}/register`)
  await page.getByLabel('Email').fill('lena@example.test')
  await page.getByLabel('Username').fill('lena')
  await page.getByLabel('Password', { exact: true }).fill('a long enough password')
  await page.getByRole('button', { name: 'Create account' }).click()
  await page
    .getByRole('textbox', { name: 'What shall the crew build?' })
    .fill(sentences.two('Landed this morning', 'Delivered by noon'))
  await page.getByRole('button', { name: 'Start' }).click()
  await page.getByRole('button', { name: 'Approve plan' }).click({ timeout: 120_000 })
  await page.getByText('The plan is done').first().waitFor({ timeout: 240_000 })
  await page
    .getByRole('button', { name: /Show a banner/ })
    .last()
    .click()
  await shoot(page, 'workbench')
  await page.getByRole('button', { name: /project menu/ }).click()
  await page.getByRole('menuitem', { name: 'Settings' }).click()
  await page.getByRole('tab', { name: 'Crew' }).click()
  await shoot(page, 'settings')
  await page.keyboard.press('Escape')
  await page.goto(product.url)
  await page.getByRole('heading', { name: 'Your projects' }).waitFor()
  await shoot(page, 'projects')
} finally {
  await browser.close()
  await product.stop()
  await model.stop()
}
