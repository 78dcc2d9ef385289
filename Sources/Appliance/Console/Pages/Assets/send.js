// Looks again until nothing more comes of what was sent. Markup comes from the server alone.
const pauseMilliseconds = 400, looksMax = 150
let looks = 0
const isDone = () => document.querySelector('[data-done]')?.dataset.done === 'true'

async function look() {
  looks += 1
  try {
    const answer = await fetch(location.href, { headers: { accept: 'text/html' } })
    if (answer.ok && !answer.redirected) {
      const page = new DOMParser().parseFromString(await answer.text(), 'text/html')
      for (const node of document.querySelectorAll('[data-part]')) {
        const fresh = page.querySelector(`[data-part="${node.dataset.part}"]`)
        const isHeld = node.contains(document.activeElement)
        if (fresh && !isHeld && fresh.innerHTML !== node.innerHTML) node.replaceWith(fresh)
      }
    }
  } catch { /* The bar above says that the daemon is not heard of. */ }
  if (!isDone() && looks < looksMax) setTimeout(look, pauseMilliseconds)
}
if (!isDone()) setTimeout(look, pauseMilliseconds)
