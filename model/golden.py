"""The golden stream: a few hundred events that touch every rule and bound of the features."""

import random

from features import FeatureEngine
from world import record

BASE = 1_760_000_000 // 86400 * 86400

# The limits that the Swift test gives its engine too, so that eviction is part of the stream.
LIMITS = {"customers": 24, "merchants": 6, "movements": 200}


class Stream:
    def __init__(self):
        self.events = []

    def add(self, created, kind="payment", charge=None, **known):
        number = len(self.events)
        charge = charge or f"ch_golden{number:06d}"
        prefix = {"payment": "charge", "payment_failed": "charge_failed"}.get(kind, kind)
        defaults = dict(amount=1000, currency="eur", merchant="acct_shop", customer="cus_default",
                        card="card_default", card_country="DE", country="DE", device="dev-default")
        defaults.update(known)
        movement = defaults.pop("movement", f"{prefix}:{charge}")
        object_id = defaults.pop("object_id", charge)
        event = record(serial=number, kind=kind, object_id=object_id, movement=movement,
                       created=BASE + created, **defaults)
        event.pop("serial")
        self.events.append(event)


def stream():
    made = Stream()
    windows(made)
    late_and_early(made)
    amounts(made)
    devices_and_countries(made)
    identities(made)
    better_informed(made)
    merchant_days(made)
    bounds(made)
    mixture(made)
    return made.events


def windows(made):
    for step in (0, 1, 59, 60, 61, 3599, 3600, 3601, 7200):
        made.add(step, customer="cus_windows")
    for step in (10_000, 10_059, 10_060, 13_599, 13_600):
        made.add(step, kind="payment_failed", customer="cus_failures")
    made.add(13_600, customer="cus_failures")
    made.add(17_199, customer="cus_failures")
    made.add(17_200, customer="cus_failures")


def late_and_early(made):
    for step in (5000, 4990, 5000, 1400, 1401, 5060, 4000, 300_000, 100, 4995):
        made.add(step, customer="cus_late")
    made.add(-BASE - 50, customer="cus_late")
    made.add(2**33, customer="cus_late")
    made.add(300_100, customer="cus_late")


def amounts(made):
    for amount in (1000, 1100, 900, 1000, 5000, 1, 9_000_000_000_000_000_000, 1000, 0):
        made.add(20_000, customer="cus_amounts", amount=amount)
    for amount in (700, 700, 700, 700, 800, 700):
        made.add(21_000, customer="cus_constant", amount=amount)
    currencies = ["eur", "usd", "gbp", "jpy"]
    for amount in (1000, 1200, 1400, 1500):
        for currency in currencies:
            made.add(22_000, customer="cus_currencies", amount=amount, currency=currency)
    made.add(22_001, customer="cus_currencies", amount=10, currency="eur")
    made.add(22_002, customer="cus_currencies", amount=10, currency="chf")
    made.add(22_003, customer="cus_currencies", amount=9000, currency="eur")
    made.add(22_004, customer="cus_currencies", amount=9000, currency="usd")
    made.add(22_005, customer="cus_currencies", amount=9000, currency="jpy")
    made.add(22_006, kind="payment_failed", customer="cus_currencies", amount=9000, currency="jpy")
    made.add(22_007, customer="cus_currencies", amount=9000, currency="jpy")


def devices_and_countries(made):
    for device in (None, "a", "a", None, "b", "", "b", "a", "x" * 47, "x" * 48, "x" * 49, "x" * 48):
        made.add(30_000, customer="cus_devices", device=device)
    made.add(30_001, kind="payment_failed", customer="cus_devices", device="other")
    made.add(30_002, customer="cus_devices", device="other")
    pairs = (("DE", "DE"), ("DE", "FR"), (None, "FR"), ("DE", None), (None, None), ("", "FR"))
    for card_country, country in pairs:
        made.add(31_000, customer="cus_countries", card_country=card_country, country=country)


def identities(made):
    made.add(40_000, customer=None, card="card_alone")
    made.add(40_010, customer="", card="card_alone")
    made.add(40_020, customer="cus_with_card", card="card_alone")
    made.add(40_030, customer=None, card=None)
    made.add(40_040, customer="c" * 47)
    made.add(40_041, customer="c" * 48)
    made.add(40_042, customer="c" * 48)
    made.add(40_043, customer="c" * 400)
    made.add(40_044, customer="Zoë")
    made.add(40_045, customer="Zoë")
    made.add(40_046, kind="payment_failed", customer=None, card=None)


