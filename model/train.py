"""Builds the fraud model and everything that is said about it, byte for byte the same each time.

    python model/train.py [--out FOLDER]

writes fraud.ubj, schema.json, golden.csv, golden_events.jsonl and CARD.md. Two worlds are drawn
from two seeds; the model learns from one, every figure in CARD.md is measured in the other, whose
customers, merchants and frauds it has never seen. Needs numpy and xgboost-cpu.

    python model/train.py --data FILE [--fees usd:1500:200:300] [--out FOLDER]

makes a candidate of your own payments instead (`tillbox model dataset`), and measures it against
the model in use.
"""

import argparse
import hashlib
import json
import pathlib
import random
import re
import sys

import numpy as np
import xgboost as xgb

import card
import distribution
import golden
import whatif
from features import NAMES, FeatureEngine
from world import World

HERE = pathlib.Path(__file__).parent
VERSION = "tillbox-fraud-2"
TRAINING_SEED = 11
HOLDOUT_SEED = 12
REVIEW = 0.30
BLOCK = 0.85
MODEL_BYTES_MAX = 64 * 1024

# More attempts, a higher amount, a more disputed merchant, another device or country, more failures
# never make a payment look better. The time since the last one may do both: a long pause is as
# odd for one customer as haste is for another, and −1 says that there was none.
MONOTONE = {
    "tx_velocity_1m": 1,
    "tx_velocity_1h": 1,
    "amount_zscore": 1,
    "merchant_risk_score": 1,
    "device_switch_flag": 1,
    "country_mismatch_flag": 1,
    "failed_attempts_1h": 1,
    "log_seconds_since_last": 0,
}

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
    "monotone_constraints": "(" + ",".join(str(MONOTONE[name]) for name in NAMES) + ")",
    "nthread": 1,
    "seed": 7,
}
ROUNDS = 40

# What-ifs drawn for each feature, and how much each weighs beside a payment.
WHATIFS = 1_000
WHATIF_WEIGHT = 0.3

# Then, in some rounds: what-ifs from this score on are taught again, as payments for a person to
# look at. The margin to `BLOCK` is for payments that the training world does not show.
DOUBT = 0.70
DOUBT_LABEL = 0.4
DOUBT_ROUNDS = 6
DOUBTS_MAX = 2_000


def matrix(seed):
    """Every payment of a world as features, with its label, its kind and its attack."""
    engine = FeatureEngine()
    rows, labels, kinds, attacks = [], [], [], []
    for event in World(seed).events():
        outcome, values = engine.observe(event)
        if outcome == "score":
            rows.append(values)
            labels.append(event["fraud"])
            kinds.append(event["occasion"])
            attacks.append(event["attack"])
    return (np.array(rows, dtype="<f4"), np.array(labels, dtype="<f4"), np.array(kinds),
            np.array(attacks))


def train(features, labels):
    """Boosts on the payments and the what-ifs, until no what-if is near being blocked."""
    rng = np.random.default_rng(3)
    typical = whatif.typical(features[labels == 0])
    whatifs = whatif.drawn(typical, rng, WHATIFS)
    parts = [Part(features, labels, 1), Part.of(whatifs, 0, WHATIF_WEIGHT)]
    model = boost(parts)
    for turn in range(DOUBT_ROUNDS):
        doubtful = np.concatenate([
            rows[predict(model, rows) >= DOUBT] for _, rows in whatif.far_ends(typical)])
        if len(doubtful) == 0:
            break
        if len(doubtful) > DOUBTS_MAX:
            doubtful = doubtful[rng.integers(0, len(doubtful), DOUBTS_MAX)]
        parts.append(Part.of(doubtful, DOUBT_LABEL, 2 * (turn + 1)))
        model = boost(parts)
    return model


class Part:
    """Rows to learn from, all of one weight."""

    def __init__(self, rows, labels, weight):
        self.rows, self.labels, self.weights = rows, labels, np.full(len(rows), weight)

    @classmethod
    def of(cls, rows, label, weight):
        return cls(rows, np.full(len(rows), label), weight)


def boost(parts):
    data = xgb.DMatrix(
        np.concatenate([part.rows for part in parts]),
        np.concatenate([part.labels for part in parts]),
        weight=np.concatenate([part.weights for part in parts]), feature_names=NAMES)
    return xgb.train(PARAMETERS, data, ROUNDS)


def predict(model, features):
    return model.predict(xgb.DMatrix(features, feature_names=NAMES))


