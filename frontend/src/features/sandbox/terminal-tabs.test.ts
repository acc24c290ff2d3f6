import { expect, test } from 'vitest'
import { noTabs, type TerminalTabs, withoutTab, withShell, withTab } from './terminal-tabs.ts'

const shown = ({ tabs, front }: TerminalTabs) => ({
  tabs: tabs.map(({ branch, number, terminalId }) => [branch, number, terminalId]),
  front: tabs.findIndex(({ key }) => key === front),
})

test('each new terminal comes to the front, numbered within its branch', () => {
  const three = withTab(withTab(withTab(noTabs, 'main'), 'agent/engineer/basket'), 'main', 'shell-9')
  expect(shown(three)).toEqual({
    tabs: [
      ['main', 1, null],
      ['agent/engineer/basket', 1, null],
      ['main', 2, 'shell-9'],
    ],
    front: 2,
  })
})

test('closing the one in front shows its neighbour, closing another changes nothing in front', () => {
  const three = withTab(withTab(withTab(noTabs, 'a'), 'b'), 'c')
  const [a, b, c] = three.tabs.map(({ key }) => key) as [string, string, string]
  expect(shown(withoutTab(three, c)).front).toBe(1)
  expect(shown(withoutTab(three, a)).front).toBe(1)
  const one = withoutTab(withoutTab({ ...three, front: a }, a), b)
  expect(shown(one)).toEqual({ tabs: [['c', 1, null]], front: 0 })
  expect(shown(withoutTab(one, c))).toEqual({ tabs: [], front: -1 })
})

test('a tab keeps the shell that it was given', () => {
  const two = withTab(withTab(noTabs, 'main'), 'main')
  expect(shown(withShell(two, two.tabs[0]!.key, 'shell-1')).tabs).toEqual([
    ['main', 1, 'shell-1'],
    ['main', 2, null],
  ])
})
