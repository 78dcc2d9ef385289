"""The DAG's pieces without Airflow: python3 -m unittest discover -s deploy/airflow/tests."""

import http.server
import json
import os
import shlex
import sys
import tempfile
import threading
import unittest
import unittest.mock
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tillbox_airflow import alerts, commands, nights, reports  # noqa: E402
from tillbox_airflow.hook import (  # noqa: E402
    TillboxHook,
    TillboxRefused,
    TillboxUnavailable,
)

UTC = timezone.utc


class Nights(unittest.TestCase):
    def test_the_scheduled_instant_decides(self):
        due = datetime(2026, 3, 1, 0, 30, tzinfo=UTC)
        late = datetime(2026, 3, 9, 12, 0, tzinfo=UTC)
        self.assertEqual(nights.yesterday_utc(due, late), date(2026, 2, 28))

    def test_a_manual_run_stands_for_when_it_may_begin(self):
        self.assertEqual(
            nights.yesterday_utc(None, datetime(2027, 1, 1, 0, 0, tzinfo=UTC)), date(2026, 12, 31)
        )

    def test_other_zones_are_brought_to_utc(self):
        # Half past one in Berlin's summer is still the day before in UTC.
        berlin = timezone(timedelta(hours=2))
        moment = datetime(2026, 7, 2, 1, 30, tzinfo=berlin)
        self.assertEqual(nights.yesterday_utc(moment, None), date(2026, 6, 30))
        kiritimati = timezone(timedelta(hours=14))
        self.assertEqual(
            nights.yesterday_utc(datetime(2026, 7, 2, 14, 0, tzinfo=kiritimati), None),
            date(2026, 7, 1),
        )

    def test_every_hour_of_a_leap_year(self):
        hour = datetime(2028, 1, 1, tzinfo=UTC)
        while hour.year == 2028:
            start, end = nights.bounds(nights.yesterday_utc(hour, None), hour.timestamp())
            self.assertEqual(end - start, 86_400)
            self.assertLessEqual(end, hour.timestamp())
            self.assertGreater(end, hour.timestamp() - 86_400)
            hour += timedelta(hours=1)

    def test_a_day_that_is_not_over_ends_now(self):
        day = date(2026, 11, 27)
        noon = datetime(2026, 11, 27, 12, tzinfo=UTC).timestamp()
        self.assertEqual(nights.bounds(day, noon), (int(noon) - 43_200, int(noon)))
        with self.assertRaises(ValueError):
            nights.bounds(day, noon - 43_200)

    def test_what_cannot_be_known_is_not_guessed(self):
        with self.assertRaises(ValueError):
            nights.yesterday_utc(None, None)
        with self.assertRaises(ValueError):
            nights.yesterday_utc(datetime(2026, 3, 1), None)


class Daemon(http.server.BaseHTTPRequestHandler):
    """Answers what the test has put there, in its order."""

    def do_GET(self):
        self.answer()

    def do_POST(self):
        self.answer()

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append(
            (self.command, self.path, self.headers.get("Authorization"), body)
        )
        status, document = self.server.answers.pop(0)
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


