import '@xterm/xterm/css/xterm.css'
import { FitAddon } from '@xterm/addon-fit'
import { type ITheme, Terminal as Xterm } from '@xterm/xterm'
import { useEffect, useEffectEvent, useRef, useState } from 'react'
import { Button } from '../../../components/ui/button.tsx'
import { Spinner } from '../../../components/ui/spinner.tsx'
import { useTheme } from '../../../lib/theme.ts'
import { socket } from '../../realtime/api.ts'
import { createTerminalSession, type TerminalSession, type TerminalState } from '../terminal-session.ts'

/** The page's own colours, read where they are defined. */
function themeOf(): ITheme {
  const style = getComputedStyle(document.documentElement)
  const colour = (name: string) => style.getPropertyValue(name).trim()
  return {
    background: colour('--bg'),
    foreground: colour('--text'),
    cursor: colour('--accent'),
    cursorAccent: colour('--bg'),
    selectionBackground: `${colour('--accent').slice(0, 7)}55`,
    black: colour('--surface-3'),
    red: colour('--bad'),
    green: colour('--ok'),
    yellow: colour('--warn'),
    blue: colour('--info'),
    magenta: colour('--architect'),
    cyan: colour('--engineer'),
    white: colour('--text-2'),
    brightBlack: colour('--text-3'),
    brightRed: colour('--bad'),
    brightGreen: colour('--ok'),
    brightYellow: colour('--warn'),
    brightBlue: colour('--info'),
    brightMagenta: colour('--architect'),
    brightCyan: colour('--engineer'),
    brightWhite: colour('--text'),
  }
}

interface TerminalProps {
  projectId: string
  branch: string
  /** The shell to attach to when this is mounted; null starts one. */
  terminalId: string | null
  isFront: boolean
  /** Takes the keyboard when it comes to the front: someone asked for it. */
  takesFocus: boolean
  /** The way to end the shell; null when this goes away. */
  onSession(session: TerminalSession | null): void
  onState(state: TerminalState): void
  onShell(terminalId: string | null): void
}

/** A shell in the work tree of a branch. */
export function Terminal(props: TerminalProps) {
  const { projectId, branch, isFront, takesFocus } = props
  const box = useRef<HTMLDivElement>(null)
  const xterm = useRef<Xterm>(null)
  const session = useRef<TerminalSession>(null)
  const [state, setState] = useState<TerminalState>({ kind: 'connecting' })
  const theme = useTheme((chosen) => chosen.theme)
  const firstShell = useEffectEvent(() => props.terminalId)
  const onState = useEffectEvent((next: TerminalState) => {
    setState(next)
    props.onState(next)
  })
  const onSession = useEffectEvent((mine: TerminalSession | null) => {
    session.current = mine
    props.onSession(mine)
  })
  const onShell = useEffectEvent((terminalId: string | null) => props.onShell(terminalId))

  useEffect(() => {
    const terminal = new Xterm({
      fontFamily: '"JetBrains Mono Variable", ui-monospace, monospace',
      fontSize: 12.8,
      lineHeight: 1.25,
      cursorBlink: !matchMedia('(prefers-reduced-motion: reduce)').matches,
      scrollback: 5_000,
      minimumContrastRatio: 4.5,
      theme: themeOf(),
    })
    const fit = new FitAddon()
    terminal.loadAddon(fit)
    terminal.open(box.current!)
    fit.fit()
    const mine = createTerminalSession({
      socket,
      projectId,
      branch,
      terminalId: firstShell(),
      onState: (next) => onState(next),
      onShell: (terminalId) => onShell(terminalId),
      screen: {
        write: (bytes) => terminal.write(bytes),
        reset: () => terminal.reset(),
        size: () => ({ cols: Math.max(2, terminal.cols), rows: Math.max(1, terminal.rows) }),
      },
    })
    terminal.onData((text) => mine.type(text))
    terminal.onResize(({ cols, rows }) => mine.resize(cols, rows))
    // Measured in the next frame: fitting inside the observer's own turn loops.
    const observer = new ResizeObserver(() => requestAnimationFrame(() => box.current?.clientHeight && fit.fit()))
    observer.observe(box.current!)
    xterm.current = terminal
    onSession(mine)
    return () => {
      observer.disconnect()
      mine.close()
      terminal.dispose()
      xterm.current = null
      onSession(null)
    }
  }, [projectId, branch])

  useEffect(() => {
    if (xterm.current) xterm.current.options.theme = themeOf()
  }, [theme])
  useEffect(() => {
    if (isFront && takesFocus) xterm.current?.focus()
  }, [isFront, takesFocus])

  return (
    <div className="relative h-full min-h-0 bg-bg">
      <div ref={box} className="absolute inset-0 overflow-hidden py-2 pl-3" />
      {state.kind !== 'open' && (
        <div
          role="status"
          className="absolute inset-x-0 top-0 flex items-center gap-3 bg-bg/90 px-4 py-2.5 text-sm text-fg-2"
        >
          {state.kind === 'connecting' && (
            <>
              <Spinner /> Opening a shell in the sandbox…
            </>
          )}
          {state.kind === 'exited' && (
            <>
              The shell ended{state.exitCode === null ? '' : ` with ${state.exitCode}`}.
              <Button size="s" onClick={() => session.current?.again()}>
                Start a new one
              </Button>
            </>
          )}
          {state.kind === 'failed' && (
            <>
              <span className="min-w-0 break-words">{state.message}</span>
              <Button size="s" onClick={() => session.current?.again()}>
                Try again
              </Button>
            </>
          )}
        </div>
      )}
    </div>
  )
}
