"""The synthetic world that the model learns from. Nothing in it comes from a real payment.

Customers have habits; four kinds of fraud disturb them. `World(seed).events()` gives payment events
in the form of `payment.validated` records, ordered by time, each with a private key `fraud`.
Only `random.Random` is used, so a seed gives the same world on every machine.
"""

import math
import random

START = 1_750_000_000 // 86400 * 86400
COUNTRIES = ["DE", "FR", "NL", "AT", "ES", "IT", "US", "GB"]
CURRENCIES = ["eur", "usd", "gbp", "jpy"]

CUSTOMERS = 4_000
MERCHANTS = 40
RISKY_MERCHANTS = 4
DAYS = 45

# Frauds a world, chosen for about 1 % of all payments.
CARD_TESTS = 90
SPIKES = 190
TAKEOVERS = 270
RISKY_FRAUDS = 130


class Person:
    def __init__(self, rng, number):
        self.number = number
        is_guest = rng.random() < 0.10
        self.customer = None if is_guest else f"cus_{number:014d}"
        self.card = f"card{number:012d}"
        self.country = rng.choice(COUNTRIES)
        self.device = f"dev-{number:08d}"
        self.other_device = f"alt-{number:08d}"
        self.currency = rng.choices(CURRENCIES, [70, 20, 7, 3])[0]
        self.log_mean = rng.gauss(math.log(4000), 0.8)
        self.log_spread = rng.uniform(0.2, 0.5)
        self.interval = 86400 * rng.lognormvariate(0, 0.5)
        # Half of the customers are there from the start; the others join.
        self.joined = 0 if rng.random() < 0.5 else int(rng.uniform(0, DAYS * 86400))

    def amount(self, rng):
        return max(50, round(rng.lognormvariate(self.log_mean, self.log_spread)))


