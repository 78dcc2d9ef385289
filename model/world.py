"""The synthetic world that the model learns from. Nothing in it comes from a real payment.

Customers have habits. Occasions disturb them that mean no harm (`ordinary.py`), and frauds that do
(`frauds.py`). `World(seed).events()` gives payment events in the form of `payment.validated`
records, ordered by time, each with three private keys: `fraud`; `occasion`, its kind; and
`attack`, the number of the attack that a fraud is part of.
Only `random.Random` is used, so a seed gives the same world on every machine.
"""

import math
import random

import frauds
import ordinary

START = 1_750_000_000 // 86400 * 86400
COUNTRIES = ["DE", "FR", "NL", "AT", "ES", "IT", "US", "GB"]
CURRENCIES = ["eur", "usd", "gbp", "jpy"]

CUSTOMERS = 4_000
MERCHANTS = 40
RISKY_MERCHANTS = 4
DAYS = 45

GUESTS = 0.15
LIVE_ABROAD = 0.01

HABIT = "habit"


class Person:
    def __init__(self, rng, number):
        self.number = number
        is_guest = rng.random() < GUESTS
        self.customer = None if is_guest else f"cus_{number:014d}"
        self.card = f"card{number:012d}"
        self.card_country = rng.choice(COUNTRIES)
        # Some live in another country than their bank.
        self.country = self.card_country
        if rng.random() < LIVE_ABROAD:
            self.country = other_country(rng, self.card_country)
        self.device = f"dev-{number:08d}"
        self.other_device = f"alt-{number:08d}"
        self.currency = rng.choices(CURRENCIES, [70, 20, 7, 3])[0]
        self.log_mean = rng.gauss(math.log(4000), 0.8)
        self.log_spread = rng.uniform(0.2, 0.5)
        self.interval = 86400 * rng.lognormvariate(0, 0.5)
        # Half of the customers are there from the start; the others join.
        self.joined = 0 if rng.random() < 0.5 else int(rng.uniform(0, DAYS * 86400))

    def amount(self, rng, times=1.0):
        return max(50, round(rng.lognormvariate(self.log_mean, self.log_spread) * times))