class Hook(unittest.TestCase):
    def setUp(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Daemon)
        self.server.asked, self.server.answers = [], []
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.slept = []
        self.hook = TillboxHook(
            f"http://127.0.0.1:{self.server.server_port}", "secret", sleep=self.slept.append
        )

    def answers(self, *answers):
        self.server.answers += answers

    def test_a_run_is_followed_to_its_end(self):
        def run(state):
            return {"reconciliation": {"id": "7", "state": state}, "findings": [], "next": None}

        self.answers((202, {"id": "7"}), (200, run("reading")), (200, run("finished")))
        self.assertEqual(self.hook.reconcile(100, 200)["id"], "7")
        method, path, token, body = self.server.asked[0]
        self.assertEqual((method, path), ("POST", "/api/v1/reconciliations"))
        self.assertEqual(token, "Bearer secret")
        self.assertEqual(json.loads(body), {"from": 100, "to": 200})
        self.assertEqual(len(self.slept), 1)

    def test_a_failed_run_and_one_without_end_are_worth_another_attempt(self):
        failed = {"reconciliation": {"state": "failed", "failure": "Stripe answers 500"}}
        self.answers((202, {"id": "7"}), (200, failed))
        with self.assertRaisesRegex(TillboxUnavailable, "Stripe answers 500"):
            self.hook.reconcile(100, 200)
        going = {"reconciliation": {"state": "reading"}}
        times = iter([0.0, 10.0, 20.0])
        hook = TillboxHook(
            self.hook.base, "t", sleep=lambda _: None, clock=lambda: next(times)
        )
        self.answers((202, {"id": "8"}), (200, going), (200, going))
        with self.assertRaisesRegex(TillboxUnavailable, "not ended after 15 s"):
            hook.reconcile(100, 200, seconds_max=15)

    def test_all_pages_of_findings_and_only_the_open_ones(self):
        def page(findings, after):
            return {"reconciliation": {}, "findings": findings, "next": after}

        first = {"status": "open", "subject": "txn_1"}
        self.answers(
            (200, page([first, {"status": "resolved"}], "2")),
            (200, page([{"status": "open", "subject": "txn_2"}], None)),
        )
        found = self.hook.findings("7")
        self.assertEqual([item["subject"] for item in found], ["txn_1", "txn_2"])
        self.assertIn("after=2", self.server.asked[1][1])

    def test_what_is_worth_another_attempt(self):
        for status in (409, 429, 500, 503):
            self.answers((status, {"detail": "a run goes on"}))
            with self.assertRaisesRegex(TillboxUnavailable, f"{status} a run goes on"):
                self.hook.get("/api/v1/status")
        for status in (400, 401, 403, 404):
            self.answers((status, {"detail": "no"}))
            with self.assertRaisesRegex(TillboxRefused, f"{status} no"):
                self.hook.get("/api/v1/status")

    def test_a_redirection_is_not_followed_with_the_token(self):
        self.answers((302, {"detail": "elsewhere"}), (200, {}))
        with unittest.mock.patch.object(
            Daemon, "end_headers", lambda it: (
                it.send_header("Location", "/elsewhere"),
                http.server.BaseHTTPRequestHandler.end_headers(it),
            )
        ), self.assertRaisesRegex(TillboxRefused, "302 elsewhere"):
            self.hook.get("/api/v1/status")
        self.assertEqual(len(self.server.asked), 1)

    def test_nobody_listens(self):
        gone = TillboxHook("http://127.0.0.1:1", "secret")
        with self.assertRaises(TillboxUnavailable) as caught:
            gone.get("/api/v1/status")
        self.assertNotIn("secret", str(caught.exception))
        self.assertNotIn("secret", repr(gone))


class Commands(unittest.TestCase):
    def ending(self, code, said=""):
        return [sys.executable, "-c", f"import sys; print({said!r}); sys.exit({code})"]

    def test_exit_codes(self):
        self.assertEqual(commands.run(self.ending(0, '{"a": 1}')).json(), {"a": 1})
        self.assertEqual(commands.run(self.ending(1), allowed=(0, 1)).code, 1)
        for code in (1, 2):
            with self.assertRaisesRegex(commands.CommandWrong, f"ended with {code}"):
                commands.run(self.ending(code))
        with self.assertRaisesRegex(commands.CommandRetry, "ended with 3: busy"):
            commands.run(self.ending(3, "busy"))

    def test_the_models_are_built_from_what_the_load_fills(self):
        def built(**given):
            kept = {
                name: value
                for name, value in os.environ.items()
                if not name.startswith("TILLBOX_BIGQUERY_")
            }
            with unittest.mock.patch.dict(os.environ, {**kept, **given}, clear=True):
                return shlex.split(commands.dbt_build("/a b/dbt"))

        words = built()
        self.assertEqual(words[:4], ["dbt", "build", "--project-dir", "/a b/dbt"])
        self.assertEqual(
            json.loads(words[words.index("--vars") + 1]),
            {"tillbox_schema": "tillbox", "stripe_schema": "stripe"},
        )
        words = built(TILLBOX_BIGQUERY_DATASET="own", TILLBOX_BIGQUERY_STRIPE_DATASET="theirs")
        self.assertEqual(
            json.loads(words[-1]), {"tillbox_schema": "own", "stripe_schema": "theirs"}
        )

    def test_what_does_not_end_and_what_is_not_there(self):
        with self.assertRaises(commands.CommandRetry):
            commands.run([sys.executable, "-c", "input() if 0 else __import__('time').sleep(60)"],
                         seconds_max=0.2)
        with self.assertRaises(commands.CommandWrong):
            commands.run(["/no/such/program"])

    def test_the_words_of_a_variable(self):
        os.environ["TILLBOX_TEST_WORDS"] = "a 'b c' d"
        self.addCleanup(os.environ.pop, "TILLBOX_TEST_WORDS")
        self.assertEqual(commands.words("TILLBOX_TEST_WORDS", "x"), ["a", "b c", "d"])
        self.assertEqual(commands.words("TILLBOX_TEST_OTHER", "x y"), ["x", "y"])


