"""What honest people do that looks odd: every occasion here has some feature out of the usual.

A model that has never met them takes each for a fraud, because in a world of nothing but regular
habits one odd number is proof enough.
"""

import math

# The kinds by which verdicts on ordinary traffic are counted, in the model card's order.
NEW_GUEST = "new guest"
NEW_CUSTOMER = "new customer"
RETURNING = "returning"
BURST = "several purchases in a minute"
BUSY_HOUR = "busy hour"
FOREIGN_CARD = "foreign card"
NEW_DEVICE = "new device"
LARGE_FIRST_ORDER = "large first order"
LARGE_ORDER = "large order of a returning customer"
RENEWAL = "subscription renewal"
GIFT = "gift"
TRAVELLER = "traveller"
SHARED_CARD = "shared card or account"
STUMBLE = "declined, then paid"
SALES_DAY = "sales day"

KINDS = [
    NEW_GUEST, NEW_CUSTOMER, RETURNING, BURST, BUSY_HOUR, FOREIGN_CARD, NEW_DEVICE,
    LARGE_FIRST_ORDER, LARGE_ORDER, RENEWAL, GIFT, TRAVELLER, SHARED_CARD, STUMBLE, SALES_DAY,
]

# How many of each a world has.
NEW_GUESTS = 2_500
BURSTS = 1_500
BUSY_HOURS = 100
LARGE_FIRST_ORDERS = 1_000
SUBSCRIBERS = 1_500
SUBSCRIPTION_MERCHANTS = 5
GIFTS = 800
TRIPS = 120
SHARED_CARDS = 120
STUMBLES = 800
PHONES = 800
SALES_DAYS = 2
SALES_DAY_SHARE = 0.35
SALES_DAY_NEWCOMERS = 800


def happen(world):
    """Adds every occasion to the world."""
    for occasion, count in (
        (new_guest, NEW_GUESTS), (burst, BURSTS), (busy_hour, BUSY_HOURS),
        (large_first_order, LARGE_FIRST_ORDERS), (gift, GIFTS), (trip, TRIPS),
        (shared_card, SHARED_CARDS), (stumble, STUMBLES), (new_phone, PHONES),
    ):
        for _ in range(count):
            occasion(world)
    subscriptions(world)
    for _ in range(SALES_DAYS):
        sales_day(world)


def somebody(world, time, newcomers):
    """A newcomer in this share of the cases, else somebody known."""
    return world.newcomer() if world.rng.random() < newcomers else world.established(time)


def new_guest(world):
    """Buys once, without an account, and is never seen again."""
    rng, person = world.rng, world.newcomer()
    person.customer = None
    world.buy(person, world.any_merchant(), world.moment(), person.amount(rng), NEW_GUEST)


def burst(world):
    """2 to 10 purchases within a minute: tickets, game credits, a basket in parts."""
    rng, time, merchant = world.rng, world.moment(), world.any_merchant()
    person = somebody(world, time, newcomers=0.3)
    count = rng.choice([2, 2, 3, 3, 3, 4, 4, 5, 6, 7, 8, 9, 10])
    length, times = rng.uniform(4, 55), rng.uniform(0.1, 1.2)
    device = person.other_device if rng.random() < 0.03 else person.device
    for moment in sorted(rng.uniform(0, length) for _ in range(count)):
        failed = rng.random() < 0.03
        world.add(person, merchant, time + moment, person.amount(rng, times), BURST,
                  failed=failed, device=device)


def busy_hour(world):
    """An office orders for everybody: 6 to 40 purchases within an hour or two."""
    rng, time = world.rng, world.moment()
    person, merchant = somebody(world, time, newcomers=0.2), world.any_merchant()
    step = rng.uniform(1800, 5400) / rng.randint(6, 40)
    end = time + rng.uniform(1800, 5400)
    while time < end:
        world.add(person, merchant, time, person.amount(rng, rng.uniform(0.2, 2)), BUSY_HOUR,
                  failed=rng.random() < 0.03)
        time += rng.expovariate(1 / step)


def large_first_order(world):
    """A newcomer furnishes a flat; a deposit and the rest, sometimes, or a second try."""
    rng, time, person = world.rng, world.moment(), world.newcomer()
    amount = round(math.exp(person.log_mean) * rng.uniform(5, 25))
    merchant = world.any_merchant()
    time = world.buy(person, merchant, time, amount, LARGE_FIRST_ORDER, failures=0.08)
    if rng.random() < 0.1:
        world.buy(person, merchant, time + rng.uniform(30, 3000), amount, LARGE_FIRST_ORDER)


def gift(world):
    """1 to 4 parcels to other places, one after another; half of them go abroad."""
    rng, time = world.rng, world.moment()
    person = somebody(world, time, newcomers=0.15)
    for _ in range(rng.choice([1, 1, 1, 2, 3, 4])):
        country = person.country
        if rng.random() < 0.5:
            country = world.elsewhere(person)
        time = world.buy(person, world.any_merchant(), time, person.amount(rng, rng.uniform(0.4, 1.6)),
                         GIFT, country=country)
        time += rng.uniform(40, 600)


