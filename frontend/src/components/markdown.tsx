import Markdown from 'react-markdown'
import remarkGfm from 'remark-gfm'
import { cn } from '../lib/cn.ts'

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
