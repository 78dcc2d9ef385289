"""Every night: reconcile → export → load → dbt build → report (docs/AIRFLOW.md).

Each step may be done twice: reconciling books nothing twice, an export rewrites no day that is the
same, a load swaps in only what differs, dbt builds the same tables from the same rows, a report
replaces itself. So an attempt after a failure, and a night that is run again, change nothing else.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

from airflow.sdk import dag, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

# The package beside this folder, wherever both were put.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tillbox_airflow import alerts, commands, nights, reports  # noqa: E402
from tillbox_airflow.hook import TillboxHook, TillboxRefused  # noqa: E402

REPOSITORY = Path(__file__).resolve().parent.parent.parent.parent
# edge asks a running daemon; cloud runs the command, as there is no daemon that reconciles.
PLANE = os.environ.get("TILLBOX_AIRFLOW_PLANE", "edge")
RETRY_SECONDS = float(os.environ.get("TILLBOX_AIRFLOW_RETRY_SECONDS", "300"))
FIRST_NIGHT = os.environ.get("TILLBOX_AIRFLOW_FIRST_NIGHT", "2026-01-01")
DBT = commands.dbt_build(str(REPOSITORY / "deploy/dbt"))
# Of the daemon's own; the role console of the cloud plane has none.
REPORTS = ("revenue", "chargebacks", "payouts")


def tillbox() -> list[str]:
    """The program; its settings are the environment's TILLBOX_… variables."""
    return commands.words("TILLBOX_COMMAND", "tillbox")


def folder(option: str) -> list[str]:
    """Where the files are, where it is not the data folder: the cloud plane has none."""
    place = os.environ.get("TILLBOX_EXPORT_DIR")
    return [option, place] if place else []


def permanent(error: Exception) -> AirflowFailException:
    """Ends the task: another attempt would fail alike."""
    return AirflowFailException(str(error))


def the_day() -> str:
    """The UTC day that the run is about, `2026-11-26`."""
    context = get_current_context()
    run = context["dag_run"]
    day = nights.yesterday_utc(context.get("logical_date"), getattr(run, "run_after", None))
    return day.isoformat()


@task
def reconcile() -> dict:
    """Stripe's statement of the day against the ledger. Breaks are no failure: they are what the
    rest of the night brings to people."""
    day = the_day()
    if PLANE == "cloud":
        try:
            ended = commands.run(
                tillbox() + ["reconcile", "run", "--from", day, "--to", day, "--json"],
                allowed=(0, 1),
            )
            return {"day": day, "run": ended.json()["reconciliation"]}
        except commands.CommandWrong as error:
            raise permanent(error) from None
    try:
        start, end = nights.bounds(datetime.fromisoformat(day).date(), time.time())
        return {"day": day, "run": TillboxHook.from_connection().reconcile(start, end)}
    except (TillboxRefused, ValueError) as error:
        raise permanent(error) from None


@task
def export(night: dict) -> dict:
    """Every day whose rows have changed, into files."""
    try:
        commands.run(tillbox() + ["export", *folder("--out")])
    except commands.CommandWrong as error:
        raise permanent(error) from None
    return night


@task
def load(night: dict) -> dict:
    """Every day that BigQuery has not, or has otherwise: the night's, and those that a late event,
    a dispute or a resolved break has changed."""
    try:
        ended = commands.run(tillbox() + ["warehouse", "load", "--json", *folder("--folder")])
    except commands.CommandWrong as error:
        raise permanent(error) from None
    return {**night, "load": ended.json()}


@task
def dbt_build(night: dict) -> dict:
    """The models and their tests. A test that fails is no matter of waiting."""
    try:
        commands.run(commands.words("TILLBOX_DBT_COMMAND", DBT))
    except commands.CommandWrong as error:
        raise permanent(error) from None
    return night


@task
def report(night: dict) -> str:
    """The night's report as a file, and an alert where breaks are open. Returns its path."""
    day, run = night["day"], night["run"]
    try:
        if PLANE == "cloud":
            shown = commands.run(
                tillbox() + ["reconcile", "show", run["id"], "--json"], allowed=(0, 1)
            ).json()
            findings = [item for item in shown["findings"] if item["status"] == "open"]
            figures: dict = {}
        else:
            hook = TillboxHook.from_connection()
            findings = hook.findings(run["id"])
            figures = {name: hook.report(name, day) for name in REPORTS}
    except (TillboxRefused, commands.CommandWrong) as error:
        raise permanent(error) from None
    text = reports.summary(day, run, findings, night["load"])
    path = reports.write_report(
        os.environ.get("TILLBOX_REPORT_DIR", "tillbox-reports"),
        day,
        {
            "day": day,
            "run": run,
            "breaks": findings,
            "load": night["load"],
            "reports": figures,
        },
    )
    if findings:
        alerts.send(text)
    else:
        print(text)
    return path


@dag(
    dag_id="tillbox_nightly",
    schedule="30 0 * * *",
    start_date=datetime.fromisoformat(FIRST_NIGHT).replace(tzinfo=timezone.utc),
    # Off by default in Airflow 3: a night that was missed is made up for, each by itself and one
    # after the other.
    catchup=True,
    max_active_runs=1,
    default_args={
        "retries": 3,
        "retry_delay": timedelta(seconds=RETRY_SECONDS),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(hours=1),
        "execution_timeout": timedelta(hours=3),
        "on_failure_callback": alerts.failed,
    },
    tags=["tillbox"],
    doc_md=__doc__,
)
def tillbox_nightly():
    """The tasks, each handing on what the report will say."""
    report(dbt_build(load(export(reconcile()))))


tillbox_nightly()
