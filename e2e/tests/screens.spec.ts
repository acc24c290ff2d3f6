import { expect, expectClean, looks, register, test, watchConsole } from '../support/fixtures.ts'

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
