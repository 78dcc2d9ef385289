"""A page whose stream ends, is refused, and comes back; console.py calls steps(page, world)."""
EVENTS = "**/api/v1/events"
END = 'retry: 100\nevent: end\ndata: {{"reason":"{}","detail":"{}"}}\n\n'


def refused(page, reason, detail, status):
    """The page's first stream ends with a word, and each further one is refused."""
    asked = []

    def answer(route):
        asked.append(route)
        if len(asked) > 1:
            return route.fulfill(status=status, body="")
        return route.fulfill(
            status=200, content_type="text/event-stream", body=END.format(reason, detail))

    page.route(EVENTS, answer)


def steps(page, world):
    """world has origin, and expect(holds, words)."""
    for path in ("/", "/review"):
        # Of its own, since a browser complains of each refusal.
        other = page.context.new_page()
        other.on("pageerror", lambda error: world.expect(False, f"{path}: {error}"))
        bar = other.locator("[data-live]")
        refused(other, "access_unknown", "Postgres gave no answer", 503)
        other.goto(world.origin + path)
        bar.get_by_text("Disconnected, next try in").wait_for()
        world.expect(
            bar.get_attribute("title") == "Postgres gave no answer", f"{path} does not say why")
        world.expect(other.locator("body.lost").count() == 1, f"{path} does not look old")
        other.unroute(EVENTS)
        bar.get_by_text("Live").wait_for()
        world.expect(other.locator("body.lost").count() == 0, f"{path} looks old and is not")
        world.expect(bar.get_attribute("title") == "", f"{path} still says why")
        refused(other, "access_over", "this session is over", 401)
        other.goto(world.origin + path)
        bar.get_by_text("Signed out").wait_for()
        other.close()
    # What asks for itself is no younger than its last answer.
    other = page.context.new_page()
    bar = other.locator("[data-live]")
    other.goto(world.origin + "/log/payment.scored/tail")
    bar.get_by_text("Live").wait_for()
    other.route("**/tail?**", lambda route: route.fulfill(status=503, body=""))
    bar.get_by_text("Last heard").wait_for()
    other.unroute("**/tail?**")
    bar.get_by_text("Live").wait_for()
    other.close()
