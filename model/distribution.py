"""How inputs and scores were spread in training: what drift is counted against.

`schema.json` carries it as `training_distribution`: for each feature and for the score, ascending
bounds and the payments in each bin. A value that equals a bound lies above it. The daemon counts
what it sees in the same bins (`Vocabulary/ModelDrift.swift`).
"""

import numpy as np

from features import NAMES

SCORE_EDGES = [0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.85, 0.95]
QUANTILES = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99]


def of(features, scores):
    """The bins of a training matrix and of the model's scores of it."""
    return {
        "features": {
            name: bins(features[:, place], feature_edges(features[:, place]))
            for place, name in enumerate(NAMES)
        },
        "score": bins(scores, SCORE_EDGES),
    }


def feature_edges(values):
    """Bounds at quantiles, which are values that occur; of few different ones there are fewer."""
    found = np.unique(np.quantile(values, QUANTILES, method="lower"))
    edges = [float(edge) for edge in found if edge > values.min()]
    if edges:
        return edges
    # Nearly all are alike: a rare value gets a bin of its own, a constant an empty one.
    largest = float(values.max())
    return [largest if largest > values.min() else largest + 1]


def bins(values, edges):
    places = np.searchsorted(np.array(edges), values.astype("f8"), side="right")
    counts = np.bincount(places, minlength=len(edges) + 1)
    return {"edges": edges, "counts": [int(count) for count in counts]}
