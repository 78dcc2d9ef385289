"""Sends payments from the console and watches them; console.py calls steps(page, world)."""
import re

FOLLOWED = [
    "Signature valid", "New: stored", "Read as payment", "Eight features", "Scored", "Booked",
]


def send(page, world, kind, amount="42.00"):
    page.goto(world.origin + "/send")
    page.locator("fieldset label", has_text=re.compile(f"^{kind}$")).click()
    page.get_by_role("textbox", name="Amount", exact=True).fill(amount)
    page.get_by_role("button", name="Send", exact=True).click()
    page.wait_for_url(re.compile("/send/ch_"))
    page.locator('[data-done="true"]').wait_for()
    return page.locator("main").inner_text()


def steps(page, world):
    """world has origin, and expect(holds, words)."""
    text = send(page, world, "Payment", "1,284.50")
    for words in FOLLOWED:
        world.expect(words in text, f"a sent payment does not say: {words}")
    page.get_by_role("link", name="Explain").click()
    world.expect(page.locator("mark").count() > 0, "the sent amount is not marked in its bytes")
    text = send(page, world, "Send it twice")
    world.expect("Sent again, blocked" in text, "a duplicate is not told of")
    text = send(page, world, "Bad signature")
    world.expect("Refused" in text and "400" in text, "a bad signature is not told of")
    text = send(page, world, "Void an authorisation")
    world.expect("Moves no money" in text and "Booked" not in text, "a void books something")
    # The overview, open all the while, hears of the next one without being asked again.
    page.goto(world.origin + "/")
    before = page.locator('[data-value="booked"]').inner_text()
    watcher = page
    other = page.context.new_page()
    send(other, world, "Payment", "7.00")
    other.close()
    watcher.wait_for_function(
        "before => document.querySelector('[data-value=\"booked\"]').textContent !== before",
        arg=before)
    world.expect(
        "is-right" in page.locator("[data-answer]").get_attribute("class")
        or "is-wait" in page.locator("[data-answer]").get_attribute("class"),
        "the answer is not one that is known")
    page.locator("body").press(" ")
    world.expect(
        page.locator("[data-hold]").get_attribute("aria-pressed") == "true",
        "Space does not hold the list")
