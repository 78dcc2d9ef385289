"""What-ifs: an ordinary payment with one number changed. None of them may ever be blocked.

One odd number is not a proof of anything. The model is taught so with vectors that no world need
ever show: drawn at random first, then those that the model still thinks too badly of.
"""

import numpy as np

from features import NAMES

# The places of the features.
(VELOCITY_1M, VELOCITY_1H, Z_SCORE, RISK, SWITCH, MISMATCH, FAILED, GAP) = range(8)

# Purchases, failures not counted, that an ordinary customer makes at the most.
MINUTE_MAX = 10
HOUR_MAX = 40

# The whole range of each feature. A merchant's risk has no end; from 1 on, every payment is
# disputed. The last one is ln(1 + seconds): 16 is a hundred days.
RANGES = [
    np.arange(1, 65),
    np.arange(1, 65),
    np.linspace(-10, 10, 41),
    np.array([0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1.0]),
    np.array([0, 1]),
    np.array([0, 1]),
    np.arange(0, 65),
    np.concatenate([[-1], np.linspace(0, 16, 65)]),
]

# Where a feature may only raise the score, its far end is the worst that it can do.
FAR_ENDS = [values[-1:] for values in RANGES[:GAP]] + [RANGES[GAP][::6]]


def purchases(vectors):
    """How many of the attempts of the last minute and hour were paid, at the least."""
    failed = vectors[:, FAILED]
    minute = vectors[:, VELOCITY_1M]
    return minute - np.minimum(failed, minute - 1), vectors[:, VELOCITY_1H] - failed


def typical(vectors):
    """The payments with at most one thing out of the usual: of every ordinary kind, most are."""
    in_minute, in_hour = purchases(vectors)
    odd = sum(column.astype(int) for column in (
        (in_minute >= 3) | (in_hour >= 6), vectors[:, Z_SCORE] > 2, vectors[:, RISK] > 0.012,
        vectors[:, SWITCH] == 1, vectors[:, MISMATCH] == 1, vectors[:, FAILED] >= 1,
    ))
    return vectors[(odd <= 1) & (in_minute <= MINUTE_MAX) & (in_hour <= HOUR_MAX)]


def drawn(vectors, rng, count):
    """`count` what-ifs for each feature, and as many that change the pace as a whole: both
    windows and the gap, since a burst moves all three."""
    made = []
    for place, values in enumerate(RANGES):
        rows = vectors[rng.integers(0, len(vectors), count)].copy()
        rows[:, place] = rng.choice(values, count)
        made.append(rows)
    rows = vectors[rng.integers(0, len(vectors), count)].copy()
    rows[:, VELOCITY_1H] = rng.integers(2, 65, count)
    rows[:, VELOCITY_1M] = np.minimum(rows[:, VELOCITY_1H], rng.integers(1, 65, count))
    rows[:, GAP] = np.log1p(rng.integers(0, 60, count))
    rows[:, FAILED] = 0
    made.append(rows)
    return np.concatenate(made).astype("<f4")


def far_ends(vectors):
    """For each feature, the vectors with nothing else changed than that one, as far as it goes."""
    for place, values in enumerate(FAR_ENDS):
        for value in values:
            rows = vectors.copy()
            rows[:, place] = value
            yield NAMES[place], rows
