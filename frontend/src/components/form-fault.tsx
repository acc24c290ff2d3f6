export const FormFault = ({ text }: { text: string | null }) =>
  text && (
    <p role="alert" className="rounded-sm border border-bad/40 bg-bad/10 px-3 py-2 text-sm text-bad">
      {text}
    </p>
  )
