import type { ReactNode } from 'react'
import { Logo } from '../../../components/logo.tsx'

/** The frame of every page before the door: sign in, register, link. */
export const Entrance = ({ title, intro, children }: { title: string; intro?: ReactNode; children: ReactNode }) => (
  <main id="main" className="grid min-h-dvh place-items-center px-4 py-10">
    <div className="w-full max-w-[380px] animate-rise">
      <div className="mb-6 grid justify-items-center gap-3 text-center">
        <Logo className="size-10" />
        <h1 className="font-display text-[28px] leading-tight font-semibold">{title}</h1>
        {intro && <p className="text-fg-2">{intro}</p>}
      </div>
      {children}
    </div>
  </main>
)
