"""A person at the console, in headless Chromium.

console.py ADDRESS SHOTS: walks through the pages at ADDRESS, whose daemon holds some
payments, and leaves a picture of each, light, dark and on a phone, in the folder SHOTS. Prints what
is not as it should be, a line each; exit code 1 if there was anything.
"""
import pathlib
import re
import sys
import types

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Error, sync_playwright

import console_live
import console_records
import console_reports
import console_send
import console_settings

address, shots = sys.argv[1], pathlib.Path(sys.argv[2])
origin = re.match(r"https?://[^/]+", address).group(0)
shots.mkdir(parents=True, exist_ok=True)
wrong = []

PAGES = {
    "overview": "/", "payments": "/payments", "review": "/review", "ledger": "/ledger",
    "waiting": "/ledger/waiting", "log": "/log", "records": "/log/webhook.received",
    "scored": "/log/payment.scored", "letters": "/log/letters", "missing": "/nowhere", "reports": "/reports",
    "transactions": "/ledger/transactions", "send": "/send", "settings": "/settings",
    "month": "/reports/month", "bank": "/reports/bank", "model": "/settings/model",
}


def expect(holds, words):
    if not holds:
        wrong.append(words)


def watched(context):
    """A page whose complaints are kept."""
    page = context.new_page()
    page.on("pageerror", lambda error: wrong.append(f"{page.url}: {error}"))

    def told(message):
        # A refusal that is wanted here is a 4xx, of which the browser complains as well.
        if message.type == "error" and "status of 4" not in message.text:
            wrong.append(f"{page.url}: {message.text}")

    page.on("console", told)
    return page


def sound(page, name):
    """The rules of axe-core, and no scrolling sideways."""
    found = Axe().run(page)
    for violation in found.response["violations"]:
        targets = [node["target"] for node in violation["nodes"][:3]]
        wrong.append(f"{name}: {violation['id']}: {violation['help']}: {targets}")
    wide(page, name)


def wide(page, name):
    """No scrolling sideways."""
    expect(
        page.evaluate("document.documentElement.scrollWidth <= innerWidth"),
        f"{name} scrolls sideways at {page.viewport_size['width']}: "
        + str(page.evaluate(WIDE)))


# The elements that stand out on the right, for whoever mends it.
WIDE = """[...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right >
  innerWidth + 1 && !e.closest('.scroll')).slice(0, 4).map(e => e.tagName + '.' + e.className)"""


# Ids whose last letters are not to be seen: what tells one from another is their end.
CUT = """[...document.querySelectorAll('main .cut')].filter(e => {
  const text = e.firstChild, end = document.createRange()
  end.setStart(text, Math.max(0, text.length - 6))
  end.setEnd(text, text.length)
  const [shown, own] = [end.getBoundingClientRect(), e.getBoundingClientRect()]
  return own.width > 0 && (shown.left < own.left - 1 || shown.right > own.right + 1)
}).map(e => e.textContent)"""


def ends(page, name):
    """Ids that are too long for their place keep their end, and have the whole as a title."""
    expect(page.locator("main .cut").count() > 0, f"{name}: no id is listed")
    expect(page.evaluate(CUT) == [], f"{name}: ids without their end: {page.evaluate(CUT)[:3]}")
    cut = page.locator("main .cut").first
    expect(cut.get_attribute("title") == cut.inner_text(), f"{name}: an id without its title")


def pictures(browser, state):
    for theme in ("light", "dark"):
        for size, width, height in (("desk", 1440, 900), ("phone", 360, 740)):
            context = browser.new_context(
                storage_state=state, color_scheme=theme, reduced_motion="reduce",
                viewport={"width": width, "height": height})
            page = watched(context)
            # Both themes and both sizes are looked at by the rules, each once.
            looked = sound if (theme == "light") == (size == "desk") else wide
            for name, path in PAGES.items():
                page.goto(origin + path)
                looked(page, f"{name} {theme} {size}")
                if name in ("overview", "payments"):
                    ends(page, f"{name} {theme} {size}")
                page.screenshot(path=shots / f"{name}-{theme}-{size}.png", full_page=True)
            page.goto(origin + "/ledger")
            page.locator("td a.x").first.click()
            looked(page, f"account {theme} {size}")
            page.screenshot(path=shots / f"account-{theme}-{size}.png", full_page=True)
            page.goto(origin + "/review")
            page.get_by_role("link", name=re.compile("^Export")).click()
            looked(page, f"sheet {theme} {size}")
            page.screenshot(path=shots / f"sheet-{theme}-{size}.png", full_page=True)
            page.goto(origin + "/login")
            page.screenshot(path=shots / f"login-{theme}-{size}.png", full_page=True)
            context.close()


