"""A candidate's card, and the few lines that are printed when it is made."""

import pathlib
from string import Template

import dataset

HERE = pathlib.Path(__file__).parent
SIDES = ("in_use", "candidate")


def text(figures, schema, byte_count):
    template = Template((HERE / "CANDIDATE.template.md").read_text(encoding="utf-8"))
    manifest = figures["dataset"]
    return template.substitute(
        version=schema["version"], used=figures["in_use"]["version"], bytes=byte_count,
        review=schema["thresholds"]["review"], block=schema["thresholds"]["block"],
        digest=schema["training_data_sha256"], model_digest=schema["model_sha256"],
        data_digest=manifest["sha256"], as_of=dataset.day(manifest["as_of"]),
        maturity=manifest["maturity_days"], split=dataset.day(figures["split"]),
        training=figures["training"]["payments"], training_fraud=figures["training"]["fraud"],
        holdout=figures["holdout"]["payments"], holdout_fraud=figures["holdout"]["fraud"],
        labels=labels(manifest), comparison=comparison(figures), money=money(figures),
        calibration=calibration(figures), singles=singles(figures))


def labels(manifest):
    return "\n".join(f"| {source} | {count} |" for source, count in manifest["labels"].items())


def comparison(figures):
    rows = [
        ("area under the ROC curve", lambda side: f"{side['auc']:.4f}"),
        ("review from", lambda side: f"{side['thresholds']['review']}"),
        ("block from", lambda side: f"{side['thresholds']['block']}"),
        ("held (from review on)", lambda side: held(side["from_review"])),
        ("blocked", lambda side: held(side["from_block"])),
        ("sent to a person", lambda side: f"{side['reviewed']}"),
        ("honest payments blocked", lambda side: f"{side['honest_blocked']}"),
        ("Brier score", lambda side: f"{side['brier']:.5f}"),
        ("calibration error", lambda side: f"{side['calibration_error']:.4f}"),
    ]
    return "\n".join(
        f"| {name} | " + " | ".join(value(figures[side]) for side in SIDES) + " |"
        for name, value in rows)


def held(found):
    return (f"{found['payments']}: precision {found['precision']:.1%}, "
            f"recall {found['recall']:.1%}")


def money(figures):
    lines = []
    for currency in figures["candidate"]["money"]:
        for side in SIDES:
            sums = figures[side]["money"][currency]
            cost = "no fees given" if sums["cost"] is None else sums["cost"]
            lines.append(
                f"| {currency} | {figures[side]['version']} | {sums['fraud']} "
                f"| {sums['fraud_let_through']} | {sums['honest_held']} | {cost} |")
    return "\n".join(lines)


def calibration(figures):
    return "\n".join(
        f"| {bin['from']:.2f} – {bin['to']:.2f} | {bin['payments']} | {bin['score']:.3f} "
        f"| {bin['fraud']:.3f} |" for bin in figures["candidate"]["calibration"])


def singles(figures):
    block = figures["candidate"]["thresholds"]["block"]
    return "\n".join(
        f"| `{name}` | {value:.2f}{' (**blocks**)' if value >= block else ''} |"
        for name, value in figures["worst_single_change"].items())


def summary(folder, figures):
    """What a person reads on a terminal."""
    lines = [f"wrote {folder}: {figures['candidate']['version']} beside "
             f"{figures['in_use']['version']}, on {figures['holdout']['payments']} payments "
             f"from {dataset.day(figures['split'])} with {figures['holdout']['fraud']} frauds"]
    for side in SIDES:
        found = figures[side]
        costs = ", ".join(
            f"{sums['cost']} {currency}" for currency, sums in found["money"].items()
            if sums["cost"] is not None)
        lines.append(f"{found['version']}: AUC {found['auc']:.4f}, held "
                     f"{held(found['from_review'])}"
                     + (f", cost {costs} (smallest units)" if costs else ""))
    return "\n".join(lines)
