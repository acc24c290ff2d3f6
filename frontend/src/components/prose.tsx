import { lazy, Suspense } from 'react'
import { cn } from '../lib/cn.ts'

const MarkdownText = lazy(() => import('./markdown.tsx'))

/** Markdown, loaded when first needed; until then the same text stands there plain. */
export const Prose = ({ text, className }: { text: string; className?: string }) => (
  <Suspense fallback={<div className={cn('prose whitespace-pre-wrap', className)}>{text}</div>}>
    <MarkdownText text={text} className={className} />
  </Suspense>
)
