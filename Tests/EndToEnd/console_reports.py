"""Reports and the ledger's own pages, as a person in headless Chromium goes through them.

`steps(page, world)`: `page` is signed in as an admin; `world` has `origin`, `expect(holds, words)`,
`sound(page, name)` and the folder `shots`, as console.py has them.
"""
import re

REPORTS = ("revenue", "verdicts", "reviews", "chargebacks", "fees", "payouts")
# Simulated payments may be of any day: three years hold them.
WIDE = "from={}&to={}"


def days(page, world):
    """The days that hold every transaction, so that no report is empty by the calendar."""
    page.goto(world.origin + "/ledger/transactions?after=0")
    times = [t.get_attribute("datetime") for t in page.locator("tbody time").all()]
    world.expect(bool(times), "no transaction is listed")
    first = min(times)[:10]
    return WIDE.format(first, f"{int(first[:4]) + 2}{first[4:7]}-28")


def reports(page, world, period):
    page.goto(f"{world.origin}/reports?{period}")
    world.sound(page, "reports")
    page.screenshot(path=world.shots / "reports.png", full_page=True)
    world.expect(page.locator("svg.plot[role=img]").count() == len(REPORTS), "a chart is missing")
    for name in REPORTS:
        page.goto(f"{world.origin}/reports/{name}?{period}")
        world.sound(page, f"report {name}")
        page.screenshot(path=world.shots / f"report-{name}.png", full_page=True)
    page.goto(f"{world.origin}/reports/reconciliation")
    world.sound(page, "runs")


def explained(page, world, period):
    """From a day's volume to the transactions, whose sum is that volume."""
    page.goto(f"{world.origin}/reports/revenue?{period}")
    row = page.locator("tbody tr").first
    amount = row.locator("td").nth(1).inner_text().strip()
    row.locator("td").nth(1).get_by_role("link").click()
    page.wait_for_url(re.compile("/ledger/transactions"))
    world.sound(page, "transactions of a day")
    sums = page.locator("section", has_text="What these come to").locator("tbody tr")
    world.expect(sums.count() >= 1, "the day's transactions are not summed up")
    if sums.count() == 1:
        told = sums.first.locator("td").nth(1).inner_text()
        world.expect(amount in told, f"the report says {amount}, its transactions {told}")
    page.locator("tbody th a").first.click()
    world.expect(page.get_by_text("the same", exact=True).count() == 1, "the hash does not fit")
    world.sound(page, "transaction")
    page.screenshot(path=world.shots / "transaction.png", full_page=True)


def csv(page, world, period):
    page.goto(f"{world.origin}/reports/revenue?{period}")
    with page.expect_download() as download:
        page.get_by_role("link", name=re.compile("^CSV")).click()
    text = download.value.path().read_text()
    world.expect(text.startswith("day,currency,payments,volume"), f"the CSV begins {text[:40]}")
    page.goto(f"{world.origin}/ledger/export")
    world.sound(page, "export")
    with page.expect_download() as download:
        page.get_by_role("button", name="beancount").click()
    text = download.value.path().read_text()
    world.expect('option "title" "Tillbox"' in text, "the export is no beancount file")


def statement(page, world, period):
    page.goto(world.origin + "/ledger")
    page.locator("td a.x").first.click()
    page.get_by_role("link", name="Statement of a period").click()
    page.goto(re.sub(r"\?.*", "", page.url) + "?" + period)
    world.sound(page, "statement")
    world.expect(page.locator(".proof").count() == 1, "the closing balance is not proven")
    page.screenshot(path=world.shots / "statement.png", full_page=True)


def month(page, world, period):
    """The month of the first transaction: its sheets, its CSV, and nothing but it on paper."""
    page.goto(f"{world.origin}/reports/month?of={period[5:12]}")
    world.sound(page, "month")
    closing = page.locator("tr.total td").nth(1).inner_text()
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV", exact=True).click()
    text = download.value.path().read_text()
    world.expect(
        text.startswith("month,account,currency,line,count,minor_units,amount"),
        f"the month's CSV begins {text[:40]}")
    world.expect(
        closing.replace(",", "").replace("−", "-").strip() in text,
        f"the closing balance {closing} is not in the CSV")
    page.emulate_media(media="print")
    for gone in ("nav.side", "header.top", "form.bar", "nav.sections"):
        world.expect(not page.locator(gone).is_visible(), f"{gone} is on paper")
    world.expect(page.locator("tr.total").first.is_visible(), "the month is not on paper")
    page.screenshot(path=world.shots / "month-print.png", full_page=True)
    page.emulate_media(media="screen")


def verifies(page, world):
    page.goto(world.origin + "/ledger/verify")
    world.sound(page, "verify")
    page.get_by_role("button", name="Verify now").click()
    page.get_by_text("The whole ledger fits together").wait_for()
    page.screenshot(path=world.shots / "verify.png", full_page=True)


def steps(page, world):
    period = days(page, world)
    reports(page, world, period)
    explained(page, world, period)
    csv(page, world, period)
    statement(page, world, period)
    month(page, world, period)
    verifies(page, world)
