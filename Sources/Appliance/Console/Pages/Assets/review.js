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
const queue = document.querySelector('.queue'), current = queue?.querySelector('[aria-current]')
if (current) queue.scrollTop = current.offsetTop - queue.offsetTop - queue.clientHeight / 3
