"""The program itself, with the settings that deploy/gcp gives it: it takes them, and names each
that is left out. Its servers are addresses where nobody listens. TILLBOX names the binary.
"""
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from module import worked_out
from test_module import REQUIRED

TILLBOX = os.environ.get("TILLBOX")
#: As Google's secrets would be.
SECRETS = {
    "TILLBOX_WEBHOOK_SECRET": "whsec_" + "a" * 32, "TILLBOX_REDIS_URL": "rediss://:p@127.0.0.1:1",
    "TILLBOX_ADMIN_TOKEN": "t" * 43, "PGPASSWORD": "p", "TILLBOX_STRIPE_API_KEY": "rk_live_" + "a" * 30,
}
#: Programs that stay and say in /readyz what is in their way; the others need a server at once.
STAY = {"webhook", "score", "ledger"}
#: What a program says that has taken all its settings and finds no server.
NO_SERVER = r"cannot connect to Postgres|Kafka did not answer|cannot reach Kafka|Kafka cannot be"
#: The setting that a sentence names where a variable is left out. (Stripe's key is
#: asked for behind a ledger.)
NAMED = {
    "TILLBOX_KAFKA_BOOTSTRAP": "kafka.bootstrap", "TILLBOX_REDIS_URL": "redis.url",
    "TILLBOX_POSTGRES_URL": "postgres.url", "TILLBOX_WEBHOOK_SECRET": "webhook.secret",
    "TILLBOX_ADMIN_BEHIND_PROXY": "admin.behind_proxy",
    "TILLBOX_BIGQUERY_PROJECT": "bigquery.project",
}
#: Asked for once Kafka has answered.
LATER = {("redrive", "TILLBOX_POSTGRES_URL")}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@unittest.skipUnless(TILLBOX, "TILLBOX names no binary")
class Starts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.place = tempfile.TemporaryDirectory(prefix="tillbox-gcp-")
        cls.authority = Path(cls.place.name, "ca.pem")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=here",
             "-days", "1", "-keyout", Path(cls.place.name, "key.pem"), "-out", cls.authority],
            check=True, capture_output=True)

    @classmethod
    def tearDownClass(cls):
        cls.place.cleanup()

    def environment(self, name):
        tables = worked_out()
        given = {"PATH": os.environ["PATH"], **tables["plain"][name]}
        given |= {variable: SECRETS[variable] for variable in tables["programs"][name]["secrets"]}
        given |= {"TILLBOX_KAFKA_BOOTSTRAP": "127.0.0.1:1", "TILLBOX_ADMIN_PORT": str(free_port())}
        # Cloud Run says this to what it sends requests to.
        given["PORT"] = str(free_port())
        return {
            variable: re.sub(r"/etc/tillbox/[a-z-]+/ca\.pem", str(self.authority), value)
            .replace(":5432/", ":1/") for variable, value in given.items()}

    def run_once(self, name, environment):
        """Until it answers /healthz (then it is stopped) or ends: (it answered, code, words)."""
        child = subprocess.Popen(
            [TILLBOX, *worked_out()["programs"][name]["words"]], env=environment,
            cwd=self.place.name, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        answered, end = False, time.monotonic() + 60
        port = environment["PORT" if name == "webhook" else "TILLBOX_ADMIN_PORT"]
        while child.poll() is None and not answered and time.monotonic() < end:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as one:
                    answered = one.status == 200
                self.be_scraped(environment["TILLBOX_ADMIN_PORT"])
            except OSError:
                time.sleep(0.1)
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
        try:
            words = child.communicate(timeout=15)[0]
        except subprocess.TimeoutExpired:
            child.kill()
            words = child.communicate()[0]
        return answered, child.returncode, words

    def be_scraped(self, port):
        """Asks as Google's collector does, which calls the role beside it 0.0.0.0."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/metrics", headers={"Host": f"0.0.0.0:{port}"})
        with urllib.request.urlopen(request, timeout=5) as answer:
            self.assertIn(b"tillbox_ready", answer.read())

    def test_settings_are_taken(self):
        names = [name for name in REQUIRED if name != "features"]
        with ThreadPoolExecutor(4) as pool:
            for name, (answered, code, words) in zip(names, pool.map(
                    lambda name: self.run_once(name, self.environment(name)), names)):
                if name in STAY:
                    self.assertTrue(answered and code == 0, f"{name}: {code}: {words}")
                else:
                    self.assertEqual(code, 3, f"{name}: {words}")
                    self.assertRegex(words.strip().splitlines()[-1], NO_SERVER, name)
                self.assertNotIn("within two letters", words, name)

    def test_each_that_is_required_is_asked_for(self):
        cases = [(name, variable) for name, variables in REQUIRED.items()
                 for variable in sorted(variables)
                 if variable in NAMED and (name, variable) not in LATER]

        def without(case):
            name, variable = case
            environment = self.environment(name)
            del environment[variable]
            return self.run_once(name, environment)

        with ThreadPoolExecutor(4) as pool:
            for (name, variable), (answered, code, words) in zip(cases, pool.map(without, cases)):
                self.assertFalse(answered, f"{name} answers without {variable}")
                # What goes on running ends with a code of its own over such a mistake.
                goes_on = worked_out()["programs"][name]["words"][0] == "run"
                self.assertEqual(
                    code, 78 if goes_on else 3, f"{name} without {variable}: {words}")
                self.assertTrue(NAMED[variable] in words or variable in words,
                                f"{name} without {variable}: {words}")


if __name__ == "__main__":
    unittest.main()
