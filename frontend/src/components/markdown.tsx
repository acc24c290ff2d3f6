import { type ReactNode, useRef, useState } from 'react'
import Markdown from 'react-markdown'
import remarkGfm from 'remark-gfm'
import { cn } from '../lib/cn.ts'
import { CopyButton } from './copy-button.tsx'
import { useReference } from './references.tsx'

/** Links lead to http(s) pages only; anything else stays plain text. */
export const safeUrl = (url: string): string => (/^https?:\/\//i.test(url) ? url : '')

interface MarkdownTextProps {
  text: string
  className?: string
}

/** Text by people and models. Raw HTML is shown as text, pictures are never fetched, links open elsewhere. */
export default function MarkdownText({ text, className }: MarkdownTextProps) {
  return (
    <div className={cn('prose', className)}>
      <Markdown
        remarkPlugins={[remarkGfm]}
        urlTransform={safeUrl}
        components={{
          a: ({ href, children }) =>
            href ? (
              <a href={href} target="_blank" rel="noopener noreferrer nofollow ugc">
                {children}
              </a>
            ) : (
              <span>{children}</span>
            ),
          img: ({ alt }) => <span className="text-fg-3">[picture: {alt || 'without a description'}]</span>,
          code: ({ children, className: language }) => <Code language={language}>{children}</Code>,
          pre: ({ children }) => <Block>{children}</Block>,
          table: ({ children }) => (
            <div className="overflow-x-auto">
              <table>{children}</table>
            </div>
          ),
        }}
      >
        {text}
      </Markdown>
    </div>
  )
}

/** A file or an event that is named in the text is one click away; any other code is only text. */
function Code({ language, children }: { language: string | undefined; children: ReactNode }) {
  const open = useReference(typeof children === 'string' ? children : null)
  if (!open) return <code className={language}>{children}</code>
  return (
    <button type="button" onClick={open} className="rounded-[4px] text-left hover:underline">
      <code>{children}</code>
    </button>
  )
}

function Block({ children }: { children: ReactNode }) {
  const box = useRef<HTMLPreElement>(null)
  const [text, setText] = useState('')
  return (
    <div
      className="group relative"
      onPointerEnter={() => setText(box.current?.innerText ?? '')}
      onFocus={() => setText(box.current?.innerText ?? '')}
    >
      <pre ref={box} tabIndex={0} className="focus-inset">
        {children}
      </pre>
      <CopyButton
        text={text}
        className="absolute! top-1 right-1 bg-surface-2 opacity-0 group-focus-within:opacity-100 group-hover:opacity-100 pointer-coarse:opacity-100"
      />
    </div>
  )
}
