// The overview keeps itself true by what it is told once a second: every text comes from the server,
// with the place that it belongs to. Work per second is bounded, whatever the pipeline's rate.
const staleSeconds = 10, askSeconds = 3, rowsMax = 12, dotsMax = 40, dotsPerFlow = 4
const still = matchMedia('(prefers-reduced-motion: reduce)')
const button = document.querySelector('[data-pause]')
const detail = document.querySelector('[data-detail-out]')
const answer = document.querySelector('[data-answer]')
const told = document.querySelector('[data-told]')
const NS = 'http://www.w3.org/2000/svg'
let paused = still.matches
const all = selector => document.querySelectorAll(selector)
const put = (node, text) => { if (node && node.textContent !== text) node.textContent = text }
const named = (kind, name) => all(`[data-${kind}="${CSS.escape(name)}"]`)

// The answer. It is told to who listens where it changes, and is never green without being heard of.
let heard = Date.now()
function say(words, tone) {
  const before = document.querySelector('#right').textContent
  put(document.querySelector('#right'), words)
  const name = 'answer ' + tone
  if (answer.className !== name) answer.className = name
  if (before !== words) told.textContent = words
}
setInterval(() => {
  if (Date.now() - heard < staleSeconds * 1000) return
  say('Unknown since ' + new Date(heard).toISOString().slice(11, 19), 'grey')
}, 1000)

function show(shown) {
  for (const [name, text] of Object.entries(shown.values))
    if (name !== 'answer') for (const node of named('value', name)) put(node, text)
  for (const [name, tone] of Object.entries(shown.tones))
    for (const node of named('tone', name)) if (node.className !== tone) node.className = tone
  say(shown.values.answer, shown.tone)
  for (const [topic, [x, width]] of Object.entries(shown.tubes))
    for (const node of named('wait', topic)) {
      const before = Number(node.getAttribute('width'))
      if (before === width) continue
      node.setAttribute('x', x)
      node.setAttribute('width', width)
      node.setAttribute('class', width > before ? 'v2' : 'v1')
    }
  for (const chart of shown.charts ?? []) draw(chart)
  if (shown.shape !== answer.dataset.shape) ask()
}

function draw(chart) {
  for (const figure of named('chart', chart.key)) {
    figure.querySelector('svg').setAttribute('aria-label', chart.sentence)
    put(figure.querySelector('[data-top]'), chart.top)
    put(figure.querySelector('[data-span]'), chart.span)
    for (const line of chart.lines) {
      figure.querySelector(`[data-line="${line.key}"]`)?.setAttribute('d', line.path)
      const end = figure.querySelector(`[data-end="${line.key}"]`)
      put(end, line.words)
      if (end) end.className = 'b soft ' + line.place
    }
  }
}

// What the page is made of has changed, or it is not known what was missed: the page is asked for
// once, and its parts take the place of those here.
let askedAt = 0
async function ask() {
  if (document.hidden || Date.now() - askedAt < askSeconds * 1000) return
  askedAt = Date.now()
  try {
    const answered = await fetch(location.href, { headers: { accept: 'text/html' } })
    if (!answered.ok || answered.redirected) return
    const page = new DOMParser().parseFromString(await answered.text(), 'text/html')
    for (const node of all('[data-part]')) {
      const fresh = page.querySelector(`[data-part="${node.dataset.part}"]`)
      const isHeld = node.matches(':hover') || node.contains(document.activeElement)
      if (fresh && !isHeld && fresh.innerHTML !== node.innerHTML) node.replaceWith(fresh)
    }
    answer.dataset.shape = page.querySelector('[data-answer]').dataset.shape
    explains()
  } catch { /* The bar above says that the daemon is not heard of. */ }
}

let pending = [], newer = 0, isHeld = false
let epoch = null
function begun(event) {
  const hello = JSON.parse(event.data)
  if (epoch !== null && !hello.resumed) ask()
  epoch = hello.epoch
}
// The server has not kept them; what stands here is asked for.
function missed(event) {
  newer += JSON.parse(event.data).count
  ask()
}
function take(event) {
  heard = Date.now()
  const figures = JSON.parse(event.data)
  if (document.hidden) return
  if (figures.shown) show(figures.shown)
  const found = Object.fromEntries(figures.stages.map(stage => [stage.topic, stage.rate]))
  found.duplicates = figures.rates.duplicates ?? 0
  flow(found, Math.max(0, ...Object.values(found)))
}

// Single payments: taken together once a second, and not at all while the list is looked at.
const feed = document.querySelector('[data-feed]')
const hold = document.querySelector('[data-hold]')
function tell(event) {
  const payment = JSON.parse(event.data)
  // Fees, refunds and payouts are no payments.
  if (!payment.shown) return
  newer += 1 + payment.left_out
  pending.push(payment)
  if (pending.length > rowsMax) pending.shift()
}
const isLookedAt = () =>
  isHeld || feed.querySelector('tbody:hover') !== null
  || (feed.contains(document.activeElement) && document.activeElement !== hold)

