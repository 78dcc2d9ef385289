"""The model card: every figure in it is measured in the world that the model has not seen."""

import pathlib
from string import Template

import numpy as np

import frauds
import ordinary
import whatif
from features import NAMES

HERE = pathlib.Path(__file__).parent


class Measured:
    """Payments with their labels, kinds and scores, and what the thresholds make of them."""

    def __init__(self, features, labels, kinds, attacks, scores, thresholds):
        self.features, self.labels, self.kinds, self.scores = features, labels, kinds, scores
        self.attacks = attacks
        self.review, self.block = thresholds

    def verdicts(self, chosen):
        """How many of the chosen payments there are, and are approved, reviewed and blocked."""
        scores = self.scores[chosen]
        blocked = int((scores >= self.block).sum())
        held = int((scores >= self.review).sum())
        return len(scores), len(scores) - held, held - blocked, blocked

    def attacks_seen(self, chosen):
        """How many attacks the chosen frauds are part of, and of how many some payment is held."""
        held = self.attacks[chosen & (self.scores >= self.review)]
        return len(set(self.attacks[chosen])), len(set(held))


def text(facts, measured, worst, gains):
    template = Template((HERE / "CARD.template.md").read_text(encoding="utf-8"))
    return template.substitute(
        facts, **figures(measured), ordinary=kinds_table(measured, ordinary.KINDS),
        minute=minute_table(measured), frauds=kinds_table(measured, frauds.PATTERNS),
        attacks=attacks_table(measured),
        singles="\n".join(f"| `{name}` | {worst[name]:.2f} |" for name in NAMES),
        worst=f"{max(worst.values()):.2f}", calibration=calibration(measured),
        importance=importance(gains))


def kinds_table(measured, kinds):
    return "\n".join(row(kind, measured.verdicts(measured.kinds == kind)) for kind in kinds)


def attacks_table(measured):
    lines = []
    for pattern in frauds.PATTERNS:
        count, seen = measured.attacks_seen(measured.kinds == pattern)
        lines.append(f"| {pattern} | {count} | {seen} ({seen / count:.1%}) |")
    return "\n".join(lines)


def minute_table(measured):
    """By how many attempts the customer had made within the minute, this one included."""
    bursts = measured.kinds == ordinary.BURST
    counts = measured.features[:, whatif.VELOCITY_1M]
    return "\n".join(
        row(f"{number} in a minute", measured.verdicts(bursts & (counts == number)))
        for number in range(2, whatif.MINUTE_MAX + 1))


def row(name, verdicts):
    count, approved, reviewed, blocked = verdicts
    cells = " | ".join(f"{part} ({part / count:.1%})" for part in (approved, reviewed, blocked))
    return f"| {name} | {count} | {cells} |"


def figures(measured):
    labels, scores = measured.labels, measured.scores
    held = at_threshold(labels, scores, measured.review)
    block = at_threshold(labels, scores, measured.block)
    middle = (scores >= measured.review) & (scores < measured.block)
    honest = labels == 0
    return {
        "rows": len(labels), "rate": f"{labels.mean():.2%}",
        "auc": f"{area_under_curve(labels, scores):.4f}",
        "review_share": f"{middle.mean():.2%}", "block_share": f"{block['share']:.2%}",
        "held_share": f"{held['share']:.2%}", "held_precision": f"{held['precision']:.1%}",
        "held_recall": f"{held['recall']:.1%}",
        "review_precision": f"{float(labels[middle].mean()):.1%}",
        "block_precision": f"{block['precision']:.1%}", "block_recall": f"{block['recall']:.1%}",
        "honest": int(honest.sum()),
        "honest_blocked": int((honest & (scores >= measured.block)).sum()),
        "honest_reviewed": int((honest & middle).sum()),
    }


def area_under_curve(labels, scores):
    """The chance that a fraud scores higher than an honest payment; ties count half."""
    order = np.argsort(scores, kind="stable")
    ranks = np.empty(len(scores))
    place = 0
    while place < len(order):
        end = place
        while end < len(order) and scores[order[end]] == scores[order[place]]:
            end += 1
        ranks[order[place:end]] = (place + 1 + end) / 2
        place = end
    frauds = labels > 0
    positives, negatives = int(frauds.sum()), int((~frauds).sum())
    return (ranks[frauds].sum() - positives * (positives + 1) / 2) / (positives * negatives)


def at_threshold(labels, scores, threshold):
    chosen = scores >= threshold
    hits = float(labels[chosen].sum())
    return {
        "share": float(chosen.mean()),
        "precision": hits / max(1, int(chosen.sum())),
        "recall": hits / float(labels.sum()),
    }


def calibration(measured):
    labels, scores = measured.labels, measured.scores
    edges = [0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.85, 0.95, 1.0001]
    lines = []
    for low, high in zip(edges, edges[1:]):
        chosen = (scores >= low) & (scores < high)
        count = int(chosen.sum())
        if count:
            lines.append(
                f"| {low:.2f} – {min(high, 1):.2f} | {count} | {scores[chosen].mean():.3f} "
                f"| {labels[chosen].mean():.3f} |")
    return "\n".join(lines)


def importance(gains):
    total = sum(gains.values())
    return "\n".join(
        f"| `{name}` | {gains.get(name, 0) / total:.1%} |"
        for name in sorted(NAMES, key=lambda name: -gains.get(name, 0)))
