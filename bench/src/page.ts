import { chromium } from '@playwright/test'
import { print, repeat } from './measure.ts'

const executablePath = process.env['GUILDHALL_CHROMIUM']

/** From an empty browser profile to a page one can type into. */
export async function benchPage(url: string, person: { name: string; password: string }): Promise<void> {
  const browser = await chromium.launch({
    ...(executablePath ? { executablePath } : {}),
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking'],
  })
  try {
    const floor = await repeat(5, async () => {
      const context = await browser.newContext()
      const page = await context.newPage()
      await page.goto(`${url}/api/health/live`)
      await context.close()
    })
    const door = await repeat(5, async () => {
      const context = await browser.newContext()
      const page = await context.newPage()
      await page.goto(url)
      await page.getByLabel('Email or username').fill(person.name)
      await context.close()
    })
    const context = await browser.newContext()
    const page = await context.newPage()
    await page.goto(url)
    await page.getByLabel('Email or username').fill(person.name)
    await page.getByLabel('Password', { exact: true }).fill(person.password)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('link', { name: /Bench 0/ }).click()
    await page.getByLabel('Message to the crew').fill('x')
    const workbench = await repeat(5, async () => {
      await page.reload()
      await page.getByLabel('Message to the crew').fill('x')
    })
    console.log('\nPages in Chromium')
    print('floor: a new profile and one small answer', floor)
    print('sign-in page, cold, until it takes a key', door, floor)
    print('workbench, reload, until it takes a key', workbench, floor)
  } finally {
    await browser.close()
  }
}
