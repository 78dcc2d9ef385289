// A part of a page that changes by itself: it is asked for again each second for as long as it
// says data-refresh, and what is in it then takes its place.
const part = () => document.querySelector('[data-refresh]')
const bar = part() && tillbox.keep()
const again = async () => {
  const old = part()
  if (!old) return bar?.close()
  if (document.hidden) bar.hear()
  else {
    try {
      const answer = await fetch(location.href, { signal: AbortSignal.timeout(5000) })
      if (!answer.ok) bar.fail()
      else {
        bar.hear()
        const page = new DOMParser().parseFromString(await answer.text(), 'text/html')
        const name = `[data-part="${old.dataset.part}"]`
        const fresh = page.querySelector(name)
        // What stands around it tells of the end, too.
        if (fresh && !fresh.hasAttribute('data-refresh')) return location.reload()
        // Whoever stands in it is not moved.
        if (fresh && !old.contains(document.activeElement)) old.replaceWith(fresh)
      }
    } catch { bar.fail() }
  }
  setTimeout(again, 1000)
}
again()
