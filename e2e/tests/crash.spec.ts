import { approvePlan, expect, git, inPreview, nonce, register, test, wish } from '../support/fixtures.ts'

test('the whole product killed with -9 in the middle goes on where it was', async ({ page, product }) => {
  const words = nonce()
  await register(page, product)
  const projectId = await wish(page, `Add a banner that says "${words}"`)
  await approvePlan(page)
  // The engineer has begun: its first tool line is on the page.
  await expect(page.getByText(/read src\//).first()).toBeVisible({ timeout: 180_000 })

  await product.crashAndRestart()

  await expect(inPreview(page).getByText(words)).toBeVisible({ timeout: 240_000 })
  expect(git(product, projectId, 'log', '--merges', '--format=%s', 'main').trim().split('\n')).toEqual([
    expect.stringMatching(/^merge\(banner\)/),
  ])
  // Each of the engineer's commits is there once: nothing was done twice.
  const subjects = git(product, projectId, 'log', '--author', 'engineer@crew', '--format=%s', 'main').trim().split('\n')
  expect(new Set(subjects).size).toBe(subjects.length)
})