def trip(world):
    """Two days to two weeks abroad: the own phone, now and then a hotel's computer; taxis, meals
    and a hotel's bill; some banks decline the first attempts."""
    rng, time = world.rng, world.moment()
    person = world.established(time)
    country = world.elsewhere(person)
    end = time + rng.uniform(2, 14) * 86400
    while time < end:
        device = f"hotel-{world.serial:08d}" if rng.random() < 0.08 else person.device
        times = rng.uniform(2, 6) if rng.random() < 0.05 else rng.uniform(0.2, 1.8)
        time = world.buy(person, world.any_merchant(), time, person.amount(rng, times), TRAVELLER,
                         failures=0.06, country=country, device=device)
        time += rng.uniform(60, 1800) if rng.random() < 0.2 else rng.expovariate(1 / 40_000)


def shared_card(world):
    """A family's or an office's card: several devices by turns, small and large amounts."""
    rng, time, person = world.rng, world.moment(), world.newcomer()
    devices = [f"{person.device}-{place}" for place in range(rng.randint(2, 5))]
    end = time + rng.uniform(5, 40) * 86400
    while time < end:
        time = world.buy(
            person, world.any_merchant(), time, person.amount(rng, rng.choice([0.3, 1, 1, 3])),
            SHARED_CARD, device=rng.choice(devices))
        time += rng.uniform(5, 2400) if rng.random() < 0.2 else rng.expovariate(1 / 50_000)


def stumble(world):
    """A wrong expiry date, an empty account, a forgotten code: 1 to 6 refusals within minutes."""
    rng, time = world.rng, world.moment()
    person, merchant = somebody(world, time, newcomers=0.4), world.any_merchant()
    amount = person.amount(rng, rng.uniform(0.5, 3))
    for _ in range(rng.choice([1, 2, 2, 3, 3, 4, 5, 6])):
        world.add(person, merchant, time, amount, STUMBLE, failed=True)
        time += rng.uniform(8, 240)
    world.add(person, merchant, time, amount, STUMBLE)


def new_phone(world):
    """A new phone, a reinstalled browser: everything else as ever."""
    rng, time = world.rng, world.moment()
    person = world.established(time)
    for place in range(rng.choice([1, 1, 2])):
        times = rng.uniform(1.5, 6) if rng.random() < 0.15 else 1
        world.buy(person, world.any_merchant(), time, person.amount(rng, times), NEW_DEVICE,
                  device=f"{person.device}-new{world.serial}")
        time += rng.uniform(120, 80_000)


def subscriptions(world):
    """Shops that renew all their customers' subscriptions at one moment, without a device; who
    has several pays several times in one second. What is declined is tried again days later."""
    rng = world.rng
    for place in range(SUBSCRIPTION_MERCHANTS):
        merchant, first = 5 + place, rng.randint(2, 14)
        subscribers = [
            (somebody(world, 3 * 86400, newcomers=0.5), rng.choice([1, 1, 1, 1, 2, 3]))
            for _ in range(SUBSCRIBERS // SUBSCRIPTION_MERCHANTS)]
        prices = [499, 999, 1999, 4900]
        plans = [rng.choices(prices, k=count) for _, count in subscribers]
        for day in range(first, world.days, 7 if place == 0 else 30):
            for (person, _), plan in zip(subscribers, plans):
                time = day * 86400 + rng.uniform(0, 240)
                for price in plan:
                    renew(world, person, merchant, time, price)


def renew(world, person, merchant, time, price):
    rng = world.rng
    for _ in range(4):
        if rng.random() >= 0.06:
            world.add(person, merchant, time, price, RENEWAL, device=None)
            return
        world.add(person, merchant, time, price, RENEWAL, failed=True, device=None)
        time += rng.uniform(1, 4) * 86400


def sales_day(world):
    """Everybody buys at once, several things, at changing prices; banks decline more."""
    rng, day = world.rng, world.rng.randint(10, world.days - 1) * 86400
    regulars = [person for person in world.people
                if person.joined < day and rng.random() < SALES_DAY_SHARE]
    newcomers = [world.newcomer() for _ in range(SALES_DAY_NEWCOMERS)]
    for person in regulars + newcomers:
        time = day + rng.uniform(6, 23) * 3600
        for _ in range(rng.choice([1, 1, 2, 2, 3, 5])):
            device = person.other_device if rng.random() < 0.08 else person.device
            time = world.buy(
                person, world.any_merchant(), time, person.amount(rng, rng.uniform(0.4, 3)),
                SALES_DAY, failures=0.06, device=device)
            time += rng.uniform(10, 60) if rng.random() < 0.2 else rng.uniform(60, 1500)

