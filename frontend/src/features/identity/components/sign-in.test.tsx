import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { fireEvent, render, screen, waitFor } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { MemoryRouter } from 'react-router'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { at, id } from '../../../testing/log.ts'
import { useSession } from '../api.ts'
import { SignIn } from './sign-in.tsx'

const user = {
  id: id(900),
  email: 'lena@example.test',
  username: 'lena',
  displayName: 'Lena',
  role: 'user',
  hasPassword: true,
  createdAt: at(0),
}
const json = (body: unknown, status = 200) => new Response(JSON.stringify(body), { status })

let logins: unknown[] = []
let registrationOpen = false
let login: () => Promise<Response>
const realFetch = globalThis.fetch
beforeEach(() => {
  logins = []
  registrationOpen = false
  login = async () => json({ accessToken: 'a', expiresIn: 900, user })
  useSession.setState({ status: 'out', user: null }, true)
  globalThis.fetch = (async (path: string, init: RequestInit) => {
    if (path === '/api/auth/options') return json({ registrationOpen })
    logins.push(JSON.parse(String(init.body)))
    return login()
  }) as typeof fetch
})
afterEach(() => {
  globalThis.fetch = realFetch
})

const show = () =>
  render(
    <QueryClientProvider client={new QueryClient({ defaultOptions: { queries: { retry: false } } })}>
      <MemoryRouter>
        <SignIn />
      </MemoryRouter>
    </QueryClientProvider>,
  )

async function fill() {
  await userEvent.type(screen.getByLabelText('Email or username'), 'lena')
  await userEvent.type(screen.getByLabelText('Password'), 'a long enough password')
}

test('submitted twice at once, it is sent once and lets in', async () => {
  show()
  await fill()
  const form = screen.getByRole('button', { name: 'Sign in' }).closest('form')!
  fireEvent.submit(form)
  fireEvent.submit(form)
  await waitFor(() => expect(useSession.getState().user?.username).toBe('lena'))
  expect(logins).toEqual([{ login: 'lena', password: 'a long enough password', rememberMe: false }])
})

test('a wrong password is said plainly and what was typed stays', async () => {
  login = async () => json({ type: 'about:blank', title: 'No', status: 401, code: 'unauthenticated' }, 401)
  show()
  await fill()
  await userEvent.click(screen.getByRole('button', { name: 'Sign in' }))
  expect((await screen.findByRole('alert')).textContent).toBe('That name and password do not belong together.')
  expect(screen.getByLabelText<HTMLInputElement>('Email or username').value).toBe('lena')
  await userEvent.click(screen.getByRole('button', { name: 'Sign in' }))
  await waitFor(() => expect(logins).toHaveLength(2))
})

test('field errors of the server stand at their fields', async () => {
  login = async () =>
    json({ type: 'about:blank', title: 'Invalid', status: 422, code: 'invalid', fields: { login: 'is unknown' } }, 422)
  show()
  await fill()
  await userEvent.click(screen.getByRole('button', { name: 'Sign in' }))
  await screen.findByText('is unknown')
  expect(screen.getByLabelText('Email or username').getAttribute('aria-invalid')).toBe('true')
})

test('a new account is offered only where registration is open', async () => {
  registrationOpen = true
  show()
  expect(await screen.findByRole('link', { name: 'Create an account' })).toBeTruthy()
})
