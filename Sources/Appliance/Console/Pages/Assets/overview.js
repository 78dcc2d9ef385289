// The overview keeps itself true: it hears of the figures once a second, shows their rates, and asks
// for itself again at intervals. Markup comes from the server alone; nothing is put together here.
const askSeconds = 3, staleSeconds = 10, dotsMax = 40, dotsPerFlow = 4
const still = matchMedia('(prefers-reduced-motion: reduce)')
const button = document.querySelector('[data-pause]')
const detail = document.querySelector('[data-detail-out]')
const NS = 'http://www.w3.org/2000/svg'
let paused = still.matches
// Numbers in the drawings, and whole parts, unless the pointer or the focus is in them.
function take(page) {
  for (const node of document.querySelectorAll('[data-value]')) {
    const fresh = page.querySelector(`[data-value="${CSS.escape(node.dataset.value)}"]`)
    if (fresh && fresh.textContent !== node.textContent) node.textContent = fresh.textContent
  }
  for (const node of document.querySelectorAll('[data-part]')) {
    const fresh = page.querySelector(`[data-part="${node.dataset.part}"]`)
    const isHeld = node.matches(':hover') || node.contains(document.activeElement)
    if (fresh && !isHeld && fresh.innerHTML !== node.innerHTML) node.replaceWith(fresh)
  }
}

function rates(figures) {
  const found = Object.fromEntries(figures.stages.map(stage => [stage.topic, stage.rate]))
  found.duplicates = figures.rates.duplicates ?? 0
  for (const node of document.querySelectorAll('[data-rate]')) {
    const rate = found[node.dataset.rate] ?? 0
    node.textContent = (rate < 100 ? rate.toFixed(1) : Math.round(rate).toLocaleString('en')) + '/s'
  }
  flow(found, Math.max(0, ...Object.values(found)))
}

// Live, or stale after ten seconds without figures, or disconnected: then the answer is never green.
const answer = document.querySelector('.answer'), right = document.querySelector('#right')
let heard = Date.now(), told = right?.textContent, tone = answer?.className, isUnknown = false

function know() {
  if (!isUnknown) return
  isUnknown = false
  right.textContent = told
  answer.className = tone
}

function doubt() {
  if (isUnknown || !right || Date.now() - heard < staleSeconds * 1000) return
  isUnknown = true
  told = right.textContent
  tone = answer.className
  right.textContent = 'Unknown since ' + new Date(heard).toISOString().slice(11, 19)
  answer.className = 'answer grey'
}
setInterval(doubt, 1000)

const events = new EventSource('/api/v1/events')
events.addEventListener('figures', event => {
  heard = Date.now()
  know()
  rates(JSON.parse(event.data))
})

async function ask() {
  if (document.hidden || isUnknown) return
  try {
    const answered = await fetch(location.href, { headers: { accept: 'text/html' } })
    if (!answered.ok || answered.redirected) return
    take(new DOMParser().parseFromString(await answered.text(), 'text/html'))
  } catch { /* The bar above says that the daemon is not heard of. */ }
}
setInterval(ask, askSeconds * 1000)

// One dot stands for as many records a second as keep them few.
const dots = new Map()
function flow(found, most) {
  const share = Math.max(1, most / dotsPerFlow)
  let total = 0
  for (const path of document.querySelectorAll('.flow')) {
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
      own.push({ node, at: path.getTotalLength() * own.length / dotsPerFlow })
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
        const place = path.getPointAtLength(dot.at)
        dot.node.setAttribute('cx', place.x.toFixed(1))
        dot.node.setAttribute('cy', place.y.toFixed(1))
      }
    }
  requestAnimationFrame(frame)
}
requestAnimationFrame(frame)

const show = () => {
  button.setAttribute('aria-pressed', paused)
  button.textContent = paused ? 'Resume motion' : 'Pause motion'
}
button?.addEventListener('click', () => { paused = !paused; show() })
still.addEventListener('change', () => { paused = still.matches; if (button) show() })
if (button) { button.hidden = false; show() }

const rest = detail?.textContent
for (const node of document.querySelectorAll('.topo [data-detail]'))
  for (const [on, off] of [['pointerenter', 'pointerleave'], ['focus', 'blur']]) {
    node.addEventListener(on, () => { detail.textContent = node.dataset.detail })
    node.addEventListener(off, () => { detail.textContent = rest })
  }
