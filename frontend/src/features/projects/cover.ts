const palettes = [
  ['#cfe3e6', '#8fb8c0', '#e6e0f0'],
  ['#f0d9c4', '#e3bb9b', '#d69c72'],
  ['#dfe6c6', '#c0cb98', '#a3b574'],
  ['#e5dff2', '#b9abdc', '#8f9fcc'],
  ['#f1d6dc', '#d99aaa', '#e7c7b4'],
  ['#d5e2f0', '#8fb0d3', '#c9d9c4'],
  ['#efe3bf', '#d8b96a', '#c98f5a'],
]

/** A quiet gradient of the project's own, the same on every machine: drawn from its id. */
export function cover(projectId: string): string {
  let sum = 0x811c9dc5
  for (const letter of projectId) sum = Math.imul(sum ^ letter.charCodeAt(0), 0x01000193) >>> 0
  sum ^= sum >>> 15
  const [from, middle, to] = palettes[(sum >>> 3) % palettes.length]!
  return `linear-gradient(${100 + (sum % 40)}deg, ${from}, ${middle} ${52 + (sum % 19)}%, ${to})`
}