class World:
    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.seed = seed
        self.made = []
        self.serial = 0
        self.attacks = 0
        self.days = DAYS
        self.people = [Person(self.rng, number) for number in range(CUSTOMERS)]
        self.weights = [1 / (place + 2) for place in range(MERCHANTS)]
        self.risky = sorted(self.rng.sample(range(MERCHANTS // 4, MERCHANTS), RISKY_MERCHANTS))
        self.dispute_rates = [0.003] * MERCHANTS
        for merchant in self.risky:
            self.dispute_rates[merchant] = self.rng.uniform(0.05, 0.10)

    def events(self):
        for person in self.people:
            self.habits(person)
        ordinary.happen(self)
        frauds.happen(self)
        # The serial number settles ties, so the order is the same wherever this runs.
        self.made.sort(key=lambda event: (event["created"], event["serial"]))
        self.name_habits()
        return self.made

    def name_habits(self):
        """Tells first payments from later ones, now that everything stands in order."""
        seen = set()
        for event in self.made:
            identity = event["customer"] or event["card"]
            if event["occasion"] == HABIT:
                if identity in seen:
                    event["occasion"] = ordinary.RETURNING
                else:
                    event["occasion"] = (
                        ordinary.NEW_CUSTOMER if event["customer"] else ordinary.NEW_GUEST)
            if event["kind"] != "dispute_opened":
                seen.add(identity)

    # Habits

    def habits(self, person):
        rng = self.rng
        time = person.joined + rng.expovariate(1 / person.interval)
        while time < DAYS * 86400:
            merchant = self.any_merchant()
            payments = rng.randint(2, 4) if rng.random() < 0.03 else 1
            for _ in range(payments):
                time = self.habitual_payment(person, merchant, time)
                time += rng.uniform(120, 1200)
            time += rng.expovariate(1 / person.interval)

    def habitual_payment(self, person, merchant, time):
        """One purchase with the failures before it. Gives the time of its last attempt."""
        rng = self.rng
        occasion, device, country, times = HABIT, person.device, person.country, 1
        if country != person.card_country:
            occasion = ordinary.FOREIGN_CARD
        if rng.random() < 0.03:
            occasion, device = ordinary.NEW_DEVICE, person.other_device
        if rng.random() < 0.02:
            occasion, country = ordinary.FOREIGN_CARD, self.elsewhere(person)
        if rng.random() < 0.008:
            # A holiday, a washing machine.
            occasion, times = ordinary.LARGE_ORDER, rng.randint(3, 10)
        amount = person.amount(rng, times)
        return self.buy(
            person, merchant, time, amount, occasion, device=device, country=country)

    def buy(self, person, merchant, time, amount, occasion, failures=0.03, **known):
        """An honest purchase: some attempts fail, most people try again, a few give up."""
        rng = self.rng
        while rng.random() < failures:
            self.add(person, merchant, time, amount, occasion, failed=True, **known)
            if rng.random() < 0.25:
                return time
            time += rng.uniform(20, 400)
        self.add(person, merchant, time, amount, occasion, **known)
        return time

    # Draws that occasions and frauds share

    def moment(self):
        return self.rng.uniform(2, DAYS) * 86400

    def any_merchant(self):
        return self.rng.choices(range(MERCHANTS), self.weights)[0]

    def established(self, time):
        """Somebody who has been a customer for at least two days."""
        while True:
            person = self.rng.choice(self.people)
            if person.joined < time - 2 * 86400:
                return person

    def elsewhere(self, person):
        """A country that is not the card's."""
        return other_country(self.rng, person.card_country)

    def newcomer(self):
        self.serial += 1
        return Person(self.rng, 10_000_000 + self.serial)

    # Records

    def add(self, person, merchant, time, amount, occasion, failed=False, fraud=False, **known):
        """A payment or a failed one, by the person's own device and country unless told otherwise;
        some events lack one or the other, as real ones do."""
        rng = self.rng
        if time >= DAYS * 86400:
            return
        self.serial += 1
        charge = f"ch_{self.seed:04d}{self.serial:018d}"
        kind = "payment_failed" if failed else "payment"
        prefix = "charge_failed" if failed else "charge"
        country = known.get("country", person.country)
        device = known.get("device", person.device)
        event = record(
            serial=self.serial, kind=kind, object_id=charge, movement=f"{prefix}:{charge}",
            amount=amount, currency=person.currency, created=START + int(time),
            merchant=f"acct_{merchant:012d}", customer=person.customer, card=person.card,
            card_country=person.card_country, country=None if rng.random() < 0.05 else country,
            device=None if rng.random() < 0.10 else device,
            outcome="card_declined" if failed else "authorized")
        event["fraud"], event["occasion"] = fraud, occasion
        event["attack"] = self.attacks if fraud else 0
        self.made.append(event)
        if not failed:
            rate = 0.4 if fraud else self.dispute_rates[merchant]
            if rng.random() < rate:
                self.dispute(event, time + rng.uniform(3, 20) * 86400)

    def dispute(self, payment, time):
        if time >= DAYS * 86400:
            return
        self.serial += 1
        dispute = f"dp_{self.seed:04d}{self.serial:018d}"
        event = record(
            serial=self.serial, kind="dispute_opened", object_id=dispute,
            movement=f"dispute_opened:{dispute}", amount=payment["amount"],
            currency=payment["currency"], created=START + int(time), merchant=payment["merchant"],
            outcome="needs_response", related=payment["object_id"])
        event["fraud"], event["occasion"], event["attack"] = False, None, 0
        self.made.append(event)


def other_country(rng, country):
    return rng.choice([other for other in COUNTRIES if other != country])


def record(serial, kind, object_id, movement, amount, currency, created, merchant, **known):
    """A payment event with the keys of a `payment.validated` record, in their order."""
    return {
        "event_id": known.get("event_id", f"evt_{serial:024d}"),
        "kind": kind,
        "object_id": object_id,
        "movement": movement,
        "amount": amount,
        "currency": currency,
        "created": created,
        "livemode": False,
        "account": known.get("account", merchant),
        "merchant": merchant,
        "customer": known.get("customer"),
        "card": known.get("card"),
        "card_country": known.get("card_country"),
        "country": known.get("country"),
        "device": known.get("device"),
        "outcome": known.get("outcome"),
        "balance_transaction": None,
        "related": known.get("related"),
        "serial": serial,
    }
