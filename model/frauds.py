"""The frauds of the synthetic world, by pattern."""

import math

CARD_TESTING = "card testing"
STOLEN_CARD = "stolen card burst"
TAKEOVER = "account takeover"
RISKY_MERCHANT = "quiet fraud at a risky merchant"

PATTERNS = [CARD_TESTING, STOLEN_CARD, TAKEOVER, RISKY_MERCHANT]

# Frauds a world, chosen for about 2 % of all payments.
CARD_TESTS = 170
SPIKES = 500
TAKEOVERS = 700
RISKY_FRAUDS = 330


def happen(world):
    """Adds every fraud to the world."""
    for fraud, count in (
        (card_test, CARD_TESTS), (spike, SPIKES), (takeover, TAKEOVERS),
        (risky_fraud, RISKY_FRAUDS),
    ):
        for _ in range(count):
            world.attacks += 1
            fraud(world)


def targeted_merchant(world):
    """Risky merchants meet five times as much fraud."""
    weights = [
        weight * (5 if place in world.risky else 1) for place, weight in enumerate(world.weights)
    ]
    return world.rng.choices(range(len(weights)), weights)[0]


def stolen_device(world):
    world.serial += 1
    return f"bad-{world.seed}-{world.serial:08d}"


def card_test(world):
    """8 to 40 small attempts within 1 to 3 minutes; about 70 % fail."""
    rng, time = world.rng, world.moment()
    person = world.newcomer() if rng.random() < 0.6 else world.established(time)
    attempts = rng.randint(8, 40)
    step = rng.uniform(60, 180) / attempts
    known = dict(device=stolen_device(world), country=person.card_country)
    merchant = targeted_merchant(world)
    if rng.random() < 0.5:
        known["country"] = world.elsewhere(person)
    for _ in range(attempts):
        world.add(person, merchant, time, rng.randint(100, 500), CARD_TESTING,
                  failed=rng.random() < 0.7, fraud=True, **known)
        time += rng.expovariate(1 / step)


def spike(world):
    """A stolen card: new device, foreign country, 5 to 20 times the amount, 2 to 5 an hour."""
    rng, time = world.rng, world.moment()
    person, merchant = world.established(time), targeted_merchant(world)
    known = dict(device=stolen_device(world), country=world.elsewhere(person))
    for _ in range(rng.randint(2, 5)):
        amount = round(math.exp(person.log_mean) * rng.uniform(5, 20))
        world.add(person, merchant, time, amount, STOLEN_CARD, failed=rng.random() < 0.15,
                  fraud=True, **known)
        time += rng.uniform(60, 900)


def takeover(world):
    """An account in other hands: new device and country, 1 or 2 payments at 2 to 4 times."""
    rng, time = world.rng, world.moment()
    person, merchant = world.established(time), targeted_merchant(world)
    known = dict(device=stolen_device(world), country=world.elsewhere(person))
    for _ in range(rng.randint(1, 2)):
        amount = round(math.exp(person.log_mean) * rng.uniform(2, 4))
        world.add(person, merchant, time, amount, TAKEOVER, fraud=True, **known)
        time += rng.uniform(60, 7200)


def risky_fraud(world):
    """What slips in at risky merchants: a new device, a somewhat high amount, nothing else."""
    rng, time = world.rng, world.moment()
    person = world.established(time)
    amount = round(math.exp(person.log_mean) * rng.uniform(1.5, 4))
    world.add(person, rng.choice(world.risky), time, amount, RISKY_MERCHANT,
              device=stolen_device(world), fraud=True)
