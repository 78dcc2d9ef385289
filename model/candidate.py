"""A candidate from your own payments: trained, measured against the model in use, with its card."""

import datetime
import hashlib
import json
import os
import pathlib
import shutil

import xgboost as xgb

import candidate_card
import dataset
import distribution
import evaluation
import train
from features import NAMES


def make(options):
    """Writes a candidate's folder and returns it, and the figures. Raises dataset.Refusal."""
    manifest, rows = dataset.read(options.data)
    earlier, later, split = dataset.cut(rows, options.split, options.holdout)
    used, used_schema = load(options.model)

    model = train.train(earlier.values, earlier.labels)
    model_bytes = bytes(model.save_raw("ubj"))
    schema = describe(model, model_bytes, earlier, manifest, options, used_schema)
    scores = train.predict(model, later.values)
    costs = dict(options.fees)
    figures = {
        "dataset": manifest,
        "split": split,
        "training": {"payments": len(earlier), "fraud": int(earlier.labels.sum())},
        "holdout": {"payments": len(later), "fraud": int(later.labels.sum())},
        "fees": {currency: vars(fees) for currency, fees in sorted(costs.items())},
        "candidate": side(schema, later, scores, costs),
        "in_use": side(used_schema, later, train.predict(used, later.values), costs),
        "worst_single_change": {
            name: round(value, 6) for name, value in
            train.worst_single_changes(model, later.values, later.labels).items()},
    }
    texts = {
        "schema.json": train.schema_text(schema),
        "golden.csv": train.golden_csv(model, later.values, scores),
        "evaluation.json": json.dumps(figures, indent=2) + "\n",
        "CARD.md": candidate_card.text(figures, schema, len(model_bytes)),
    }
    return keep(options.out, schema["version"], model_bytes, texts), figures


def describe(model, model_bytes, earlier, manifest, options, used_schema):
    """What the candidate's `schema.json` says. Raises dataset.Refusal for thresholds that are none.

    A threshold that the options do not name is that of the model in use.
    """
    used = used_schema["thresholds"]
    review = used["review"] if options.review is None else options.review
    block = used["block"] if options.block is None else options.block
    if not 0 < review <= block <= 1:
        raise dataset.Refusal(f"the thresholds are {review} and {block}: they must satisfy "
                              "0 < --review ≤ --block ≤ 1")
    sha256 = hashlib.sha256(model_bytes).hexdigest()
    as_of = datetime.datetime.fromtimestamp(manifest["as_of"], datetime.timezone.utc)
    return {
        "version": options.version or f"candidate-{as_of:%Y-%m-%d}-{sha256[:8]}",
        "features": NAMES,
        "thresholds": {"review": review, "block": block},
        "training_data_sha256": hashlib.sha256(
            earlier.values.tobytes() + earlier.labels.tobytes()).hexdigest(),
        "model_sha256": sha256,
        "training_distribution": distribution.of(
            earlier.values, train.predict(model, earlier.values)),
    }


def side(schema, later, scores, costs):
    """The figures of one of the two models, by its scores of the later payments."""
    thresholds = tuple(schema["thresholds"][name] for name in ("review", "block"))
    return {
        "version": schema["version"], **evaluation.measure(later, scores, thresholds, costs)}


def load(place):
    """The model in use and its schema: a fraud.ubj or its folder."""
    path = pathlib.Path(place)
    path = path / "fraud.ubj" if path.is_dir() else path
    try:
        model_bytes = path.read_bytes()
        schema = json.loads((path.parent / "schema.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise dataset.Refusal(f"the model in use cannot be read ({error}): name its fraud.ubj "
                              "with --model")
    if schema.get("features") != NAMES \
            or schema.get("model_sha256") != hashlib.sha256(model_bytes).hexdigest():
        raise dataset.Refusal(f"{path} and the schema.json beside it do not belong together: "
                              "name another --model")
    booster = xgb.Booster({"nthread": 1})
    booster.load_model(bytearray(model_bytes))
    return booster, schema


def keep(out, version, model_bytes, texts):
    """Writes the files into a folder that is there as a whole or not at all."""
    if not version or version != os.path.basename(version) or version.startswith("."):
        raise dataset.Refusal(f"--version {version!r} cannot name a folder; take letters, digits, "
                              "dots and dashes")
    folder = out / version
    if folder.exists():
        raise dataset.Refusal(f"{folder} is there already: remove it, or name another --version")
    draft = out / f".{version}.part-{os.getpid()}"
    try:
        draft.mkdir(parents=True)
        (draft / "fraud.ubj").write_bytes(model_bytes)
        for name, text in texts.items():
            (draft / name).write_text(text, encoding="utf-8")
        draft.rename(folder)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise dataset.Refusal(f"{folder} could not be written ({error}): choose another --out")
    return folder
