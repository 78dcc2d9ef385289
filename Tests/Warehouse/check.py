#!/usr/bin/env python3
"""The dbt models, run for real: on DuckDB from files, and on a BigQuery that runs here.

    .venv-dbt/bin/python3 Tests/Warehouse/check.py [--no-emulator]
    .venv-dbt/bin/python3 Tests/Warehouse/check.py --export DIR [--ledger FILE] [--reports DIR]

Without --export: a made world (world.py) is built on both, and every mart has to say what happened
in it; once more in another time zone; damaged files have to fail the tests that are there for them;
and stale exports are told. With --export: what a daemon exported is built on both, and the marts
have to equal its ledger (`ledger.sqlite`) and its reports (`revenue.json`, `chargebacks.json` of
`/api/v1/reports`), to the cent.

Exit code 0 when all of it held; else 1, with a line for each thing that did not.
"""
import argparse
import json
import shutil
import sqlite3
import sys
import tempfile
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy/dbt"), str(Path(__file__).parent)]

from emulator import Emulator  # noqa: E402
from warehouse import dbt  # noqa: E402
from world import TABLES, World, write_day  # noqa: E402

MODELS = ("stg_payments", "stg_ledger_entries", "stg_settlements", "dim_date", "dim_merchant",
          "fct_payments", "fct_ledger_movements", "mart_revenue", "mart_chargebacks",
          "mart_reconciliation")
MARTS_DATASET = "tillbox_marts"


