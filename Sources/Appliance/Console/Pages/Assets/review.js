// A decision goes out once, and a note outlives whatever happens to its page.
const form = document.querySelector('[data-decide]')
const note = form?.querySelector('textarea')
if (form && note) {
  const kept = 'note ' + form.dataset.decide
  if (!note.value) note.value = sessionStorage.getItem(kept) ?? ''
  note.addEventListener('input', () => sessionStorage.setItem(kept, note.value))
  let sent = false
  form.addEventListener('submit', event => {
    if (sent) return event.preventDefault()
    sent = true
    for (const button of form.querySelectorAll('button')) button.setAttribute('aria-disabled', 'true')
  })
  addEventListener('pageshow', () => { sent = false })
}
const done = document.querySelector('[data-done]')
if (done) sessionStorage.removeItem('note ' + done.dataset.done)

// Where the queue has a height of its own, the case that is open is in it.
const queueIn = part => part?.querySelector('.queue')
const bring = queue => {
  const current = queue?.querySelector('[aria-current]')
  if (current) queue.scrollTop = current.offsetTop - queue.offsetTop - queue.clientHeight / 3
}
bring(queueIn(document))

// The queue follows what comes and what others decide. The page is asked for again, not often, and
// nothing that somebody points at, stands in or writes is taken from under them.
const soonMs = 500, restMs = 3000
let events = null, hasBegun = false, timer = null, askedAt = 0, isLast = false
const soon = () => {
  isLast = false
  timer ??= setTimeout(again, Math.max(soonMs, askedAt + restMs - Date.now()))
}
async function again() {
  timer = null
  if (document.hidden) return
  askedAt = Date.now()
  let isHeld = false
  try {
    const answered = await fetch(form?.action ?? location.href, { headers: { accept: 'text/html' } })
    if (!answered.ok || answered.redirected) return
    const page = new DOMParser().parseFromString(await answered.text(), 'text/html')
    for (const node of document.querySelectorAll('[data-part]')) {
      const fresh = page.querySelector(`[data-part="${node.dataset.part}"]`)
      if (!fresh || fresh.innerHTML === node.innerHTML) continue
      if (node.matches(':hover') || node.contains(document.activeElement)) {
        isHeld = true
        continue
      }
      const top = queueIn(node)?.scrollTop
      node.replaceWith(fresh)
      if (top !== undefined && queueIn(fresh)) queueIn(fresh).scrollTop = top
    }
    tell(page)
  } catch { /* The bar says that the daemon does not answer; the next news may come through. */ }
  // A decision is told of before the ledger has booked it: once more, a little later.
  if (isHeld || !isLast) timer ??= setTimeout(again, restMs)
  isLast = !isHeld
}

// Somebody else was first: it is said, and the note stays.
const changed = document.querySelector('[data-changed]')
function tell(page) {
  if (!changed || changed.firstChild || page.querySelector('[data-decide]')) return
  const line = document.createElement('p')
  line.className = 'note wait'
  line.textContent = 'This case was closed while you looked at it. Load the page to see by whom.'
  changed.append(line)
}

function follow() {
  if (document.hidden) {
    events?.close()
    events = null
    return
  }
  if (events) return
  events = tillbox.events({
    review: soon,
    missed: soon,
    hello(event) {
      if (hasBegun && !JSON.parse(event.data).resumed) soon()
      hasBegun = true
    },
  })
}
document.addEventListener('visibilitychange', follow)
follow()
