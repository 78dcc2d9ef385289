// A topic's newest records: asked for each second, as the page itself, and put above those that
// are there.
const list = document.querySelector('[data-tail]')
const hold = document.querySelector('[data-hold]')
const words = document.querySelector('[data-tail-words]')
const askMilliseconds = 1000, rowsMax = 200
let next = list?.dataset.tail, held = false, isAsking = false
// What has come while the list stood still, the newest first.
let kept = [], keptCount = 0

const isStill = () => held || list.matches(':hover') || list.contains(document.activeElement)
const tell = () => { words.textContent = keptCount ? `${keptCount} newer` : '' }

function take(rows) {
  kept = [...rows, ...kept].slice(0, rowsMax)
  keptCount += rows.length
  if (isStill()) return tell()
  if (kept.length) document.querySelector('[data-tail-empty]')?.remove()
  list.prepend(...kept)
  kept = []
  keptCount = 0
  while (list.children.length > rowsMax) list.lastElementChild.remove()
  tell()
}

const bar = list && tillbox.keep()
async function ask() {
  if (document.hidden) return bar.hear()
  if (isAsking) return
  isAsking = true
  try {
    const address = new URL(location.href)
    address.searchParams.set('from', next)
    const answer = await fetch(address, { headers: { accept: 'text/html' }, cache: 'no-store' })
    if (!answer.ok || answer.redirected) return bar.fail()
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html')
    const fresh = page.querySelector('[data-tail]')
    if (!fresh) return
    bar.hear()
    next = fresh.dataset.tail
    const rows = [...fresh.children].map(row => document.importNode(row, true))
    if (fresh.dataset.passed) {
      const gap = document.createElement('li')
      gap.className = 'mute'
      gap.textContent = `${fresh.dataset.passed} passed over here`
      rows.push(gap)
    }
    take(rows)
  } catch { bar.fail() } finally { isAsking = false }
}

if (list) {
  hold.hidden = false
  hold.addEventListener('click', () => {
    held = !held
    hold.setAttribute('aria-pressed', held)
    if (!held) take([])
  })
  setInterval(ask, askMilliseconds)
}