class Check:
    """What did not hold, in sentences."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.failures = []

    def expect(self, holds, sentence):
        if not holds:
            self.failures.append(sentence)
            print(f"FAILED: {sentence}", flush=True)

    def same(self, what, found, expected):
        """Two dictionaries; says the first few keys that differ."""
        keys = [key for key in {**expected, **found} if found.get(key) != expected.get(key)]
        told = "; ".join(f"{key}: {found.get(key)}, not {expected.get(key)}" for key in keys[:3])
        self.expect(not keys, f"{what}: {len(keys)} differ: {told}")

    def dbt(self, command, *options, database="marts.duckdb", export="export", **more):
        return dbt(command, *options, database=self.folder / database, export=self.folder / export,
                   scratch=self.folder / f"scratch-{more.get('target', 'duckdb')}", **more)

    def built(self, what, ran):
        self.expect(ran.returncode == 0, f"{what} does not build: {ran.stdout[-3000:]}")
        return ran.returncode == 0


def plain(value):
    """A value as both engines have it: whole numbers, UTC moments, and days."""
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).replace(tzinfo=None) if value.tzinfo else value
    return value


def duckdb_rows(database):
    """All ten models: names of columns, and rows in an order of their own."""
    import duckdb

    with duckdb.connect(str(database), read_only=True) as marts:
        marts.execute("set TimeZone = 'UTC'")
        found = {}
        for name in MODELS:
            rows = marts.execute(f"select * from {name}")
            found[name] = table([column[0] for column in rows.description], rows.fetchall())
        return found


def bigquery_rows(client):
    found = {}
    for name in MODELS:
        rows = client.query(f"select * from `{MARTS_DATASET}`.`{name}`").result()
        found[name] = table([field.name for field in rows.schema], [tuple(row) for row in rows])
    return found


def table(names, rows):
    return [dict(zip(names, map(plain, row))) for row in sorted(rows, key=repr)]


def as_set(rows):
    return sorted(repr(sorted(row.items())) for row in rows)


# The made world

def of_world(check, world, found):
    """What the marts say, against what happened."""
    def mart(name, place, words):
        return {tuple(str(row[column]) for column in place):
                {word: row[word] for word in words} for row in found[name]}

    words = ("payments", "volume", "refunded", "disputed", "reversed", "fees")
    check.same("mart_revenue", mart("mart_revenue", ("day", "merchant_id", "currency"), (
        *words, "net")), {
            place: {**{word: sums[word] for word in words},
                    "net": sums["volume"] - sum(sums[word] for word in words[2:])}
            for place, sums in world.expected_revenue.items()})
    words = ("payments", "opened", "opened_amount", "inquiries", "won", "lost", "withdrawn",
             "withdrawn_amount", "reinstated", "reinstated_amount", "fees")
    check.same("mart_chargebacks", mart("mart_chargebacks", ("day", "merchant_id", "currency"),
                                        words),
               {place: {word: sums[word] for word in words}
                for place, sums in world.expected_chargebacks.items()})
    words = ("movements", "lines", "matched", "ledger_change", "statement_change",
             "statement_fees", "explained", "breaks", "open_breaks", "late")
    check.same("mart_reconciliation",
               mart("mart_reconciliation", ("day", "stripe_account", "currency"), words),
               {place: {word: sums[word] for word in words}
                for place, sums in world.expected_reconciliation.items()})
    last = {}
    for row in sorted(found["mart_reconciliation"], key=lambda row: row["day"]):
        last[row["stripe_account"], row["currency"]] = row["unexplained_balance"]
    check.same("unexplained at the end", last, dict.fromkeys(last, 0))
    payments = {row["payment"]: row for row in found["fct_payments"]}
    check.same("fct_payments", {
        key: {word: payments[key][word] for word in truth} if key in payments else None
        for key, truth in world.expected_payments.items()}, world.expected_payments)
    check.expect(len(payments) == len(world.expected_payments), "fct_payments has other payments")
    check.same("fct_ledger_movements", {
        (row["transaction_id"], row["currency"]):
            (row["payment"], row["merchant_id"], row["moved"], row["fees"])
        for row in found["fct_ledger_movements"]}, world.expected_movements)
    days = [row["day"] for row in found["dim_date"]]
    first, last = min(days), max(days)
    check.expect(sorted(days) == [first + timedelta(n) for n in range((last - first).days + 1)],
                 f"dim_date has gaps: {sorted(days)}")
    check.expect(date(2024, 2, 29) in days, "dim_date lacks the leap day")


def damaged(check, world):
    """Every damage has a test that finds it."""
    entries = world.rows["ledger_entries"]
    world.rows["ledger_entries"] = [
        {**entries[0], "amount": entries[0]["amount"] + 1}, entries[0],
        # Without one transaction, and all that belongs to it.
        *(entry for entry in entries[1:] if entry["transaction_id"] != 2),
        {**entries[-1], "seq": 99, "dt": "2024-02-27", "account_class": "fees", "kind": "gift"}]
    world.rows["settlements"][0]["net"] += 1
    world.rows["settlements"][1]["transaction_id"] = 10**9
    world.rows["payments"][0]["merchant"] = None
    world.rows["payments"][1]["movement"] = world.rows["payments"][0]["movement"]
    world.rows["reviews"].append(world.rows["reviews"][0])
    world.write(check.folder / "damaged")
    # Written after the manifest: a row that it does not count.
    file = next((check.folder / "damaged").glob("settlements/dt=*/settlements.ndjson"))
    file.write_text(file.read_text() + file.read_text().splitlines()[0] + "\n")
    manifest = next((check.folder / "damaged").glob("reviews/dt=*/manifest.json"))
    told = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**told, "schema_version": told["schema_version"] + 1}))
    more = {"export": "damaged", "database": "damaged.duckdb"}
    check.built("the damaged export", check.dbt("run", **more))
    said = check.dbt("test", "--exclude", "test_type:unit", **more).stdout
    for test in ("unique_stg_ledger_entries_entry_id", "stg_ledger_entries_balance",
                 "is_utc_day_of_stg_ledger_entries_effective_on",
                 "stg_ledger_entries_classes_agree_with_names",
                 "accepted_values_stg_ledger_entries_kind", "stg_settlements_net_is_gross_less_fee",
                 "relationships_stg_settlements_transaction_id", "stg_payments_required",
                 "unique_stg_payments_payment", "source_unique_tillbox_reviews_id",
                 "every_row_of_the_files_arrived", "every_amount_of_the_files_arrived",
                 "fct_payments_booked_as_told", "no_transaction_is_missing",
                 "files_are_of_this_schema"):
        failed = any(test in line and (" FAIL " in line or " ERROR " in line)
                     for line in said.splitlines())
        check.expect(failed, f"{test} finds nothing in a damaged export")


def fresh(check, world):
    """An export of years ago is stale, and one of now is not."""
    ran = check.dbt("source freshness")
    check.expect(ran.returncode == 1, "a stale export is not told")
    for source in ("tillbox.payments", "tillbox.ledger_entries", "export.manifests"):
        check.expect(any("ERROR STALE" in line and source in line
                         for line in ran.stdout.splitlines()), f"{source} is not told as stale")
    shutil.copytree(check.folder / "export", check.folder / "fresh")
    now = datetime.now(timezone.utc)
    text, today = now.strftime("%Y-%m-%dT%H:%M:%SZ"), now.strftime("%Y-%m-%d")
    for name, moment in (("payments", "received_at"), ("ledger_entries", "posted_at")):
        row = {**world.rows[name][0], "dt": today, moment: text}
        write_day(check.folder / "fresh", name, today, [row], text)
    ran = check.dbt("source freshness", export="fresh", database="fresh.duckdb")
    check.expect(ran.returncode == 0, f"a fresh export is told as stale: {ran.stdout[-1500:]}")


def described(check):
    """Models and sources as dbt has read them, by name."""
    manifest = json.loads((check.folder / "scratch-duckdb/target/manifest.json").read_text())
    return {node["name"]: node for node in
            [*manifest["nodes"].values(), *manifest["sources"].values()]
            if node["resource_type"] in ("model", "source")}


def documented(check, found):
    """Every column of every model has words, and the sources are those of the schema."""
    nodes = described(check)
    check.expect(sorted(name for name, node in nodes.items() if node["resource_type"] == "model")
                 == sorted(MODELS), "there are other models than the ten")
    for name in MODELS:
        told = nodes[name]["columns"]
        check.expect(bool(nodes[name]["description"]), f"{name} has no description")
        if found[name]:
            check.expect(list(found[name][0]) == list(told), f"{name}: the columns that are told "
                         f"are not those that are there: {list(told)}, {list(found[name][0])}")
        for column in told.values():
            check.expect(bool(column["description"]), f"{name}.{column['name']} has no words")
    schema = json.loads((ROOT / "deploy/warehouse/schema.json").read_text())["tables"]
    for name in TABLES:
        check.same(f"the source {name} against deploy/warehouse/schema.json", {
            column["name"]: (column["data_type"].upper(), column["description"])
            for column in nodes[name]["columns"].values()}, {
            column["name"]: (column["type"], column["description"])
            for column in schema[name]["columns"]})


# Both

def on_duckdb(check):
    if not check.built("the export", check.dbt("build")):
        return None
    found = duckdb_rows(check.folder / "marts.duckdb")
    documented(check, found)
    # Where days are cut by the session's zone, one on the other side of the date line shows it.
    check.built("in another time zone", check.dbt(
        "run", database="zone.duckdb", TILLBOX_DBT_TIME_ZONE="Pacific/Kiritimati",
        TZ="Pacific/Kiritimati"))
    zone = duckdb_rows(check.folder / "zone.duckdb")
    for name in MODELS:
        check.expect(as_set(zone[name]) == as_set(found[name]),
                     f"{name} is another where the session is in another time zone")
    return found


def on_bigquery(check):
    place = check.folder / "emulator"
    place.mkdir()
    with Emulator(place) as emulator:
        emulator.load(check.folder / "export", TABLES)
        if not check.built("on BigQuery", check.dbt(
                "build", target="emulator", TILLBOX_BIGQUERY_API_BASE=emulator.base)):
            return None
        return bigquery_rows(emulator.client())


def alike(check, found, there):
    for name in MODELS:
        one, other = as_set(found[name]), as_set(there[name])
        differs = [pair for pair in zip(one, other) if pair[0] != pair[1]][:1]
        check.expect(one == other, f"{name} is another on BigQuery: {len(one)} and {len(other)} "
                     f"rows; {differs}")


# What a daemon exported

def of_ledger(check, file, found):
    """The last balances of the mart, against the balances that the ledger keeps."""
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as ledger:
        kept = {(name.removeprefix("processor:stripe").removeprefix(":") or "(platform)", currency):
                balance for name, currency, balance in ledger.execute(
                    "SELECT name, currency, balance FROM accounts WHERE name LIKE 'processor:%'")}
    last = {}
    for row in sorted(found["mart_reconciliation"], key=lambda row: row["day"]):
        last[row["stripe_account"], row["currency"]] = row["ledger_balance"]
    check.expect(bool(kept), f"{file} has no balance of Stripe's")
    check.same("the ledger's balances", {key: last.get(key, 0) for key in {**kept, **last}},
               {key: kept.get(key, 0) for key in {**kept, **last}})


def of_reports(check, folder, found):
    """The marts by day and currency, against the daemon's own reports."""
    for report, words in (
            ("revenue", ("payments", "volume", "refunded", "disputed", "reversed", "fees", "net")),
            ("chargebacks", ("opened", "withdrawn", "withdrawn_amount", "reinstated",
                             "reinstated_amount"))):
        told = {(line["day"], line["currency"]): tuple(line[word] for word in words)
                for line in json.loads((folder / f"{report}.json").read_text())["days"]}
        sums = defaultdict(lambda: (0,) * len(words))
        for row in found[f"mart_{report}"]:
            place = (str(row["day"]), row["currency"])
            sums[place] = tuple(a + row[word] for a, word in zip(sums[place], words))
        check.expect(any(map(any, told.values())), f"the report {report} is empty")
        check.same(f"the report {report}", {key: sums[key] for key in told | sums},
                   {key: told.get(key, (0,) * len(words)) for key in told | sums})