def better_informed(made):
    """Payment intents before and after their charge, with and without somebody to name."""
    poor = dict(card=None, card_country=None, country=None, device=None)

    def intent(step, charge, **known):
        made.add(step, charge=charge, movement=f"charge:{charge}", object_id=f"pi_{charge}",
                 **known)

    intent(50_000, "ch_one", customer="cus_intents", **poor)
    made.add(50_001, charge="ch_one", customer="cus_intents", country="FR", device="new")
    made.add(50_002, charge="ch_one", customer="cus_intents", country="FR", device="newer")
    intent(50_003, "ch_one", customer="cus_intents", **poor)
    made.add(50_004, charge="ch_two", customer="cus_intents", device="other")
    intent(50_005, "ch_two", customer="cus_intents", **poor)
    # Nobody named at first; then a card; then the customer, too late to change who was counted.
    intent(50_006, "ch_three", customer=None, **poor)
    intent(50_007, "ch_three", customer=None, **poor)
    intent(50_008, "ch_three", customer=None, **dict(poor, country="DE"))
    made.add(50_009, charge="ch_three", customer=None, card="card_late", device=None)
    made.add(50_010, charge="ch_three", customer="cus_intents", card="card_late", device=None)
    # Equally informed: the charge settles it, once.
    intent(50_011, "ch_four", customer="cus_intents")
    made.add(50_012, charge="ch_four", customer="cus_intents", country="FR")
    made.add(50_013, charge="ch_four", customer="cus_intents", country="IT")
    # A failure and a dispute count once.
    for step in (50_014, 50_015):
        made.add(step, kind="payment_failed", charge="ch_five", customer="cus_intents")
    made.add(50_016, kind="payment_failed", charge="ch_six", customer=None, card=None)
    made.add(50_017, kind="payment_failed", charge="ch_six", customer="cus_intents")
    made.add(50_018, customer="cus_intents")


def merchant_days(made):
    day = 86400
    shop = dict(merchant="acct_days", customer=None)
    for number in (0, 0, 1, 29):
        made.add(number * day, card="card_days", **shop)
    for charge in ("dp_one", "dp_one", "dp_two"):
        made.add(2 * day, kind="dispute_opened", charge=charge, **shop)
    for second in (29 * day, 30 * day - 1, 30 * day, 31 * day, 32 * day - 1, 32 * day):
        made.add(second, card="card_days", **shop)
    # Late by up to three days the window is whole; much later the day is no longer there.
    for number in (30, 29, 3, 33, 0, 66, 33, 40):
        made.add(number * day, card="card_days", **shop)
    for number in range(8):
        made.add(67 * day, merchant=f"acct_many{number}", card="card_days", customer=None)
    made.add(67 * day, card="card_days", **shop)


def bounds(made):
    """More attempts than are remembered, and more customers."""
    for step in range(70):
        made.add(6_000_000 + step // 2, customer="cus_busy", device=None,
                 kind="payment_failed" if step % 3 == 0 else "payment")
    for step in (3_000, 3_620, 3_700, 90_000, 400_000, 400_010):
        made.add(6_000_000 + step, customer="cus_busy")
    for number in range(30):
        made.add(6_500_000, customer=f"cus_crowd{number:02d}")
    made.add(6_500_001, customer="cus_busy")
    for kind in ("refund", "refund_failed", "dispute_closed", "payout", "fee"):
        made.add(6_500_002, kind=kind, customer="cus_busy")


def mixture(made):
    """Ordinary traffic out of order, over a few customers and merchants."""
    rng = random.Random(20_250)
    for step in range(260):
        charge = f"ch_mix{rng.randrange(200):04d}"
        made.add(
            7_000_000 + step * 400 + rng.randrange(-3000, 3000),
            kind=rng.choices(["payment", "payment_failed", "dispute_opened"], [80, 12, 8])[0],
            charge=charge,
            amount=rng.randrange(100, 100_000),
            currency=rng.choice(["eur", "usd"]),
            merchant=f"acct_mix{rng.randrange(3)}",
            customer=rng.choice([None, "cus_mix1", "cus_mix2", "cus_mix3"]),
            card=rng.choice([None, "card_mix1", "card_mix2"]),
            card_country=rng.choice([None, "DE", "FR"]),
            country=rng.choice([None, "DE", "FR"]),
            device=rng.choice([None, "dev1", "dev2"]))


def expectations():
    """Each event with what the Python engine made of it."""
    engine = FeatureEngine(**LIMITS)
    for event in stream():
        outcome, values = engine.observe(event)
        yield {"event": event, "outcome": outcome, "values": values}