class Reports(unittest.TestCase):
    FOUND = {
        "kind": "missing_in_ledger", "subject": "txn_1", "status": "open",
        "stripe_amount": 4200, "stripe_currency": "usd", "ledger_amount": None,
        "ledger_currency": None, "age_seconds": 90_000,
    }

    def test_breaks_are_named_and_aged_the_oldest_first(self):
        older = {**self.FOUND, "subject": "txn_0", "age_seconds": 400_000}
        text = reports.summary(
            "2026-11-26", {"id": "3", "transactions": 10}, [self.FOUND, older],
            {"loaded": [{"rows": 5}], "unchanged": 2},
        )
        lines = text.splitlines()
        self.assertEqual(lines[0], "Tillbox, 2026-11-26 (UTC): 2 open breaks")
        self.assertTrue(lines[3].startswith("missing_in_ledger txn_0"))
        self.assertIn(
            "missing_in_ledger txn_1: 4200 usd at Stripe, nothing in the ledger "
            "(minor units), 25 h old",
            lines[4],
        )

    def test_ages(self):
        self.assertEqual(
            [reports.age(seconds) for seconds in (59, 5399, 5400, 172_799, 172_800)],
            ["1 min", "90 min", "2 h", "48 h", "2 d"],
        )

    def test_a_report_replaces_itself_and_leaves_no_draft(self):
        with tempfile.TemporaryDirectory() as folder:
            reports.write_report(folder, "2026-11-26", {"a": 1})
            path = reports.write_report(folder, "2026-11-26", {"a": 2})
            self.assertEqual(os.listdir(folder), ["2026-11-26.json"])
            with open(path, encoding="utf-8") as file:
                self.assertEqual(json.load(file), {"a": 2})
            with self.assertRaises(TypeError):
                reports.write_report(folder, "2026-11-26", {"a": object()})
            with open(path, encoding="utf-8") as file:
                self.assertEqual(json.load(file), {"a": 2})
            self.assertEqual(os.listdir(folder), ["2026-11-26.json"])


class Alerts(unittest.TestCase):
    def test_an_alert_that_cannot_be_sent_fails_nothing(self):
        os.environ[alerts.ALERT_URL] = "http://127.0.0.1:1/secret"
        self.addCleanup(os.environ.pop, alerts.ALERT_URL)
        self.assertFalse(alerts.send("text"))
        alerts.failed({"exception": ValueError("x")})

    def test_an_alert_is_sent(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Daemon)
        server.asked, server.answers = [], [(200, {})]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        os.environ[alerts.ALERT_URL] = f"http://127.0.0.1:{server.server_port}/room"
        self.addCleanup(os.environ.pop, alerts.ALERT_URL)
        self.assertTrue(alerts.send("hello"))
        self.assertEqual(json.loads(server.asked[0][3]), {"text": "hello"})


if __name__ == "__main__":
    unittest.main()
