"""What a model is worth on labelled payments: ranking, thresholds, calibration, money."""

import numpy as np

import card

CALIBRATION_EDGES = [0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.85, 0.95, 1.0001]


class Costs:
    """What decisions cost in one currency, in its smallest unit; the same as DecisionCosts in
    Swift. A person is taken to decide rightly, a blocked honest payment to be lost."""

    def __init__(self, dispute_fee, review, margin_basis_points):
        self.dispute_fee, self.review = dispute_fee, review
        self.margin_basis_points = margin_basis_points

    @staticmethod
    def parse(text):
        """`usd:1500:200:300` as the currency and its costs; None where it is something else."""
        parts = text.split(":")
        if len(parts) != 4 or not all(part.isascii() and part.isdigit() for part in parts[1:]):
            return None
        currency, numbers = parts[0], [int(part) for part in parts[1:]]
        is_code = len(currency) == 3 and currency.isascii() and currency.islower() \
            and currency.isalpha()
        if not is_code or max(numbers[:2]) > 10**9 or numbers[2] > 10_000:
            return None
        return currency, Costs(*numbers)

    def of(self, amounts, labels, scores, thresholds):
        """The whole cost of a model's verdicts, an exact integer."""
        review, block = thresholds
        total = 0
        for amount, label, score in zip(amounts.tolist(), labels, scores):
            if score < review:
                total += amount + self.dispute_fee if label else 0
            elif score < block:
                total += self.review
            elif not label:
                total += (amount * self.margin_basis_points + 5_000) // 10_000
        return total


def measure(rows, scores, thresholds, costs):
    """Every figure of one model on the rows, as plain numbers."""
    review, block = thresholds
    labels = rows.labels
    # As the daemon compares them: 0.3 in 32 bits is another number.
    scores = scores.astype("f8")
    middle = (scores >= review) & (scores < block)
    honest = labels == 0
    return {
        "auc": float(card.area_under_curve(labels, scores)),
        "brier": float(np.mean((scores - labels) ** 2)),
        "calibration_error": calibration_error(labels, scores),
        "thresholds": {"review": review, "block": block},
        "from_review": threshold(labels, scores, review),
        "from_block": threshold(labels, scores, block),
        "reviewed": int(middle.sum()),
        "honest_blocked": int((honest & (scores >= block)).sum()),
        "calibration": calibration(labels, scores),
        "money": {
            currency: money(rows, scores, thresholds, currency, costs.get(currency))
            for currency in sorted(set(rows.currencies))
        },
    }


def threshold(labels, scores, value):
    chosen = scores >= value
    found = card.at_threshold(labels, scores, value)
    return {"payments": int(chosen.sum()), "fraud": int(labels[chosen].sum()),
            "precision": found["precision"], "recall": found["recall"]}


def money(rows, scores, thresholds, currency, costs):
    """Sums in the currency's smallest unit; `cost` is None where no fees are given."""
    own = rows.currencies == currency
    amounts, labels, scores = rows.amounts[own], rows.labels[own], scores[own]
    through = scores < thresholds[0]
    return {
        "payments": int(own.sum()),
        "fraud": exact(amounts[labels > 0]),
        "fraud_let_through": exact(amounts[(labels > 0) & through]),
        "honest_held": exact(amounts[(labels == 0) & ~through]),
        "cost": costs.of(amounts, labels, scores, thresholds) if costs else None,
    }


def exact(amounts):
    """Their sum, which 64 bits need not hold."""
    return sum(amounts.tolist())


def calibration(labels, scores):
    """By bins of the score: how many, the mean score, the share of fraud."""
    bins = []
    for low, high in zip(CALIBRATION_EDGES, CALIBRATION_EDGES[1:]):
        chosen = (scores >= low) & (scores < high)
        if chosen.any():
            bins.append({
                "from": low, "to": min(high, 1), "payments": int(chosen.sum()),
                "score": float(scores[chosen].mean(dtype="f8")),
                "fraud": float(labels[chosen].mean(dtype="f8")),
            })
    return bins


def calibration_error(labels, scores):
    """How far score and share of fraud lie apart, on average over the payments."""
    return float(sum(
        bin["payments"] * abs(bin["score"] - bin["fraud"])
        for bin in calibration(labels, scores)) / len(labels))
