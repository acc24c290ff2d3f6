import { Check, Copy } from 'lucide-react'
import { useEffect, useState } from 'react'
import { cn } from '../lib/cn.ts'
import { IconButton } from './ui/icon-button.tsx'

const SAID_MS = 1_600

export function CopyButton({ text, className }: { text: string; className?: string }) {
  const [isCopied, setCopied] = useState(false)
  useEffect(() => {
    if (!isCopied) return
    const timer = setTimeout(() => setCopied(false), SAID_MS)
    return () => clearTimeout(timer)
  }, [isCopied])
  // A page that is not on a secure origin has no clipboard.
  if (!navigator.clipboard) return null
  return (
    <IconButton
      label={isCopied ? 'Copied' : 'Copy'}
      side="left"
      className={cn('max-md:size-9', className)}
      onClick={() => void navigator.clipboard.writeText(text).then(() => setCopied(true))}
    >
      {isCopied ? <Check className="text-ok" /> : <Copy />}
    </IconButton>
  )
}
