#!/usr/bin/env python3
"""The marts from exported files alone: DuckDB, dbt, and no server.

    .venv-dbt/bin/python3 deploy/dbt/warehouse.py [--export DIR] [--database FILE] [--rows N]

Builds all ten models from what `tillbox export` wrote, runs every test of theirs, and prints the
marts. The database stays, for DuckDB and for whatever reads it. Exit codes: 0 built, 1 a model or a
test failed, 2 wrong usage, 3 cannot run.
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parent
#: What is printed of each mart, and how its rows are ordered.
MARTS = {
    "mart_revenue": (
        "Revenue by UTC day, merchant and currency",
        "day, merchant_id, currency, payments, volume, refunded, disputed, reversed, fees, net",
        "day desc, volume desc, merchant_id, currency"),
    "mart_chargebacks": (
        "Chargebacks by UTC day, merchant and currency",
        "day, merchant_id, currency, payments, opened, withdrawn, withdrawn_amount, reinstated, "
        "reinstated_amount, fees",
        "opened + withdrawn + reinstated desc, day desc, merchant_id, currency"),
    "mart_reconciliation": (
        "The ledger against Stripe's statement, by UTC day, Stripe account and currency",
        "day, stripe_account, currency, lines, matched, ledger_balance, statement_balance, "
        "open_breaks, late, unexplained_balance",
        "abs(unexplained_balance) desc, day desc, stripe_account, currency"),
}


def dbt(command, *options, export, database, target="duckdb", scratch, **environment):
    """Runs dbt on this project.

    - command: `build`, `run`, `test`, `source freshness`.
    - scratch: a folder for what dbt writes of itself.

    Returns the ended process, with all that it said.
    """
    program = Path(sys.executable).with_name("dbt")
    if not program.exists():
        raise SystemExit(f"{program} is missing: run `make setup`, and this with "
                         ".venv-dbt/bin/python3")
    return subprocess.run(
        [program, "--no-use-colors", "--no-send-anonymous-usage-stats", *command.split(),
         "--project-dir", PROJECT, "--profiles-dir", PROJECT, "--target", target,
         "--target-path", Path(scratch) / "target", "--log-path", Path(scratch) / "logs", *options],
        env={**os.environ, "TILLBOX_WAREHOUSE": str(Path(export).resolve()),
             "TILLBOX_DBT_DATABASE": str(Path(database).resolve()), "DO_NOT_TRACK": "1",
             **environment},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def table(names, rows):
    """Lines of a table: numbers to the right, words to the left."""
    cells = [[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(names, *cells)]
    numbers = [all(isinstance(row[i], int) for row in rows) for i in range(len(names))]
    for row in [names, *cells]:
        yield "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(row, widths, numbers)).rstrip()


def warned(output):
    """Each test that warned, and what it found, as dbt says it at the end."""
    named = re.finditer(r"Warning in test (\S+).*?\n.*?(Got \d+ results?)", output)
    reasons = {
        "reconciliation_is_explained":
            "of the last day, by account and currency, the ledger and the statement differ by more "
            "than the open breaks: the ledger is ahead until the next `tillbox reconcile run`",
    }
    return [(each[1], f"{each[2]}; {reasons.get(each[1], 'see its file in deploy/dbt')}")
            for each in named]


def show(database, rows_max):
    import duckdb

    with duckdb.connect(str(database), read_only=True) as marts:
        for name, (title, columns, order) in MARTS.items():
            count = marts.execute(f"select count(*) from {name}").fetchone()[0]
            found = marts.execute(
                f"select {columns} from {name} order by {order} limit {rows_max}")
            names = [column[0] for column in found.description]
            print(f"\n{title} ({name}, amounts in minor units)")
            print("\n".join(table(names, found.fetchall())) if count else "nothing yet")
            if count > rows_max:
                print(f"… and {count - rows_max:,} more: select * from {name}")


def counted(text):
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number of rows: say 1 or more")
    return int(text)


def main():
    options = argparse.ArgumentParser(
        description="Builds the marts from exported files with DuckDB, and prints them.")
    options.add_argument("--export", default="tillbox-data/warehouse", type=Path, metavar="DIR",
                         help="what `tillbox export` wrote (default: %(default)s)")
    options.add_argument("--database", default="warehouse.duckdb", type=Path, metavar="FILE",
                         help="DuckDB's file, made or built again (default: %(default)s)")
    options.add_argument("--rows", default=12, type=counted, metavar="N",
                         help="how many rows of each mart are shown (default: %(default)s)")
    given = options.parse_args()
    if not any(given.export.glob("*/dt=*/manifest.json")):
        print(f"{given.export} holds no exported table; run `tillbox export`, or name its folder "
              "with --export", file=sys.stderr)
        return 3
    if not given.database.resolve().parent.is_dir():
        print(f"the folder of {given.database} is not there; make it, or name another with "
              "--database", file=sys.stderr)
        return 3
    with tempfile.TemporaryDirectory(prefix="tillbox-dbt-") as scratch:
        built = dbt("build", export=given.export, database=given.database, scratch=scratch)
    if built.returncode != 0:
        print(built.stdout, file=sys.stderr)
        print(f"the marts in {given.database} are not to be relied on: see the failures above",
              file=sys.stderr)
        return 1 if built.returncode == 1 else 3
    done = [line for line in built.stdout.splitlines() if "Done. PASS=" in line]
    print(f"==> {given.database}: {done[-1].split('Done. ')[1] if done else 'built'}")
    for name, reason in warned(built.stdout):
        print(f"warned: {name}: {reason}")
    show(given.database, given.rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
