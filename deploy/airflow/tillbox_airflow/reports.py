"""What a person reads in the morning."""

from __future__ import annotations

import json
import os
import tempfile
from typing import Any, Mapping, Sequence

BREAKS_SHOWN = 20


def age(seconds: int) -> str:
    """A break's age in the unit that leaves one or two digits."""
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    if seconds < 172_800:
        return f"{round(seconds / 3600)} h"
    return f"{round(seconds / 86_400)} d"


def break_line(found: Mapping[str, Any]) -> str:
    """One break: what it is, about what, the amounts on both sides, how old."""

    def side(name: str) -> str:
        amount = found.get(f"{name}_amount")
        return "nothing" if amount is None else f"{amount} {found.get(f'{name}_currency')}"

    return (
        f"{found['kind']} {found['subject']}: {side('stripe')} at Stripe, {side('ledger')} in the "
        f"ledger (minor units), {age(found['age_seconds'])} old"
    )


def summary(
    day: str,
    run: Mapping[str, Any],
    findings: Sequence[Mapping[str, Any]],
    loaded: Mapping[str, Any],
) -> str:
    """The night in a few lines; the oldest breaks first."""
    days = loaded.get("loaded", [])
    rows = sum(item["rows"] for item in days)
    lines = [
        f"Tillbox, {day} (UTC): "
        + ("no open break" if not findings else f"{len(findings)} open breaks"),
        f"run {run.get('id')}: {run.get('transactions', 0)} balance transactions compared",
        f"{len(days)} days of tables with {rows} rows loaded, {loaded.get('unchanged', 0)} as "
        "they were",
    ]
    oldest = sorted(findings, key=lambda item: -item["age_seconds"])
    lines += [break_line(item) for item in oldest[:BREAKS_SHOWN]]
    if len(oldest) > BREAKS_SHOWN:
        lines.append(f"and {len(oldest) - BREAKS_SHOWN} more: tillbox reconcile show {run.get('id')}")
    return "\n".join(lines)


def write_report(folder: str, day: str, document: Mapping[str, Any]) -> str:
    """Writes the night's report, whole or not at all; a second writing replaces the first.

    Returns its path.
    """
    os.makedirs(folder, mode=0o700, exist_ok=True)
    path = os.path.join(folder, f"{day}.json")
    handle, draft = tempfile.mkstemp(dir=folder, prefix=f".{day}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(document, file, indent=1, sort_keys=True)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException:
        os.unlink(draft)
        raise
    return path
