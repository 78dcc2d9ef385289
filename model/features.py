"""The eight features of contracts section 4, written apart from the Swift engine.

The training data, the golden stream and the Swift engine must agree to 1e-6, so this file follows
the definitions and their bounds and nothing of the other code. Standard library alone.
"""

import math
import struct
from collections import OrderedDict, deque

NAMES = [
    "tx_velocity_1m",
    "tx_velocity_1h",
    "amount_zscore",
    "merchant_risk_score",
    "device_switch_flag",
    "country_mismatch_flag",
    "failed_attempts_1h",
    "log_seconds_since_last",
]

MINUTE = 60
HOUR = 3600
DAY = 86400
ATTEMPTS_MAX = 64
ATTEMPT_HORIZON = 3 * DAY + HOUR
CURRENCIES_MAX = 4
MERCHANT_DAYS = 30
MERCHANT_DAYS_KEPT = 33
SECONDS_MAX = 2**32 - 2


def single(value):
    """The nearest 32-bit float, as the model sees it."""
    return struct.unpack("<f", struct.pack("<f", value))[0]


class Customer:
    def __init__(self):
        self.attempts = deque()  # (time, failed) in log order
        self.last_time = None
        self.device = None
        self.amounts = OrderedDict()  # currency -> [count, mean, squares], last used last

    def attempt(self, time, failed):
        """Counts of the last minute, the last hour and its failures, this attempt included."""
        while self.attempts and self.attempts[0][0] <= time - ATTEMPT_HORIZON:
            self.attempts.popleft()
        if len(self.attempts) == ATTEMPTS_MAX:
            self.attempts.popleft()
        self.attempts.append((time, failed))
        minute = hour = failures = 0
        for then, was_failed in self.attempts:
            if time - HOUR < then <= time:
                hour += 1
                failures += was_failed
                minute += then > time - MINUTE
        return minute, hour, failures

    def gap(self, time):
        last, self.last_time = self.last_time, time
        return -1.0 if last is None else math.log(1 + max(0, time - last))

    def z_score(self, amount, currency):
        """How far the amount lies from the earlier ones; then it counts among them."""
        if currency not in self.amounts:
            if len(self.amounts) == CURRENCIES_MAX:
                self.amounts.popitem(last=False)
            self.amounts[currency] = [0, 0.0, 0.0]
        self.amounts.move_to_end(currency)
        spread = self.amounts[currency]
        count, mean, squares = spread
        score = 0.0
        if count >= 3:
            deviation = math.sqrt(squares / count)
            if deviation > 0:
                score = min(max((amount - mean) / deviation, -10.0), 10.0)
        spread[0] = count + 1
        spread[1] = mean + (amount - mean) / spread[0]
        spread[2] = squares + (amount - mean) * (amount - spread[1])
        return score

    def switch(self, device):
        if not device:
            return 0.0
        last, self.device = self.device, device
        return 1.0 if last is not None and last != device else 0.0


class Merchant:
    def __init__(self):
        self.days = {}  # day modulo 33 -> [day, disputes, payments]

    def count(self, day, what):
        place = day % MERCHANT_DAYS_KEPT
        held = self.days.get(place)
        if held is not None and held[0] > day:
            return
        if held is None or held[0] < day:
            held = self.days[place] = [day, 0, 0]
        held[what] += 1

    def risk(self, day):
        disputes = payments = 0
        for held_day, held_disputes, held_payments in self.days.values():
            if day - MERCHANT_DAYS < held_day <= day:
                disputes += held_disputes
                payments += held_payments
        return (1 + disputes) / (200 + payments)


class Movement:
    def __init__(self, rank):
        self.rank = rank
        self.counted = False
        self.counted_for_merchant = False
        self.knows_device = False
        self.knows_countries = False
        self.values = None


class Bounded:
    """A dictionary that forgets the least recently used entry."""

    def __init__(self, limit):
        self.limit = limit
        self.entries = OrderedDict()

    def admit(self, key, fresh):
        """The entry and whether it is new."""
        if key in self.entries:
            self.entries.move_to_end(key)
            return self.entries[key], False
        if len(self.entries) == self.limit:
            self.entries.popitem(last=False)
        self.entries[key] = fresh()
        return self.entries[key], True


def rank(event):
    """How well informed an event is: its known fields, and whether it is about a charge."""
    known = sum(
        1
        for field in ("customer", "card", "card_country", "country", "device")
        if event.get(field)
    )
    return known, event["object_id"].startswith(("ch_", "py_"))


def knows_countries(event):
    return bool(event.get("card_country") and event.get("country"))


def mismatch(event):
    return 1.0 if knows_countries(event) and event["card_country"] != event["country"] else 0.0


class FeatureEngine:
    """Feeds on payment events in log order; `observe` gives what became of each."""

    def __init__(self, customers=1_000_000, merchants=65_536, movements=262_144):
        self.customers = Bounded(customers)
        self.merchants = Bounded(merchants)
        self.movements = Bounded(movements)

    def observe(self, event):
        """One of score, rescore, already, counted, missing; and the vector or None."""
        kind = event["kind"]
        if kind == "payment":
            return self.payment(event)
        if kind == "payment_failed":
            self.failure(event)
        elif kind == "dispute_opened":
            self.dispute(event)
        return "counted", None

    def payment(self, event):
        now_rank = rank(event)
        movement, is_new = self.movements.admit(event["movement"], lambda: Movement(now_rank))
        if not is_new and now_rank <= movement.rank:
            return "already", None
        movement.rank = now_rank
        time = clamp(event["created"])
        day = time // DAY
        merchant, _ = self.merchants.admit(event["merchant"], Merchant)
        if not movement.counted_for_merchant:
            movement.counted_for_merchant = True
            merchant.count(day, 2)
        risk = merchant.risk(day)
        identity = event.get("customer") or event.get("card")
        if not identity:
            return ("missing" if is_new else "already"), None
        customer, _ = self.customers.admit(identity, Customer)
        if movement.counted:
            self.refine(movement, event, customer)
        else:
            minute, hour, failed = customer.attempt(time, False)
            gap = customer.gap(time)
            score = customer.z_score(event["amount"], event["currency"])
            switch = customer.switch(event.get("device"))
            movement.values = [
                minute, hour, score, risk, switch, mismatch(event), failed, gap,
            ]
            movement.counted = True
            movement.knows_device = bool(event.get("device"))
            movement.knows_countries = knows_countries(event)
        vector = [single(value) for value in movement.values]
        return ("score" if is_new else "rescore"), vector

    def refine(self, movement, event, customer):
        if not movement.knows_device and event.get("device"):
            movement.values[4] = customer.switch(event["device"])
            movement.knows_device = True
        if not movement.knows_countries and knows_countries(event):
            movement.values[5] = mismatch(event)
            movement.knows_countries = True

    def failure(self, event):
        movement, _ = self.movements.admit(event["movement"], lambda: Movement((0, False)))
        identity = event.get("customer") or event.get("card")
        if movement.counted or not identity:
            return
        movement.counted = True
        customer, _ = self.customers.admit(identity, Customer)
        time = clamp(event["created"])
        customer.attempt(time, True)
        customer.gap(time)
        customer.switch(event.get("device"))

    def dispute(self, event):
        movement, _ = self.movements.admit(event["movement"], lambda: Movement((0, False)))
        if movement.counted_for_merchant:
            return
        movement.counted_for_merchant = True
        merchant, _ = self.merchants.admit(event["merchant"], Merchant)
        merchant.count(clamp(event["created"]) // DAY, 1)


def clamp(seconds):
    return min(max(seconds, 0), SECONDS_MAX)
