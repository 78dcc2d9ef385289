// Every page: the state of the connection, the keys, and times that stay true while one looks.
const body = document.body
const live = document.querySelector('[data-live]')

// Live: heard of within 10 s. The daemon answers /healthz to anybody, so this needs no stream.
const beatSeconds = 5, staleSeconds = 10
let heard = Date.now(), tries = 0
const clock = () => new Date().toISOString().slice(11, 19) + ' UTC'
const show = (state, words) => {
  if (!live) return
  live.className = 'live' + (state === 'wait' || state === 'stop' ? ' ' + state : '')
  live.querySelector('.dot').className = 'dot ' + (state === 'ok' ? 'ok pulse' : state)
  live.querySelector('[data-words]').textContent = words
}
const beat = async () => {
  try {
    const answer = await fetch('/healthz', { cache: 'no-store', signal: AbortSignal.timeout(4000) })
    if (!answer.ok) throw new Error(answer.status)
    heard = Date.now(); tries = 0
    body.classList.remove('lost')
    show('ok', 'Live ' + clock())
  } catch {
    tries += 1
    const silent = Math.round((Date.now() - heard) / 1000)
    if (silent < staleSeconds) return show('wait', `Last heard ${silent} s ago`)
    body.classList.add('lost')
    show('stop', `Disconnected, next try in ${beatSeconds} s`)
  }
}
if (live) { beat(); setInterval(() => { if (!document.hidden) beat() }, beatSeconds * 1000) }

// Keys rest while a field has focus, and can be turned off.
const keysOff = () => localStorage.getItem('keys') === 'off'
const sheet = document.querySelector('[data-keysheet]')
const inField = target => target.closest('input, textarea, select, [contenteditable]') !== null
const rows = () => [...document.querySelectorAll('[data-rows] a, [data-rows] summary')]
const step = by => {
  const all = rows()
  if (!all.length) return
  const at = all.indexOf(document.activeElement)
  const start = all.findIndex(row => row.getAttribute('aria-current') === 'true')
  const from = at >= 0 ? at : start
  all[Math.min(all.length - 1, Math.max(0, from + by))].focus()
}
const press = {
  '/': () => document.querySelector('[data-find]')?.focus(),
  '?': () => sheet?.showModal(),
  j: () => step(1),
  k: () => step(-1),
}
for (const node of document.querySelectorAll('[data-key]'))
  press[node.dataset.key] = () => (node.matches('textarea, input') ? node.focus() : node.click())
document.addEventListener('keydown', event => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return
  if (event.key === 'Escape' && inField(event.target)) return event.target.blur()
  if (inField(event.target) || keysOff() || sheet?.open) return
  const act = press[event.key.length === 1 ? event.key.toLowerCase() : event.key]
  if (!act) return
  event.preventDefault()
  act()
})
const toggle = document.querySelector('[data-keys-off]')
if (toggle) {
  toggle.checked = keysOff()
  toggle.addEventListener('change', () => localStorage.setItem('keys', toggle.checked ? 'off' : 'on'))
}

// The result of one's own act is told, and focus goes where one goes on.
document.querySelector('[data-focus]')?.focus()