def main():
    options = argparse.ArgumentParser(description="Runs the dbt models on DuckDB and BigQuery.")
    options.add_argument("--export", type=Path, help="what a daemon exported")
    options.add_argument("--ledger", type=Path, help="the ledger.sqlite that was exported")
    options.add_argument("--reports", type=Path, help="a folder with its reports as JSON")
    options.add_argument("--no-emulator", action="store_true", help="on DuckDB alone")
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="tillbox-warehouse-") as folder:
        check, world = Check(folder), None
        if given.export:
            (check.folder / "export").symlink_to(given.export.resolve(), target_is_directory=True)
        else:
            world = World()
            world.write(check.folder / "export")
        with ThreadPoolExecutor() as beside:
            # Most of the time each of the two keeps one core busy.
            bigquery = None if given.no_emulator else beside.submit(on_bigquery, check)
            found = on_duckdb(check)
            if found and world:
                of_world(check, world, found)
                fresh(check, world)
                damaged(check, world)
            if found and given.ledger:
                of_ledger(check, given.ledger, found)
            if found and given.reports:
                of_reports(check, given.reports, found)
            there = bigquery.result() if bigquery else None
        if found and there:
            alike(check, found, there)
    rows = sum(map(len, found.values())) if found else 0
    print(f"{len(check.failures)} failures; {rows} rows in ten models")
    return 1 if check.failures else 0


if __name__ == "__main__":
    sys.exit(main())