def worst_single_changes(model, features, labels):
    """By feature, the highest score that changing it alone gives to a typical ordinary payment."""
    worst = dict.fromkeys(NAMES, 0.0)
    for name, rows in whatif.far_ends(whatif.typical(features[labels == 0])):
        worst[name] = max(worst[name], float(predict(model, rows).max()))
    return worst


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


def schema_text(schema):
    """JSON for people too: a list of numbers on one line."""
    text = json.dumps(schema, indent=2)
    return re.sub(
        r"\[\s+([-\d][^\[\]\"]*?)\s+\]", lambda found: f"[{' '.join(found[1].split())}]",
        text) + "\n"


def golden_events():
    lines = [json.dumps({"limits": golden.LIMITS})]
    for expected in golden.expectations():
        if expected["values"] is not None:
            expected["values"] = [float(short(value)) for value in expected["values"]]
        lines.append(json.dumps(expected, ensure_ascii=False, separators=(",", ":")))
    return "\n".join(lines) + "\n"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--out", type=pathlib.Path,
        help="the folder; with --data, candidates get a folder of their own in it (default "
        "./model-candidates)")
    own = parser.add_argument_group("a candidate from your own payments")
    own.add_argument("--data", type=pathlib.Path, help="what `tillbox model dataset` wrote")
    own.add_argument(
        "--model", type=pathlib.Path, default=HERE, help="the model in use (default: built in)")
    own.add_argument(
        "--fees", action="append", default=[], metavar="CURRENCY:DISPUTE:REVIEW:MARGIN",
        help="what decisions cost, in the currency's smallest unit and hundredths of a percent")
    own.add_argument("--split", help="measure on payments from this UTC date on")
    own.add_argument(
        "--holdout", type=float, default=0.3,
        help="else on this share of them, the latest (default 0.3)")
    own.add_argument("--review", type=float, help="review from this score on")
    own.add_argument("--block", type=float, help="block from this score on")
    own.add_argument("--version", help="the candidate's name (default: from date and content)")
    options = parser.parse_args()
    if not 0 < options.holdout < 1:
        parser.error("--holdout is a share between 0 and 1")
    try:
        options.split = options.split and int(np.datetime64(options.split, "s").astype(int))
    except ValueError:
        parser.error("--split is a UTC date such as 2026-03-01")
    import evaluation

    fees = [evaluation.Costs.parse(text) for text in options.fees]
    if None in fees or len(dict(filter(None, fees))) < len(fees):
        parser.error("--fees is CURRENCY:DISPUTE:REVIEW:MARGIN once a currency: usd:1500:200:300")
    options.fees = fees
    return options


def main():
    options = arguments()
    if options.data is None:
        return build(options.out or HERE)
    # They build on this file, which as a program has another name.
    sys.modules["train"] = sys.modules[__name__]
    import candidate
    import candidate_card
    import dataset

    options.out = options.out or pathlib.Path("model-candidates")
    try:
        print(candidate_card.summary(*candidate.make(options)))
    except dataset.Refusal as refusal:
        print(f"train.py: {refusal}", file=sys.stderr)
        sys.exit(3)


def build(out):
    """The built-in model, from the seeded worlds."""
    out.mkdir(parents=True, exist_ok=True)

    features, labels, _, _ = matrix(TRAINING_SEED)
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
        "training_distribution": distribution.of(features, predict(model, features)),
    }
    tested, truth, kinds, attacks = matrix(HOLDOUT_SEED)
    scores = predict(model, tested)
    worst = worst_single_changes(model, tested, truth)
    assert max(worst.values()) < BLOCK, f"one change alone is blocked: {worst}"

    (out / "fraud.ubj").write_bytes(model_bytes)
    facts = {
        "version": VERSION, "bytes": len(model_bytes), "trees": ROUNDS,
        "depth": PARAMETERS["max_depth"], "training_seed": TRAINING_SEED,
        "holdout_seed": HOLDOUT_SEED, "digest": digest, "training_rows": len(labels),
        "training_rate": f"{labels.mean():.2%}",
    }
    measured = card.Measured(
        tested, truth, kinds, attacks, scores, thresholds=(REVIEW, BLOCK))
    texts = {
        "schema.json": schema_text(schema),
        "golden.csv": golden_csv(model, tested, scores),
        "golden_events.jsonl": golden_events(),
        "CARD.md": card.text(facts, measured, worst, model.get_score(importance_type="total_gain")),
    }
    for name, text in texts.items():
        (out / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
