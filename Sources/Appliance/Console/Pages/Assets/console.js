// Every page: the state of the connection, the keys, and times that stay true while one looks.
const body = document.body
const live = document.querySelector('[data-live]')

// Live: heard of within 10 s. The daemon answers /healthz to anybody; what a page is kept true by
// beside that, its stream or its own asking, may be silent while the daemon is well.
const beatSeconds = 5, staleSeconds = 10, retrySeconds = 5
let heard = Date.now(), isAnswered = true, source = null
const clock = () => new Date().toISOString().slice(11, 19) + ' UTC'
const show = (state, words) => {
  if (!live) return
  live.className = 'live' + (state === 'wait' || state === 'stop' ? ' ' + state : '')
  live.querySelector('.dot').className = 'dot ' + (state === 'ok' ? 'ok pulse' : state)
  live.querySelector('[data-words]').textContent = words
}
const lose = words => {
  body.classList.add('lost')
  show('stop', words)
}
function paint() {
  if (live) live.title = source?.why ?? ''
  const silent = Math.round((Date.now() - Math.min(heard, source?.heard ?? heard)) / 1000)
  const left = Math.ceil(((source?.retryAt ?? 0) - Date.now()) / 1000)
  if (source?.isOver) return lose('Signed out, load this page again')
  if (left > 0) return lose(`Disconnected, next try in ${left} s`)
  if (!isAnswered && silent >= staleSeconds)
    return lose(`Disconnected, next try in ${beatSeconds} s`)
  if (!isAnswered || (source && (source.hasFailed || silent >= staleSeconds)))
    return show('wait', `Last heard ${silent} s ago`)
  body.classList.remove('lost')
  show('ok', 'Live ' + clock())
}
async function beat() {
  try {
    const answer = await fetch('/healthz', { cache: 'no-store', signal: AbortSignal.timeout(4000) })
    isAnswered = answer.ok
    if (answer.ok) heard = Date.now()
  } catch { isAnswered = false }
  paint()
}
if (live) { beat(); setInterval(() => { if (!document.hidden) beat() }, beatSeconds * 1000) }

// What keeps this page true. It says each time that it was heard of, and that it was not.
function keep() {
  const own = { heard: Date.now(), hasFailed: false, retryAt: 0, isOver: false, why: '' }
  const ticking = setInterval(paint, 1000)
  source = own
  return {
    own,
    hear() { Object.assign(own, { heard: Date.now(), hasFailed: false, retryAt: 0 }) },
    fail() {
      own.hasFailed = true
      paint()
    },
    close() {
      clearInterval(ticking)
      if (source === own) source = null
      paint()
    },
  }
}

// The daemon's events. Where it refuses them, as while it cannot read who asks, an EventSource takes
// that for its end: a new one is begun, again and again, and nobody has to load the page.
function events(listeners) {
  const kept = keep(), own = kept.own
  let stream = null, timer = null, hasEnded = false
  const begin = () => {
    own.retryAt = 0
    stream = new EventSource('/api/v1/events')
    for (const [name, listener] of Object.entries({ figures() {}, ...listeners }))
      stream.addEventListener(name, event => {
        kept.hear()
        listener(event)
      })
    stream.addEventListener('hello', () => {
      hasEnded = false
      own.why = ''
    })
    stream.addEventListener('end', event => {
      const end = JSON.parse(event.data)
      hasEnded = end.reason === 'access_over'
      own.why = end.detail
    })
    stream.addEventListener('error', () => {
      if (stream.readyState === EventSource.CLOSED) {
        own.isOver = hasEnded
        own.retryAt = hasEnded ? 0 : Date.now() + retrySeconds * 1000
        if (!hasEnded) timer = setTimeout(begin, retrySeconds * 1000)
      }
      kept.fail()
    })
  }
  begin()
  return {
    close() {
      clearTimeout(timer)
      stream.close()
      kept.close()
    },
  }
}
// For the modules of single pages, which run behind this one.
globalThis.tillbox = { keep, events }

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
