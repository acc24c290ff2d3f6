import { defineConfig } from '@playwright/test'

/** CI's Chromium is the system's own and runs as root; elsewhere Playwright's default browser is used. */
const chromium = process.env['GUILDHALL_CHROMIUM']

export default defineConfig({
  testDir: './tests',
  outputDir: './results',
  timeout: 300_000,
  expect: { timeout: 30_000 },
  // The products of two files side by side would share two cores: one file at a time is quicker and steadier.
  workers: 1,
  fullyParallel: false,
  forbidOnly: true,
  reporter: process.env['PLAYWRIGHT_JSON_OUTPUT_NAME'] ? [['list'], ['json']] : [['list']],
  use: {
    viewport: { width: 1600, height: 1000 },
    trace: 'retain-on-failure',
    screenshot: 'only-on-failure',
    launchOptions: chromium
      ? {
          executablePath: chromium,
          args: [
            '--no-sandbox',
            '--disable-gpu',
            '--disable-quic',
            '--no-first-run',
            '--disable-background-networking',
            '--disable-component-update',
            '--disable-sync',
          ],
        }
      : {},
  },
})
