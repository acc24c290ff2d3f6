import { networkInterfaces } from 'node:os'
import { expect, test } from 'vitest'
import { isPublicAddress } from './addresses.ts'
import { disguises, inward } from './disguises.ts'
import { parseTarget, publicAddresses, Refused } from './target.ts'

test('no spelling of an address counts as a host', () => {
  const accepted = disguises.filter((host) => parseTarget(`${host}:443`) !== null)
  expect(accepted).toEqual([])
})

test('a plain name with a port is a target, in lower case', () => {
  expect(parseTarget('API.Example.com:8443')).toEqual({ host: 'api.example.com', port: 8443 })
  expect(parseTarget('xn--bcher-kva.example:443')).toEqual({ host: 'xn--bcher-kva.example', port: 443 })
  const without = [
    'example.com',
    'example.com:0',
    'example.com:65536',
    'example.com:',
    'example.com:443:1',
    'example.com:4e2',
  ]
  expect(without.map(parseTarget)).toEqual(without.map(() => null))
})

test('no address of this machine or its networks is public', () => {
  const own = Object.values(networkInterfaces()).flatMap((list) => list?.map(({ address }) => address) ?? [])
  expect([...inward, ...own].filter(isPublicAddress)).toEqual([])
  expect(['8.8.8.8', '1.1.1.1', '2606:4700:4700::1111', '2a00:1450::1'].filter((a) => !isPublicAddress(a))).toEqual([])
})

test('one inward address among public ones refuses the name', async () => {
  await expect(publicAddresses('a.example', async () => ['8.8.8.8', '10.0.0.1'])).rejects.toThrow(Refused)
  await expect(publicAddresses('a.example', async () => [])).rejects.toThrow(Refused)
  expect(await publicAddresses('a.example', async () => ['8.8.8.8'])).toEqual(['8.8.8.8'])
})
