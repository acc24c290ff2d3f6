// Runs before the first paint, so that a light room never flashes dark. The same key is written by lib/theme.ts.
;(function () {
  var wanted = 'system'
  try {
    wanted = localStorage.getItem('guildhall.theme') || 'system'
  } catch {
    // Storage is off: the system's theme is used.
  }
  var isLight = wanted === 'paper' || (wanted === 'system' && matchMedia('(prefers-color-scheme: light)').matches)
  document.documentElement.dataset.theme = isLight ? 'paper' : 'ink'
})()
