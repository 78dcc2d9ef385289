"""Builds the fraud model and everything that is said about it, byte for byte the same each time.

    python model/train.py [--out FOLDER]

writes fraud.ubj, schema.json, golden.csv, golden_events.jsonl and CARD.md. Two worlds are drawn
from two seeds; the model learns from one, every figure in CARD.md is measured in the other, whose
customers, merchants and frauds it has never seen. Needs numpy and xgboost-cpu.
"""

import argparse
import hashlib
import json
import math
import pathlib
import random
from string import Template

import numpy as np
import xgboost as xgb

import golden
from features import NAMES, FeatureEngine
from world import World

HERE = pathlib.Path(__file__).parent
VERSION = "tillbox-fraud-1"
TRAINING_SEED = 11
HOLDOUT_SEED = 12
REVIEW = 0.30
BLOCK = 0.85
MODEL_BYTES_MAX = 64 * 1024

# One thread and no sampling: the sums are made in one order, so the bytes are always the same.
# The base score is 0.5 because libxgboost 1.7, which serves the model, does not read the newer
# notation in which XGBoost 3 saves any other one.
PARAMETERS = {
    "objective": "binary:logistic",
    "tree_method": "hist",
    "max_bin": 256,
    "max_depth": 4,
    "eta": 0.22,
    "min_child_weight": 8,
    "gamma": 1.0,
    "lambda": 2.0,
    "base_score": 0.5,
    "nthread": 1,
    "seed": 7,
}
ROUNDS = 40


def matrix(seed):
    """Every payment of a world as features, with its label and the kind of its fraud."""
    engine = FeatureEngine()
    rows, labels = [], []
    for event in World(seed).events():
        outcome, values = engine.observe(event)
        if outcome == "score":
            rows.append(values)
            labels.append(event["fraud"])
    return np.array(rows, dtype="<f4"), np.array(labels, dtype="<f4")


def train(features, labels):
    data = xgb.DMatrix(features, labels, feature_names=NAMES)
    return xgb.train(PARAMETERS, data, ROUNDS)


def predict(model, features):
    return model.predict(xgb.DMatrix(features, feature_names=NAMES))


# What is said about it


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


def calibration(labels, scores):
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


def card(model, labels, scores, training_labels, digest, size):
    review = at_threshold(labels, scores, REVIEW)
    block = at_threshold(labels, scores, BLOCK)
    middle = (scores >= REVIEW) & (scores < BLOCK)
    gains = model.get_score(importance_type="total_gain")
    total = sum(gains.values())
    importance = "\n".join(
        f"| `{name}` | {gains.get(name, 0) / total:.1%} |"
        for name in sorted(NAMES, key=lambda name: -gains.get(name, 0)))
    template = Template((HERE / "CARD.template.md").read_text(encoding="utf-8"))
    return template.substitute(
        version=VERSION, bytes=size, trees=ROUNDS, depth=PARAMETERS["max_depth"],
        training_rows=len(training_labels), training_rate=f"{training_labels.mean():.2%}",
        training_seed=TRAINING_SEED, holdout_seed=HOLDOUT_SEED, digest=digest,
        rows=len(labels), rate=f"{labels.mean():.2%}",
        auc=f"{area_under_curve(labels, scores):.4f}",
        review_share=f"{middle.mean():.2%}", block_share=f"{block['share']:.2%}",
        held_share=f"{review['share']:.2%}",
        held_precision=f"{review['precision']:.1%}", held_recall=f"{review['recall']:.1%}",
        review_precision=f"{float(labels[middle].mean()):.1%}",
        block_precision=f"{block['precision']:.1%}", block_recall=f"{block['recall']:.1%}",
        honest_blocked=f"{int(((scores >= BLOCK) & (labels == 0)).sum())}",
        honest=f"{int((labels == 0).sum())}",
        calibration=calibration(labels, scores), importance=importance)


# Golden files


def golden_rows(features, scores):
    """Rows of every score, and rows that no payment would have."""
    order = np.argsort(scores, kind="stable")
    spread = [order[round(step * (len(order) - 1) / 599)] for step in range(600)]
    top = order[-400:]
    rows = [features[place] for place in list(spread) + list(top)]
    zero = [0.0] * 8
    huge = 3.0e38
    extremes = [zero, [1.0] * 8, [-1.0] * 8, [huge] * 8, [-huge] * 8, [1e-45] * 8]
    for place in range(8):
        for value in (-1.0, 1.0, 10.0, -10.0, 64.0, 1e9, huge, -huge):
            row = list(zero)
            row[place] = value
            extremes.append(row)
    rng = random.Random(5)
    for _ in range(200):
        extremes.append([rng.choice([-10, -1, 0, 0.005, 0.5, 1, 2, 3, 8, 10, 64, 1e6])
                         for _ in range(8)])
    return np.array(rows + extremes, dtype="<f4")


def short(value):
    """The shortest decimal that reads back as the same 32-bit float."""
    return repr(float(str(np.float32(value))))


def golden_csv(model, features, scores):
    rows = golden_rows(features, scores)
    lines = [",".join(NAMES + ["prediction"])]
    for row, score in zip(rows, predict(model, rows)):
        lines.append(",".join(short(value) for value in list(row) + [score]))
    return "\n".join(lines) + "\n"


def golden_events():
    lines = [json.dumps({"limits": golden.LIMITS})]
    for expected in golden.expectations():
        if expected["values"] is not None:
            expected["values"] = [float(short(value)) for value in expected["values"]]
        lines.append(json.dumps(expected, ensure_ascii=False, separators=(",", ":")))
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default=HERE)
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)

    features, labels = matrix(TRAINING_SEED)
    digest = hashlib.sha256(features.tobytes() + labels.tobytes()).hexdigest()
    model = train(features, labels)
    model_bytes = bytes(model.save_raw("ubj"))
    assert len(model_bytes) <= MODEL_BYTES_MAX, f"the model has {len(model_bytes)} bytes"
    schema = {
        "version": VERSION,
        "features": NAMES,
        "thresholds": {"review": REVIEW, "block": BLOCK},
        "training_data_sha256": digest,
        "model_sha256": hashlib.sha256(model_bytes).hexdigest(),
    }
    tested, truth = matrix(HOLDOUT_SEED)
    scores = predict(model, tested)

    (out / "fraud.ubj").write_bytes(model_bytes)
    texts = {
        "schema.json": json.dumps(schema, indent=2) + "\n",
        "golden.csv": golden_csv(model, tested, scores),
        "golden_events.jsonl": golden_events(),
        "CARD.md": card(model, truth, scores, labels, digest, len(model_bytes)),
    }
    for name, text in texts.items():
        (out / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