class World:
    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.seed = seed
        self.made = []
        self.serial = 0
        self.people = [Person(self.rng, number) for number in range(CUSTOMERS)]
        self.weights = [1 / (place + 2) for place in range(MERCHANTS)]
        risky = self.rng.sample(range(MERCHANTS // 4, MERCHANTS), RISKY_MERCHANTS)
        self.risky = sorted(risky)
        self.dispute_rates = [0.003] * MERCHANTS
        for merchant in self.risky:
            self.dispute_rates[merchant] = self.rng.uniform(0.05, 0.10)

    def events(self):
        for person in self.people:
            self.habits(person)
        for _ in range(CARD_TESTS):
            self.card_test()
        for _ in range(SPIKES):
            self.spike()
        for _ in range(TAKEOVERS):
            self.takeover()
        for _ in range(RISKY_FRAUDS):
            self.risky_fraud()
        # The serial number settles ties, so the order is the same wherever this runs.
        self.made.sort(key=lambda event: (event["created"], event["serial"]))
        return self.made

    # Honest traffic

    def habits(self, person):
        rng = self.rng
        time = person.joined + rng.expovariate(1 / person.interval)
        while time < DAYS * 86400:
            merchant = rng.choices(range(MERCHANTS), self.weights)[0]
            payments = rng.randint(2, 4) if rng.random() < 0.03 else 1
            for _ in range(payments):
                time = self.honest_payment(person, merchant, time)
                time += rng.uniform(120, 1200)
            time += rng.expovariate(1 / person.interval)

    def honest_payment(self, person, merchant, time):
        """One purchase with the failures before it. Gives the time of its last attempt."""
        rng = self.rng
        device = person.other_device if rng.random() < 0.03 else person.device
        country = person.country
        if rng.random() < 0.02:
            country = rng.choice([other for other in COUNTRIES if other != country])
        amount = person.amount(rng)
        if rng.random() < 0.01:
            amount *= rng.randint(3, 8)  # a holiday, a washing machine
        while rng.random() < 0.03:
            self.add(person, merchant, time, amount, device, country, failed=True)
            if rng.random() < 0.25:
                return time
            time += rng.uniform(20, 400)
        self.add(person, merchant, time, amount, device, country)
        return time

    # Fraud

    def moment(self):
        return self.rng.uniform(2, DAYS) * 86400

    def merchant(self):
        weights = [
            weight * (5 if place in self.risky else 1) for place, weight in enumerate(self.weights)
        ]
        return self.rng.choices(range(MERCHANTS), weights)[0]

    def victim(self, time):
        """Somebody who has been a customer for at least two days."""
        while True:
            person = self.rng.choice(self.people)
            if person.joined < time - 2 * 86400:
                return person

    def foreign(self, person):
        return self.rng.choice([other for other in COUNTRIES if other != person.country])

    def stolen_device(self):
        self.serial += 1
        return f"bad-{self.seed}-{self.serial:08d}"

    def card_test(self):
        """8 to 40 small attempts within 1 to 3 minutes; about 70 % fail."""
        rng = self.rng
        time = self.moment()
        if rng.random() < 0.6:
            self.serial += 1
            person = Person(rng, 10_000_000 + self.serial)
        else:
            person = self.victim(time)
        attempts = rng.randint(8, 40)
        step = rng.uniform(60, 180) / attempts
        device, merchant = self.stolen_device(), self.merchant()
        country = self.foreign(person) if rng.random() < 0.5 else person.country
        for _ in range(attempts):
            failed = rng.random() < 0.7
            self.add(
                person, merchant, time, rng.randint(100, 500), device, country, failed, fraud=True)
            time += rng.expovariate(1 / step)

    def spike(self):
        """A stolen card: new device, foreign country, 5 to 20 times the amount, 2 to 5 an hour."""
        rng = self.rng
        time = self.moment()
        person, device, merchant = self.victim(time), self.stolen_device(), self.merchant()
        country = self.foreign(person)
        for _ in range(rng.randint(2, 5)):
            amount = round(math.exp(person.log_mean) * rng.uniform(5, 20))
            failed = rng.random() < 0.15
            self.add(person, merchant, time, amount, device, country, failed, fraud=True)
            time += rng.uniform(60, 900)

    def takeover(self):
        """An account in other hands: new device and country, 1 or 2 payments at 2 to 4 times."""
        rng = self.rng
        time = self.moment()
        person, device, merchant = self.victim(time), self.stolen_device(), self.merchant()
        country = self.foreign(person)
        for _ in range(rng.randint(1, 2)):
            amount = round(math.exp(person.log_mean) * rng.uniform(2, 4))
            self.add(person, merchant, time, amount, device, country, fraud=True)
            time += rng.uniform(60, 7200)

    def risky_fraud(self):
        """What slips in at risky merchants: a new device, a somewhat high amount, nothing else."""
        rng = self.rng
        time = self.moment()
        person = self.victim(time)
        amount = round(math.exp(person.log_mean) * rng.uniform(1.5, 4))
        self.add(
            person, rng.choice(self.risky), time, amount, self.stolen_device(), person.country,
            fraud=True)

    # Records

    def add(self, person, merchant, time, amount, device, country, failed=False, fraud=False):
        rng = self.rng
        if time >= DAYS * 86400:
            return
        self.serial += 1
        charge = f"ch_{self.seed:04d}{self.serial:018d}"
        kind = "payment_failed" if failed else "payment"
        prefix = "charge_failed" if failed else "charge"
        event = record(
            serial=self.serial, kind=kind, object_id=charge, movement=f"{prefix}:{charge}",
            amount=amount, currency=person.currency, created=START + int(time),
            merchant=f"acct_{merchant:012d}", customer=person.customer, card=person.card,
            card_country=person.country, country=None if rng.random() < 0.05 else country,
            device=None if rng.random() < 0.10 else device,
            outcome="card_declined" if failed else "authorized")
        event["fraud"] = fraud
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
        event["fraud"] = False
        self.made.append(event)


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
