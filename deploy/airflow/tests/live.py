"""The nightly DAG against a live daemon, a twin of Stripe and a BigQuery emulator.

    .venv-airflow/bin/python3 deploy/airflow/tests/live.py PROGRAM EMULATOR

PROGRAM is the built `tillbox`; EMULATOR is `bqemulator` of .venv-bqemu. Runs `airflow dags test`
for several dates, makes one step fail once, plants discrepancies at the twin and looks for them in
BigQuery's tables. dbt is `.venv-dbt`'s, on the emulator, or what TILLBOX_DBT_COMMAND names; where
there is neither, `true` takes its place, and this says so. Ends with 0 where everything holds;
prints what does not.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
KEY = "sk_test_airflow"
PROJECT = "tillbox-test"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def ask(method: str, url: str, body=None, headers=None):
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method, headers=headers or {})
    if not isinstance(body, bytes) and body is not None:
        request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read() or b"{}")


def until(what: str, look, seconds: float = 90):
    deadline = time.monotonic() + seconds
    while True:
        try:
            found = look()
            if found:
                return found
        except (OSError, KeyError, ValueError):
            pass
        if time.monotonic() > deadline:
            raise SystemExit(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.1)


class World:
    """The processes, and a folder that goes with them."""

    def __init__(self, program: str, emulator: str):
        self.program, self.emulator = program, emulator
        self.folder = Path(tempfile.mkdtemp(prefix="tillbox-airflow-"))
        self.children: list[subprocess.Popen] = []
        self.twin, self.admin, self.webhook = free_port(), free_port(), free_port()
        self.bigquery = free_port()
        home = self.folder / "home"
        extension = next(
            Path(emulator).resolve().parent.parent.glob(
                "lib/python*/site-packages/duckdb_extension_spatial/extensions/v1.5.5/"
                "spatial.duckdb_extension"
            )
        )
        # Where the emulator looks before it asks the internet.
        place = home / ".duckdb/extensions/v1.5.5/linux_amd64"
        place.mkdir(parents=True)
        shutil.copy(extension, place)
        self.environment = {
            **{name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ},
            "HOME": str(home),
            "TILLBOX_DATA": str(self.folder / "data"),
            "TILLBOX_PROFILE": "dev",
            "TILLBOX_ADMIN_PORT": str(self.admin),
            "TILLBOX_WEBHOOK_PORT": str(self.webhook),
            "TILLBOX_WEBHOOK_SECRET": "whsec_test",
            "TILLBOX_STRIPE_API_BASE": f"http://127.0.0.1:{self.twin}",
            "TILLBOX_STRIPE_API_KEY": KEY,
            "TILLBOX_RECONCILE_AT": "off",
            "TILLBOX_RECONCILE_GRACE_HOURS": "0",
            "TILLBOX_SWEEP_EVERY_MINUTES": "0",
            "TILLBOX_SWEEP_DELAY_SECONDS": "0",
            "TILLBOX_BIGQUERY_PROJECT": PROJECT,
            "TILLBOX_BIGQUERY_API_BASE": f"http://127.0.0.1:{self.bigquery}",
        }

    def start(self, name: str, *command: str) -> subprocess.Popen:
        with open(self.folder / f"{name}.log", "ab") as log:
            child = subprocess.Popen(
                command, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.children.append(child)
        return child

    def stop(self, child: subprocess.Popen):
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    def end(self):
        for child in reversed(self.children):
            self.stop(child)
        shutil.rmtree(self.folder, ignore_errors=True)

    # Stripe's twin

    def stripe(self, path: str, **fields):
        return ask(
            "POST",
            f"http://127.0.0.1:{self.twin}{path}",
            urllib.parse.urlencode(fields).encode(),
            {"Authorization": f"Bearer {KEY}"},
        )

    def start_twin(self):
        self.start(
            "twin", self.program, "twin", "--port", str(self.twin), "--key", KEY, "--payouts",
            "manual", "--endpoint", f"http://127.0.0.1:{self.webhook}/webhooks/stripe=whsec_test",
        )  # fmt: skip
        until("the twin listens", lambda: self.balance())

    def balance(self):
        return ask(
            "GET",
            f"http://127.0.0.1:{self.twin}/v1/balance",
            headers={"Authorization": f"Bearer {KEY}"},
        )

    def pay(self, amount: int, currency: str) -> str:
        intent = self.stripe(
            "/v1/payment_intents", amount=amount, currency=currency, confirm="true",
            payment_method="pm_card_visa", return_url="https://example.com",
        )  # fmt: skip
        return intent["latest_charge"]

    # The daemon

    def start_daemon(self):
        self.start("daemon", self.program, "run")
        until(
            "the daemon is ready",
            lambda: ask("GET", f"http://127.0.0.1:{self.admin}/readyz") or True,
        )
        made = subprocess.run(
            [self.program, "token", "add", "airflow", "--role", "admin"],
            env=self.environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        self.token = made.stdout.strip()

    def api(self, path: str):
        return ask(
            "GET",
            f"http://127.0.0.1:{self.admin}{path}",
            headers={"Authorization": f"Bearer {self.token}"},
        )

    def booked(self) -> int:
        return int(self.api("/api/v1/status")["booked"])

    # BigQuery

    def start_emulator(self):
        self.start(
            "bigquery", self.emulator, "start", "--rest-port", str(self.bigquery), "--grpc-port",
            str(free_port()), "--project", PROJECT,
        )  # fmt: skip
        base = f"http://127.0.0.1:{self.bigquery}/bigquery/v2/projects/{PROJECT}/datasets"
        until("the emulator answers", lambda: ask("GET", base) is not None)
        for dataset in ("tillbox", "stripe"):
            ask(
                "POST",
                base,
                {
                    "datasetReference": {"projectId": PROJECT, "datasetId": dataset},
                    "location": "EU",
                },
            )

    def rows(self, sql: str) -> list[list[str | None]]:
        answer = ask(
            "POST",
            f"http://127.0.0.1:{self.bigquery}/bigquery/v2/projects/{PROJECT}/queries",
            {"query": sql, "useLegacySql": False, "location": "EU"},
        )
        if answer.get("errors"):
            raise SystemExit(f"{sql}: {answer['errors']}")
        return [[value["v"] for value in row["f"]] for row in answer.get("rows", [])]

    # Airflow

    def prepare_airflow(self, airflow: str):
        self.airflow = airflow
        self.environment.update(
            AIRFLOW_HOME=str(self.folder / "airflow"),
            AIRFLOW__CORE__DAGS_FOLDER=str(HERE / "dags"),
            AIRFLOW__CORE__LOAD_EXAMPLES="False",
            AIRFLOW__CORE__PARALLELISM="2",
            AIRFLOW_CONN_TILLBOX=f"http://:{self.token}@127.0.0.1:{self.admin}",
            TILLBOX_AIRFLOW_RETRY_SECONDS="1",
            TILLBOX_COMMAND=self.program,
            TILLBOX_REPORT_DIR=str(self.folder / "reports"),
            TILLBOX_DBT_COMMAND=self.dbt(),
        )
        subprocess.run(
            [airflow, "db", "migrate"], env=self.environment, capture_output=True, check=True
        )

    def dbt(self) -> str:
        given = os.environ.get("TILLBOX_DBT_COMMAND")
        program, project = HERE.parent.parent / ".venv-dbt/bin/dbt", HERE.parent / "dbt"
        if given or not (program.exists() and (project / "dbt_project.yml").exists()):
            return given or "true"
        words = [program, "build", "--project-dir", project, "--profiles-dir", project]
        words += ["--target", "emulator", "--target-path", self.folder / "dbt"]
        return shlex.join(str(word) for word in words + ["--log-path", self.folder / "dbt-logs"])

    def night(self, due: datetime, **more: str) -> subprocess.CompletedProcess:
        """`airflow dags test` for one instant."""
        return subprocess.run(
            [self.airflow, "dags", "test", "tillbox_nightly", due.isoformat()],
            env={**self.environment, **more}, capture_output=True, text=True, timeout=600,
        )  # fmt: skip

    def report(self, day: date) -> dict:
        with open(self.folder / "reports" / f"{day}.json", encoding="utf-8") as file:
            return json.load(file)


# Two nights build the models, which takes a minute each at the emulator; the others do without.
WITHOUT_DBT = {"TILLBOX_DBT_COMMAND": "true"}


def check(holds: bool, what: str, ended: subprocess.CompletedProcess | None = None):
    print(("ok: " if holds else "NOT: ") + what, flush=True)
    if not holds:
        if ended is not None:
            print((ended.stdout + ended.stderr)[-6000:])
        raise SystemExit(1)


def fails_once(world: World) -> str:
    """A program in the place of ours whose first `warehouse load` ends with 3, as a BigQuery that
    does not answer makes it end; all else is handed on."""
    script = world.folder / "fails_once"
    mark = world.folder / "failed"
    script.write_text(
        "#!/bin/sh\n"
        f'if [ "$1" = warehouse ] && [ ! -e {mark} ]; then touch {mark}; '
        "echo 'tillbox: BigQuery does not answer' >&2; exit 3; fi\n"
        f'exec {world.program} "$@"\n'
    )
    script.chmod(0o700)
    return str(script)


def main():
    program, emulator = sys.argv[1:3]
    world = World(program, emulator)
    # Whoever ends this ends what it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        run(world, str(Path(sys.executable).parent / "airflow"))
    finally:
        world.end()


def run(world: World, airflow: str):
    world.start_twin()
    world.start_daemon()
    world.start_emulator()
    world.prepare_airflow(airflow)
    if world.environment["TILLBOX_DBT_COMMAND"] == "true":
        print("dbt is not run: there is neither .venv-dbt nor TILLBOX_DBT_COMMAND")
    for amount in (200_000, 350_000, 120_000):
        world.pay(amount, "usd")
    world.pay(9_900, "eur")
    until("four payments are booked", lambda: world.booked() >= 4)
    today = datetime.now(timezone.utc).date()
    # The night after today: its day is today, in which the twin's payments were made.
    tonight = datetime.combine(today + timedelta(days=1), datetime.min.time(), timezone.utc)

    first = world.night(tonight)
    check(first.returncode == 0, "the first night goes through", first)
    check(world.report(today)["breaks"] == [], "nothing is wrong before anything is planted")
    settled = world.rows(f"SELECT COUNT(*), SUM(amount) FROM `{PROJECT}.tillbox.settlements`")
    check(settled == [["4", "679900"]], f"the statement is in BigQuery: {settled}")
    if world.environment["TILLBOX_DBT_COMMAND"] != "true":
        built = world.rows(f"SELECT COUNT(*) FROM `{PROJECT}.tillbox_marts.mart_reconciliation`")
        check(int(built[0][0]) > 0, f"dbt has built the marts: {built}")

    plant_and_find(world, today, tonight)
    retry(world, today, tonight)
    wrong_token(world, tonight)


def plant_and_find(world: World, today: date, tonight: datetime):
    planted = world.stripe("/twin/balance_transactions", amount=4200, currency="usd")["id"]
    changed = world.pay(55_500, "usd")
    until("the fifth payment is booked", lambda: world.booked() >= 5)
    lines = ask(
        "GET",
        f"http://127.0.0.1:{world.twin}/v1/balance_transactions?source={changed}",
        headers={"Authorization": f"Bearer {KEY}"},
    )["data"]
    world.stripe(f"/twin/balance_transactions/{lines[0]['id']}/change", amount=55_400)
    # Three nights, one of them long ago, which has no payment and the same open breaks.
    for due in (tonight, tonight - timedelta(days=1), tonight - timedelta(days=30)):
        ended = world.night(due, **({} if due == tonight else WITHOUT_DBT))
        check(ended.returncode == 0, f"the night of {due.date()} goes through", ended)
    changed_line = lines[0]["id"]
    named = sorted(
        (found["kind"], found["subject"]) for found in world.report(today)["breaks"]
    )
    found = world.rows(
        "SELECT kind, subject, stripe_amount, "
        "CAST(TIMESTAMP_DIFF(CURRENT_TIMESTAMP(), occurred_at, SECOND) AS STRING) "
        f"FROM `{PROJECT}.tillbox.reconciliation_breaks` WHERE is_open ORDER BY kind, subject"
    )
    check(
        [(row[0], row[1]) for row in found]
        == named
        == [("amount_mismatch", changed_line), ("missing_in_ledger", planted)],
        f"the planted breaks are named in BigQuery, and no other: {found}",
    )
    check(
        any(row[1] == planted and row[2] == "4200" for row in found),
        "the row that no event told of is one of them, with its amount",
    )
    check(
        all(0 <= int(row[3]) < 86_400 for row in found),
        "each has an age, by the moment at which it happened",
    )


def retry(world: World, today: date, tonight: datetime):
    world.pay(77_700, "usd")
    until("the sixth payment is booked", lambda: world.booked() >= 6)
    ended = world.night(tonight, TILLBOX_COMMAND=fails_once(world), **WITHOUT_DBT)
    check(ended.returncode == 0, "a load that fails once is tried again", ended)
    said = ended.stdout + ended.stderr
    check("BigQuery does not answer" in said, "and the reason is in the log", ended)
    duplicates = world.rows(
        "SELECT COUNT(*), COUNT(DISTINCT movement) "
        f"FROM `{PROJECT}.tillbox.payments` WHERE kind = 'payment'"
    )
    check(duplicates == [["6", "6"]], f"every payment is there once: {duplicates}")
    names = [
        row[0]
        for row in world.rows(
            f"SELECT table_name FROM `{PROJECT}.tillbox.INFORMATION_SCHEMA.TABLES`"
        )
    ]
    check(
        "payments" in names and not any("__" in name for name in names),
        f"no staging table is left: {names}",
    )


def wrong_token(world: World, tonight: datetime):
    connection = f"http://:wrong@127.0.0.1:{world.admin}"
    begun = time.monotonic()
    ended = world.night(tonight, AIRFLOW_CONN_TILLBOX=connection, TILLBOX_AIRFLOW_RETRY_SECONDS="600")
    check(ended.returncode != 0, "a token that is refused fails the night", ended)
    check(time.monotonic() - begun < 600, "at once: no attempt would make it right")
    check("wrong@" not in ended.stdout + ended.stderr, "and is not in the log")


if __name__ == "__main__":
    main()
