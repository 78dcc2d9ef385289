"""Settings in the browser: a person looks around as the guest of the first start, and then makes
the first account.

`steps(page, world)` changes nothing that others need. `account(page, world)` makes the first
account, which ends every guest's session: call it last. `world` has `origin`, `expect(holds,
words)` and `sound(page, name)`, as in console.py, and `shots`, a folder for pictures.
"""
import base64
import hashlib
import hmac
import re
import struct
import time

SECTIONS = (
    "", "/users", "/tokens", "/endpoints", "/model", "/model/card", "/bridges", "/backups",
    "/audit")
PASSWORD = "correct horse battery"


def text(page):
    return page.locator("main").inner_text()


def steps(page, world):
    for section in SECTIONS:
        name = "settings" + section.replace("/", "-")
        page.goto(world.origin + "/settings" + section)
        world.sound(page, name)
        page.screenshot(path=world.shots / f"{name}.png", full_page=True)
    token(page, world)
    thresholds(page, world)
    page.goto(world.origin + "/settings/audit?what=tokens")
    world.expect("and holds" in text(page), "the chain of the audit log is not followed")
    world.expect("name=browser" in text(page), "the token's making is not in the audit log")


def token(page, world):
    page.goto(world.origin + "/settings/tokens")
    page.get_by_label("Name").fill("browser")
    page.get_by_role("button", name="Add").click()
    shown = re.search(r"tillbox_[\w-]+", text(page))
    world.expect(shown, "a new token is not shown")
    world.sound(page, "settings-token-made")
    page.goto(world.origin + "/settings/tokens")
    world.expect(shown.group(0) not in page.content(), "a token is shown twice")
    page.get_by_role("button", name="Remove browser").click()
    world.expect("browser opens nothing now" in text(page), "a removed token is not told of")


def thresholds(page, world):
    page.goto(world.origin + "/settings/model?of=last")
    page.get_by_label("Review from").fill("0.05")
    page.get_by_label("Block from").fill("0.1")
    page.get_by_role("button", name="Try").click()
    world.expect("would have got another verdict" in text(page), "no thresholds are tried")
    world.expect(
        "TILLBOX_VERDICT_REVIEW_FROM=0.05" in text(page), "it does not say how to set them")
    world.sound(page, "settings-model-tried")


def code(secret, later=0):
    """The one-time code of now, or of some steps later (RFC 6238)."""
    step = struct.pack(">Q", int(time.time()) // 30 + later)
    digest = hmac.new(base64.b32decode(secret), step, hashlib.sha1).digest()
    place = digest[-1] & 15
    number = struct.unpack(">I", digest[place:place + 4])[0] & 0x7FFFFFFF
    return f"{number % 1_000_000:06}"


def account(page, world):
    page.goto(world.origin + "/settings/users")
    page.get_by_label("Name").fill("ann")
    page.get_by_label("Role").select_option("viewer")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Add").click()
    world.expect("must have the role admin" in text(page), "the first account may be a viewer's")
    page.get_by_label("Role").select_option("admin")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Add").click()
    # The guest is out with it.
    page.wait_for_url(re.compile("/login"))
    sign_in(page)
    page.goto(world.origin + "/settings/users/ann")
    world.sound(page, "settings-user")
    page.screenshot(path=world.shots / "settings-user.png", full_page=True)
    page.get_by_role("button", name="Switch off").click()
    world.expect("nobody else has the role admin" in text(page), "the last admin can be shut out")
    codes(page, world)


def sign_in(page, one_time=""):
    page.get_by_label("Name").fill("ann")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("textbox", name="Code").fill(one_time)
    page.get_by_role("button", name="Sign in").click()


def codes(page, world):
    page.goto(world.origin + "/settings/codes")
    world.sound(page, "settings-codes")
    secret = page.locator("input[name=secret]").get_attribute("value")
    page.get_by_role("textbox", name="Code").fill(code(secret))
    page.get_by_label("Current password").fill(PASSWORD)
    page.get_by_role("button", name="Ask for codes").click()
    page.wait_for_url(re.compile("done=codes"))
    world.sound(page, "settings-account")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(re.compile("/login"))
    sign_in(page)
    world.expect("/login" in page.url, "no code is asked for")
    # The code that was shown is good no more; the next step's is taken already.
    sign_in(page, code(secret, later=1))
    page.wait_for_url(world.origin + "/")