def waiting(page):
    page.goto(origin + "/review")
    return page.locator("ol.q li").count()


def approves(page):
    """By keyboard alone: a note, A, and the next case follows."""
    before = waiting(page)
    amount = page.locator("#case a.x").inner_text()
    movement = page.locator("[data-decide]").get_attribute("data-decide")
    page.keyboard.press("n")
    page.keyboard.type("known customer, seen the order")
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    page.wait_for_url(re.compile("done="))
    told = page.locator("[data-done]").inner_text()
    expect("Approved" in told and amount in told, f"after the approval: {told}")
    expect(page.evaluate("document.activeElement.id") == "case", "focus is not on the next case")
    expect(waiting(page) == before - 1, "the queue has not shrunk by the decided case")
    page.goto(f"{origin}/ledger/explain?of={movement}")
    text = page.locator("main").inner_text()
    expect("Review approved" in text, "the approval has not moved the money")
    expect("known customer, seen the order" in text, "the note is not with the decision")
    return movement


def races(browser, state, page):
    """Two have one case open: the first decides, the second is told."""
    other = watched(browser.new_context(storage_state=state))
    waiting(page)
    case = page.locator("ol.q a").first.get_attribute("href")
    for person in (page, other):
        person.goto(origin + case)
        person.locator("textarea").fill("looked at it")
    page.get_by_role("button", name=re.compile("^Approve")).click()
    page.wait_for_url(re.compile("done="))
    other.get_by_role("button", name=re.compile("^Decline")).click()
    other.get_by_text("Your decline was not recorded").wait_for()
    other.context.close()


def plain(browser, state):
    """Without scripts the form decides as well."""
    context = browser.new_context(storage_state=state, java_script_enabled=False)
    page = context.new_page()
    page.goto(origin + "/review")
    page.locator("textarea").fill("without a script")
    page.get_by_role("button", name=re.compile("^Decline")).click()
    expect("Declined" in page.locator("[data-done]").inner_text(), "no decline without scripts")
    context.close()


def explains(page):
    """From a balance to the webhook's bytes, and on to the record in the log."""
    page.goto(origin + "/ledger")
    page.locator("td a.x").first.click()
    expect(page.locator("mark").count() > 0, "no number is marked in the bytes")
    expect(
        "Signature valid" in page.locator("main").inner_text(), "no signature is computed again")
    page.locator("a[href^='/log/webhook.received']").first.click()
    page.locator("details.record summary").first.click()
    expect('"object"' in page.locator("details[open] pre").inner_text(), "the value is not shown")


def keys(page, movement):
    page.goto(origin + "/ledger")
    page.keyboard.press("Tab")
    expect(page.evaluate("document.activeElement.className") == "skip", "Tab does not skip first")
    page.keyboard.press("?")
    expect(page.locator("dialog[open]").count() == 1, "? shows no keys")
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type(movement)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/payments"))
    page.locator("tbody a").first.click()
    expect(
        movement.removeprefix("charge:") in page.locator("main").inner_text(),
        "the search does not find the payment")
    page.goto(origin + "/log")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/log/payment.validated"))


def walked(steps, page, world):
    """What one part waits for in vain keeps no other from being walked."""
    try:
        steps(page, world)
    except Error as error:
        wrong.append(f"{steps.__module__}, {page.url}: {error}")
        page.screenshot(path=shots / f"{steps.__module__}-failed.png", full_page=True)


with sync_playwright() as playwright:
    browser = playwright.chromium.launch(
        executable_path="/usr/bin/chromium", args=["--no-sandbox"])
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = watched(context)
    page.goto(address)
    page.locator("h1").wait_for()
    state = context.storage_state()
    pictures(browser, state)
    movement = approves(page)
    races(browser, state, page)
    plain(browser, state)
    explains(page)
    keys(page, movement)
    page.goto(origin + "/review")
    page.screenshot(path=shots / "review-decided.png", full_page=True)
    world = types.SimpleNamespace(origin=origin, expect=expect, sound=sound, shots=shots)
    for part in (console_send, console_live, console_records, console_reports, console_settings):
        walked(part.steps, page, world)
    # It makes the first account, which ends the guest's session.
    walked(console_settings.account, page, world)
    browser.close()

for line in wrong:
    print(line)
sys.exit(1 if wrong else 0)
