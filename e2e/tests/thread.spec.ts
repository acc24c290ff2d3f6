import {
  approvePlan,
  expect,
  expectClean,
  git,
  inPreview,
  looks,
  nonce,
  register,
  test,
  watchConsole,
  wear,
  wish,
} from '../support/fixtures.ts'

test('a sentence becomes a merged, visible change', async ({ page, product }) => {
  const consoleIsClean = watchConsole(page)
  const words = nonce()
  await register(page, product)
  const projectId = await wish(page, `Add a banner that says "${words}"`)

  await approvePlan(page)
  await expect(inPreview(page).getByText(words)).toBeVisible({ timeout: 240_000 })

  // Main moved by a merge, and the words came with it, from the engineer's branch.
  expect(git(product, projectId, 'log', '-1', '--format=%s', 'main')).toMatch(/^merge\(banner\)/)
  expect(git(product, projectId, 'log', '-S', words, '--format=%ae', 'main', '--', 'src')).toContain(
    'engineer@crew.guildhall',
  )
  await expect(page.getByText('merged').first()).toBeVisible()

  // The preview says where it is, goes where it is told, and back again.
  const path = page.getByRole('textbox', { name: 'Path in the preview' })
  await expect(path).toHaveValue('/')
  await path.fill('/shop?tab=2')
  await path.press('Enter')
  await expect(page.getByRole('button', { name: 'Back', exact: true })).toBeEnabled()
  await expect(path).toHaveValue('/shop?tab=2')
  await page.getByRole('button', { name: 'Back', exact: true }).click()
  await expect(path).toHaveValue('/')
  await expect(inPreview(page).getByText(words)).toBeVisible()

  // What an agent read is one click away, as the file itself.
  const read = page.getByRole('button', { name: /^read src\// }).last()
  await read.click()
  await read
    .locator('..')
    .getByRole('button', { name: /^src\// })
    .click()
  await expect(page.getByRole('article', { name: /^src\// })).toContainText(/import|export/)

  // The terminal is in the same sandbox: it sees what was merged.
  await page.getByRole('tab', { name: 'Terminal' }).click()
  await page.getByRole('textbox', { name: 'Terminal input' }).pressSequentially(`grep -rl ${words} src\n`)
  await expect(page.locator('.xterm-rows')).toContainText('src/content.ts')

  // A second shell beside it; both are there after a reload, and one that ends says how.
  await page.getByRole('button', { name: 'New terminal' }).click()
  await page.getByRole('menuitem', { name: 'main', exact: true }).click()
  const shell = page.locator('.xterm-rows:visible')
  await page.getByRole('textbox', { name: 'Terminal input' }).pressSequentially('echo kept-$((20 + 3))\n')
  await expect(shell).toContainText('kept-23')
  await page.reload()
  await expect(shell).toContainText('kept-23')
  await page.getByRole('textbox', { name: 'Terminal input' }).pressSequentially('exit 7\n')
  await expect(page.getByText('exit 7', { exact: true })).toBeVisible()
  await page.getByRole('button', { name: 'Close terminal main 2' }).click()
  await expect(shell).toContainText('src/content.ts')

  for (const look of looks) await expectClean(page, look)

  // A later wish makes the first promise untrue; the plan says so before anybody says yes to it.
  await wear(page, looks[0]!)
  const others = nonce()
  await page.getByRole('textbox', { name: 'Message to the crew' }).fill(`Add a banner that says "${others}"`)
  await page.getByRole('button', { name: 'Send' }).click()
  const plan = page.getByRole('article', { name: 'Plan 2' })
  await expect(plan).toContainText(`replaces The banner says exactly "${words}"`)
  await approvePlan(page)
  await expect(inPreview(page).getByText(others)).toBeVisible({ timeout: 240_000 })
  consoleIsClean()
})

test('a check that stays red never merges, and the person is told why', async ({ page, product }) => {
  const words = nonce()
  await register(page, product)
  const projectId = await wish(page, `Add a banner that says "${words}", with a check that stays red`)
  const before = git(product, projectId, 'rev-parse', 'main')
  await approvePlan(page)

  await expect(page.getByText(/failed and was not merged/).first()).toBeVisible({ timeout: 240_000 })
  expect(git(product, projectId, 'rev-parse', 'main')).toBe(before)
  expect(git(product, projectId, 'log', '-S', words, '--format=%s', 'main', '--', 'src')).toBe('')

  // What was not merged can still be looked at: the branch has a preview of its own, started by choosing it.
  await page.getByRole('combobox', { name: 'Branch in the preview' }).selectOption({ index: 1 })
  await expect(inPreview(page).getByRole('heading', { name: 'A fresh start' })).toBeVisible({ timeout: 120_000 })
  expect(
    await inPreview(page)
      .locator('body')
      .evaluate(() => location.host),
  ).toMatch(/--agent-engineer-/)

  // The project's settings: a name that is seen at once, and an archive that nothing changes in.
  await page.getByRole('button', { name: /project menu/ }).click()
  await page.getByRole('menuitem', { name: 'Settings' }).click()
  await page.getByRole('textbox', { name: 'Name' }).fill('Harbour Market')
  await page.getByRole('button', { name: 'Save' }).click()
  await expect(page.getByRole('dialog').getByText('Harbour Market')).toBeVisible()
  for (const [index, section] of ['General', 'Crew', 'Members', 'Archive or delete'].entries()) {
    await page.getByRole('tab', { name: section }).click()
    await expectClean(page, looks[index]!)
  }
  await wear(page, looks[0]!)
  await page.getByRole('button', { name: 'Archive the project' }).click()
  await page.keyboard.press('Escape')
  await expect(page.getByRole('textbox', { name: 'Message to the crew' })).toHaveAttribute('placeholder', /archived/)
  await page.getByRole('button', { name: 'Restore it' }).click()
  await expect(page.getByRole('complementary', { name: 'Archived' })).toBeHidden()
})

test('two tasks on two branches at once both reach main', async ({ page, product }) => {
  const words = nonce()
  await register(page, product)
  const projectId = await wish(page, `Add a banner that says "${words}" and a footer that says "${words}"`)
  await approvePlan(page)

  await expect(inPreview(page).getByText(words).nth(1)).toBeVisible({ timeout: 280_000 })
  const merges = git(product, projectId, 'log', '--merges', '--format=%s', 'main')
  expect(merges).toMatch(/merge\(banner\)/)
  expect(merges).toMatch(/merge\(footer\)/)
})