function fill(row, payment) {
  const shown = payment.shown, cell = name => row.querySelector(`[data-cell="${name}"]`)
  row.dataset.order = shown.order
  for (const name of ['clock', 'name', 'whole', 'fraction', 'code', 'verdict', 'score'])
    put(cell(name), shown[name])
  cell('clock').setAttribute('datetime', shown.iso)
  for (const name of ['name', 'amount']) cell(name).setAttribute('href', shown.href)
  cell('name').title = shown.name
  cell('state').className = shown.tone
  cell('state').querySelector('.dot').className = shown.dot
}

function flush() {
  const words = newer > 0 ? newer.toLocaleString('en') + ' newer' : 'Held'
  put(hold, isHeld || (isLookedAt() && newer > 0) ? words : 'Hold the list')
  if (document.hidden || pending.length === 0 || isLookedAt()) return
  const body = feed.querySelector('tbody')
  if (!body?.rows.length) {
    // The first payment ever: the table comes with the page.
    ask()
    return
  }
  for (const payment of pending) {
    const rows = [...body.rows], order = row => Number(row.dataset.order)
    const isFull = rows.length >= rowsMax
    // Older than all that the list has room for.
    if (isFull && payment.shown.order < order(rows[rows.length - 1])) continue
    const named = rows.find(
      row => row.querySelector('[data-cell="name"]').textContent === payment.shown.name)
    if (named) {
      // It was told again, and is no second payment.
      fill(named, payment)
      continue
    }
    const row = isFull ? rows[rows.length - 1] : rows[0].cloneNode(true)
    fill(row, payment)
    // Those of several partitions do not come in their order.
    const older = rows.find(other => other !== row && order(other) <= payment.shown.order)
    body.insertBefore(row, older ?? null)
  }
  pending = []
  newer = 0
  put(hold, 'Hold the list')
}
setInterval(flush, 1000)
function turnHold() {
  isHeld = !isHeld
  hold.setAttribute('aria-pressed', isHeld)
  flush()
}
hold.hidden = false
hold.addEventListener('click', turnHold)
document.addEventListener('keydown', event => {
  if (event.key !== ' ' || event.target !== document.body || event.ctrlKey || event.metaKey) return
  if (localStorage.getItem('keys') === 'off') return
  event.preventDefault()
  turnHold()
})

function place(dot, path) {
  const point = path.getPointAtLength(dot.at)
  dot.node.setAttribute('cx', point.x.toFixed(1))
  dot.node.setAttribute('cy', point.y.toFixed(1))
}

// One dot stands for as many records a second as keep them few.
const dots = new Map()
function flow(found, most) {
  const share = Math.max(1, most / dotsPerFlow)
  let total = 0
  // Paths that a fresh drawing has taken the place of are gone, and their dots with them.
  for (const path of dots.keys()) if (!path.isConnected) dots.delete(path)
  for (const path of all('.flow')) {
    const rate = found[path.dataset.flow] ?? 0
    const wanted = rate === 0 || total >= dotsMax ? 0 : Math.min(dotsPerFlow, Math.ceil(rate / share))
    total += wanted
    const own = dots.get(path) ?? []
    while (own.length > wanted) own.pop().node.remove()
    while (own.length < wanted) {
      const node = document.createElementNS(NS, 'circle')
      node.setAttribute('r', path.dataset.kind ? 4 : 3.5)
      node.setAttribute('class', 'rec ' + (path.dataset.kind ?? ''))
      path.ownerSVGElement.append(node)
      const dot = { node, at: path.getTotalLength() * own.length / dotsPerFlow }
      own.push(dot)
      // While motion rests it stands on its line as well.
      place(dot, path)
    }
    dots.set(path, own)
  }
  const key = document.querySelector('[data-dot]')
  if (key) key.textContent = share <= 1 ? 'is a record a second' : `is ${Math.round(share)} records a second`
}

let last = 0
const frame = now => {
  const step = Math.min(50, now - last) / 1000
  last = now
  if (!paused && !document.hidden)
    for (const [path, own] of dots) {
      const length = path.getTotalLength(), speed = Number(path.dataset.speed ?? 70)
      for (const dot of own) {
        dot.at = (dot.at + speed * step) % length
        place(dot, path)
      }
    }
  requestAnimationFrame(frame)
}
requestAnimationFrame(frame)

const showPause = () => {
  button.setAttribute('aria-pressed', paused)
  button.textContent = paused ? 'Resume motion' : 'Pause motion'
}
button?.addEventListener('click', () => { paused = !paused; showPause() })
still.addEventListener('change', () => { paused = still.matches; if (button) showPause() })
if (button) { button.hidden = false; showPause() }

const rest = detail?.textContent
function explains() {
  for (const node of all('.topo [data-detail]:not([data-heard])')) {
    node.dataset.heard = ''
    for (const [on, off] of [['pointerenter', 'pointerleave'], ['focus', 'blur']]) {
      node.addEventListener(on, () => { detail.textContent = node.dataset.detail })
      node.addEventListener(off, () => { detail.textContent = rest })
    }
  }
}
explains()

// Last, since what it calls is above.
tillbox.events({ hello: begun, missed, figures: take, payment: tell })
