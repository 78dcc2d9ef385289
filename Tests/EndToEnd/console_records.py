"""Log, records, dead letters, a case's refund and a payment's time, as console.py walks.

console.py calls `steps(page, world)` with a page that is signed in as admin; `world` has `origin`,
`expect(holds, words)`, `sound(page, name)` and the folder `shots`.
"""
import re


def steps(page, world):
    record(page, world)
    tail(page, world)
    timeline(page, world)
    refund(page, world)
    letters(page, world)


def seen(page, world, name):
    world.sound(page, name)
    page.screenshot(path=world.shots / f"{name}.png", full_page=True)


def record(page, world):
    page.goto(world.origin + "/log/webhook.received")
    page.locator("details.record summary").first.click()
    page.get_by_role("link", name="This record’s page").first.click()
    page.wait_for_url(re.compile(r"/log/webhook\.received/\d+$"))
    text = page.locator("main").inner_text()
    world.expect("Value, JSON" in text.replace("VALUE", "Value"), "a record has no readable value")
    world.expect("tillbox log send webhook.received" in text, "the command is not on the page")
    world.expect(page.get_by_role("button", name="Send").count() == 1, "nothing is sent in dev")
    seen(page, world, "record")
    page.locator("input[name=to]").fill(world.origin + "/nowhere")
    page.get_by_role("button", name="Send").click()
    page.get_by_role("status").filter(has_text="Answered 4").wait_for()


def tail(page, world):
    page.goto(world.origin + "/log/payment.scored/tail")
    world.expect(page.locator("ol.lines li").count() > 0, "the tail is empty")
    seen(page, world, "tail")
    page.keyboard.press("Space")
    hold = page.get_by_role("button", name=re.compile("^Hold"))
    world.expect(hold.get_attribute("aria-pressed") == "true", "Space does not hold the tail")
    page.keyboard.press("Space")
    world.expect(hold.get_attribute("aria-pressed") == "false", "Space does not let it go on")
    movement = page.locator("ol.lines li").first.inner_text()
    found = re.search(r'"movement":"([^"]+)"', movement)
    if found:
        page.goto(world.origin + "/log/payment.scored/tail?filter=movement:" + found.group(1))
        world.expect(page.locator("ol.lines li").count() >= 1, "the filter finds no record")


def timeline(page, world):
    page.goto(world.origin + "/payments")
    page.locator("tbody a").first.click()
    page.locator("svg.strip circle").first.wait_for()
    points = page.locator("svg.strip circle").count()
    seen(page, world, "payment")
    page.locator("ol.line time a").last.click()
    page.wait_for_url(re.compile("zoom=1m"))
    world.expect(
        0 < page.locator("svg.strip circle").count() <= points, "the window shows other points")


def refund(page, world):
    """A decline says which refund to make; without a key it is made by hand."""
    page.goto(world.origin + "/review")
    if page.locator("textarea").count() == 0:
        return world.expect(False, "no review is left to decline")
    page.locator("textarea").fill("stolen card, the owner called")
    page.get_by_role("button", name=re.compile("^Decline")).click()
    page.wait_for_url(re.compile("done="))
    page.get_by_role("link", name="The case and its refund").click()
    command = page.get_by_role("region", name="A command that makes the refund").inner_text()
    wanted = r"curl .*/v1/refunds .*Idempotency-Key: tillbox-decline-ch_.* -d charge=ch_"
    world.expect(re.search(wanted, command), f"the refund's command: {command}")
    seen(page, world, "declined")


def letters(page, world):
    page.goto(world.origin + "/log/letters")
    rows = page.locator("tbody th a.id")
    if rows.count() == 0:
        return
    rows.first.click()
    page.wait_for_url(re.compile(r"/log/letters/\d+$"))
    seen(page, world, "letter")
    field = page.locator("textarea.edit")
    if field.count():
        field.fill("{}")
        page.get_by_role("button", name="Dry run").click()
        page.get_by_text("of the edited value").wait_for()
