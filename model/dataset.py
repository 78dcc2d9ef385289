"""Reads what `tillbox model dataset` writes, and cuts it in time.

A candidate is judged on payments later than all that it learned from, and it learns only what was
known when the later ones began: a label that came afterwards, or a silence that was not yet long
enough by then, is no label.
"""

import array
import hashlib
import json
import pathlib
import sys

import numpy as np

from features import NAMES

SCHEMA = "model.dataset/1"
ROWS_MIN = 500
FRAUD_MIN = 20
DAY = 86_400


class Refusal(Exception):
    """One sentence that says what is wrong and what to do."""


class Rows:
    """Payments in the order of time, of one time in that of the log. Labels are 0 and 1; `label_at`
    is −1 where nobody said so."""

    def __init__(self, values, labels, label_at, created, matures_at, amounts, currencies):
        self.values, self.labels, self.label_at = values, labels, label_at
        self.created, self.matures_at = created, matures_at
        self.amounts, self.currencies = amounts, currencies

    def __len__(self):
        return len(self.labels)

    def chosen(self, places, labels=None):
        return Rows(
            self.values[places], (self.labels if labels is None else labels)[places],
            self.label_at[places], self.created[places], self.matures_at[places],
            self.amounts[places], self.currencies[places])


def read(path):
    """The manifest and the labelled, mature rows of a data set.

    Raises Refusal where the file is not what its manifest says.
    """
    path = pathlib.Path(path)
    manifest = read_manifest(path)
    digest = hashlib.sha256()
    columns = Columns()
    try:
        with open(path, "rb") as lines:
            for line in lines:
                digest.update(line)
                row = json.loads(line)
                if row["mature"] and row["label"] is not None:
                    columns.add(row)
    except (OSError, OverflowError, ValueError, KeyError, TypeError) as error:
        raise Refusal(f"{path} cannot be read ({error}): run `tillbox model dataset` again")
    if digest.hexdigest() != manifest["sha256"]:
        raise Refusal(f"{path} is not the file that its manifest tells of: run "
                      "`tillbox model dataset` again")
    if not columns.labels:
        raise Refusal(f"no payment of {path} is labelled and older than "
                      f"{manifest['maturity_days']} days: wait, or choose fewer --maturity-days")
    return manifest, columns.rows()


def read_manifest(path):
    place = path.with_name(path.name + ".manifest.json")
    try:
        manifest = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Refusal(f"{place} cannot be read ({error}): it is written with the data set; keep "
                      "the two together")
    if manifest.get("schema") != SCHEMA or manifest.get("features") != NAMES:
        raise Refusal(f"{place} is of another form than {SCHEMA} with these features: use the "
                      "train.py of the tillbox that wrote it")
    return manifest


class Columns:
    """Rows as they are read: a million of them in some hundred megabytes."""

    def __init__(self):
        self.values, self.labels = array.array("f"), array.array("f")
        self.label_at, self.created = array.array("q"), array.array("q")
        self.matures_at, self.amounts = array.array("q"), array.array("q")
        self.currencies = []

    def add(self, row):
        if len(row["values"]) != len(NAMES):
            raise ValueError(f"{len(row['values'])} values")
        self.values.extend(row["values"])
        self.labels.append(row["label"])
        self.label_at.append(-1 if row["label_at"] is None else row["label_at"])
        self.created.append(row["created"])
        self.matures_at.append(row["matures_at"])
        self.amounts.append(row["amount"])
        self.currencies.append(sys.intern(row["currency"]))

    def rows(self):
        columns = Rows(
            np.array(self.values, dtype="<f4").reshape(-1, len(NAMES)),
            np.array(self.labels, dtype="<f4"), np.array(self.label_at), np.array(self.created),
            np.array(self.matures_at), np.array(self.amounts), np.array(self.currencies))
        return columns.chosen(np.argsort(columns.created, kind="stable"))


def cut(rows, split=None, share=0.3):
    """Rows to learn from as they were known at the split, the rows from then on, and the split.

    split: Unix seconds; else the moment behind which the last `share` of the rows lie.
    """
    if split is None:
        split = int(rows.created[min(len(rows) - 1, int(len(rows) * (1 - share)))])
    later = np.flatnonzero(rows.created >= split)
    is_late = rows.label_at > split
    # Fraud that nobody knew of by then had been taken for honest; what was cleared only later had
    # been taken for fraud, or for nothing.
    labels = np.where(is_late, 0, rows.labels).astype("<f4")
    known = (rows.matures_at <= split) & ~(is_late & (rows.labels == 0))
    earlier = rows.chosen(np.flatnonzero(known), labels)
    later = rows.chosen(later)
    for name, part in (("before", earlier), ("from", later)):
        frauds = int(part.labels.sum())
        if len(part) < ROWS_MIN or frauds < FRAUD_MIN or frauds == len(part):
            raise Refusal(
                f"{len(part)} payments with {frauds} frauds are known {name} {day(split)}, and at "
                f"least {ROWS_MIN} with {FRAUD_MIN} are needed on either side: take a longer "
                "period, another --split, or fewer --maturity-days")
    return earlier, later, split


def day(seconds):
    return np.datetime_as_string(np.datetime64(int(seconds), "s")) + "Z"
