import { expect, expectClean, looks, password, register, test, watchConsole } from '../support/fixtures.ts'

for (const look of looks)
  test(`sign-in and projects are clean in ${look.theme} at ${look.size.width} px`, async ({ page, product }) => {
    const consoleIsClean = watchConsole(page)
    await page.goto(product.url)
    await expect(page.getByRole('button', { name: 'Sign in' })).toBeVisible()
    await expectClean(page, look)
    await register(page, product)
    await expectClean(page, look)
    consoleIsClean()
  })

test('an account has a name, its devices are listed, and another one can be signed out', async ({
  page,
  product,
  browser,
}) => {
  const username = await register(page, product)
  const elsewhere = await browser.newContext()
  const other = await elsewhere.newPage()
  await other.goto(product.url)
  await other.getByLabel('Email or username').fill(username)
  await other.getByLabel('Password').fill(password)
  await other.getByRole('button', { name: 'Sign in' }).click()
  await expect(other.getByRole('heading', { name: 'What shall the crew build?' })).toBeVisible()

  await page.getByRole('button', { name: /account of/ }).click()
  await page.getByRole('menuitem', { name: 'Account' }).click()
  await page.getByRole('textbox', { name: 'Name' }).fill('Lena Kraft')
  await page.getByRole('button', { name: 'Save' }).click()
  await expect(page.getByText('Saved')).toBeVisible()
  for (const [index, section] of ['Password', 'Profile', 'Devices'].entries()) {
    await page.getByRole('tab', { name: section }).click()
    await expectClean(page, looks[index]!)
  }
  const devices = page.getByRole('list', { name: 'Devices' }).getByRole('listitem')
  await expect(devices).toHaveCount(2)
  await devices.getByRole('button', { name: /^Sign out/ }).click()
  await expect(devices).toHaveCount(1)
  await expect(other.getByRole('button', { name: 'Sign in' })).toBeVisible()
  await page.keyboard.press('Escape')
  await expect(page.getByRole('button', { name: 'LK: account of Lena Kraft' })).toBeVisible()
  await elsewhere.close()
})
