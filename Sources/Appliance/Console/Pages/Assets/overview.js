// The overview keeps itself true: it asks for itself again, takes the new numbers over, and moves
// dots by the rates that follow. Markup comes from the server alone; nothing is put together here.
const askSeconds = 3, dotsMax = 40, dotsPerFlow = 4
const still = matchMedia('(prefers-reduced-motion: reduce)')
const button = document.querySelector('[data-pause]')
const detail = document.querySelector('[data-detail-out]')
const NS = 'http://www.w3.org/2000/svg'
let paused = still.matches
let counts = read(document), askedAt = performance.now()

function read(page) {
  const found = {}
  for (const row of page.querySelectorAll('[data-records]'))
    found[row.dataset.records] = Number(row.dataset.count)
  return found
}

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

function rates(now, seconds) {
  let most = 0
  const found = {}
  for (const [topic, count] of Object.entries(now)) {
    found[topic] = Math.max(0, (count - (counts[topic] ?? count)) / seconds)
    most = Math.max(most, found[topic])
  }
  for (const node of document.querySelectorAll('[data-rate]')) {
    const rate = found[node.dataset.rate] ?? 0
    node.textContent = (rate < 100 ? rate.toFixed(1) : Math.round(rate).toLocaleString('en')) + '/s'
  }
  flow(found, most)
}

async function ask() {
  if (document.hidden) return
  try {
    const answer = await fetch(location.href, { headers: { accept: 'text/html' } })
    if (!answer.ok || answer.redirected) return
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html')
    const now = read(page), at = performance.now()
    take(page)
    rates(now, (at - askedAt) / 1000)
    counts = now
    askedAt = at
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
