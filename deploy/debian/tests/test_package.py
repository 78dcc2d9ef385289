"""The life of the package on a fresh Debian 12: installed, asked its questions, started, paid
through, upgraded under load, gone back from, backed up and restored, refused where it would not
know the data, removed, purged. Run it as root by `make deb-test`.

    TILLBOX_DEB      the package
    TILLBOX_OLDER    one of an earlier version number
    TILLBOX_BASES    a folder in which the base system is kept from run to run
"""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from deliveries import SECRET, Load, Stripe, charge, free_port
from fresh_root import FreshRoot, Manager, run

PACKAGE = Path(os.environ["TILLBOX_DEB"]).resolve()
OLDER = Path(os.environ["TILLBOX_OLDER"]).resolve()
BASES = Path(os.environ.get("TILLBOX_BASES", ".build/deb/bases")).resolve()


class PackageLifeTests(unittest.TestCase):
    """One root through all of its life: each test goes on where the one before has left it."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = Path(tempfile.mkdtemp(prefix="tillbox-deb"))
        (cls.folder / "root").mkdir()
        cls.root = FreshRoot(BASES, cls.folder / "root")
        cls.webhook, cls.admin = free_port(), 0
        cls.admin = cls.webhook + 1
        cls.stripe = Stripe(cls.webhook)
        cls.manager = None

    @classmethod
    def tearDownClass(cls) -> None:
        if cls.manager:
            cls.manager.end()
        cls.root.remove()
        shutil.rmtree(cls.folder)

    # What there is to ask, from within the root.

    def tillbox(self, *words: str, check: bool = True) -> subprocess.CompletedProcess:
        return self.root(
            "setpriv", "--reuid=tillbox", "--regid=tillbox", "--clear-groups", "--",
            "/usr/bin/tillbox", *words, "--config", "/etc/tillbox/tillbox.conf", check=check)

    def assert_whole(self) -> None:
        """What was acknowledged is in the log, and each payment booked once."""
        received = set()
        for line in self.tillbox("log", "cat", "webhook.received", "--from", "0", "--json") \
                .stdout.splitlines():
            received.add(json.loads(line)["value"]["id"])
        self.assertLessEqual(self.stripe.acknowledged, received)
        wanted = {event.replace("evt_", "charge:ch_") for event in self.stripe.acknowledged}
        deadline = time.monotonic() + 60
        while True:
            export = self.tillbox("ledger", "export", "--format", "json").stdout
            booked = re.findall(r'"movement"\s*:\s*"(charge:ch_[^"]+)"', export)
            if wanted <= set(booked) or time.monotonic() > deadline:
                break
            time.sleep(0.2)
        self.assertLessEqual(wanted, set(booked))
        transactions = {}
        for transaction, movement in re.findall(
                r'"id"\s*:\s*(\d+).*?"movement"\s*:\s*"(charge:ch_[^"]+)"', export):
            transactions.setdefault(movement, set()).add(transaction)
        twice = {m: t for m, t in transactions.items() if len(t) > 1}
        self.assertEqual(twice, {})
        self.tillbox("ledger", "verify")
        self.tillbox("log", "verify")

    def set_ports(self) -> None:
        """Ports that are free on this machine: the root shares its network."""
        path = self.root.path / "etc/tillbox/tillbox.conf"
        text = path.read_text()
        group = text.index("\nadmin:")
        text = text[:group] + text[group:].replace("#port: 9090", f"port: {self.admin}", 1)
        path.write_text(text)

    def initialise(self) -> str:
        answers = f"live\n127.0.0.1:{self.webhook}\n{SECRET}\n\n"
        return self.root("tillbox", "init", input=answers).stdout

    def tree(self) -> dict[str, str]:
        """Every file of the system that an installation could change, by its content."""
        found = {}
        for top in ["usr/bin", "usr/lib/tillbox", "usr/share/tillbox", "etc/tillbox",
                    "usr/lib/systemd/system", "var/lib/tillbox"]:
            for file in sorted((self.root.path / top).rglob("*")):
                if file.is_file() and not file.is_symlink():
                    found[str(file.relative_to(self.root.path))] = hashlib.sha256(
                        file.read_bytes()).hexdigest()
        return found

    # The story.

    def test_01_installs_from_the_archive_alone(self) -> None:
        done = self.root.install(OLDER)
        self.assertIn("tillbox init", done.stdout)
        conf = self.root.path / "etc/tillbox/tillbox.conf"
        self.assertEqual(conf.stat().st_mode & 0o777, 0o644)
        secrets = (self.root.path / "etc/tillbox/secrets").stat()
        self.assertEqual((secrets.st_mode & 0o777, secrets.st_uid), (0o700, 0))
        self.root("id", "tillbox")
        self.assertEqual(self.root("tillbox", "--version").stdout.strip()[:1].isdigit(), True)
        # Nothing of Swift is asked of the system.
        program = self.root("readlink", "-f", "/usr/bin/tillbox").stdout.strip()
        linked = self.root("ldd", program).stdout
        self.assertNotIn("not found", linked)

    def test_02_every_setting_of_the_file_is_one_that_the_program_knows(self) -> None:
        text = (self.root.path / "etc/tillbox/tillbox.conf").read_text()
        # Each line alone, since some exclude each other; the values are examples and defaults.
        groups, count = None, 0
        for line in text.splitlines():
            if re.fullmatch(r"[a-z_]+:", line):
                groups = line
            match = re.match(r"(\s*)#?([a-z_]+):(.*)$", line)
            if not match or line == groups or line.lstrip().startswith("# ") or "  eu:" in line \
                    or match[2] == "endpoint" or line.lstrip().startswith("#  "):
                continue
            indent, key, value = match.groups()
            trial = (f"{groups}\n" if indent else "") + f"{indent}{key}:{value or ' x'}\n"
            self.assertNotIn(self.UNKNOWN, self.said_of(trial), trial)
            count += 1
        self.assertGreater(count, 50)
        self.assertIn(self.UNKNOWN, self.said_of("webhook:\n  prot: 8080\n"))

    UNKNOWN = "unknown configuration key"

    def said_of(self, configuration: str) -> str:
        (self.root.path / "root/trial.conf").write_text(configuration)
        return self.root("tillbox", "log", "topics", "--config", "/root/trial.conf",
                         "--data", "/root/none", check=False).stderr

    def test_03_does_not_start_before_it_is_told_what_it_must_know(self) -> None:
        self.root.begin_management()
        type(self).manager = Manager(self.root, watchdog_seconds=6)
        self.manager.start()
        self.assertIsNone(self.manager.process)

    def test_04_four_answers_are_enough(self) -> None:
        said = self.initialise()
        self.assertIn("systemctl", said)
        self.set_ports()
        secret = self.root.path / "etc/tillbox/secrets/webhook"
        self.assertEqual(secret.read_text().strip(), SECRET)
        self.assertEqual(secret.stat().st_mode & 0o777, 0o600)
        self.assertNotIn(SECRET, (self.root.path / "etc/tillbox/tillbox.conf").read_text())

    def test_05_starts_and_takes_a_payment(self) -> None:
        self.assertTrue(self.manager.start(), self.manager.log.read_text()[-2000:])
        self.stripe.deliver(charge(0, "first"))
        self.assert_whole()
        data = (self.root.path / "var/lib/tillbox").stat()
        self.assertEqual(data.st_mode & 0o777, 0o700)
        status = self.tillbox("status", check=False)
        self.assertIn(status.returncode, (0, 1), status.stderr)

    def test_06_is_started_anew_within_two_seconds_of_a_kill(self) -> None:
        load = Load(self.stripe, "kill")
        time.sleep(1)
        unconnected = self.stripe.unconnected
        self.manager.process.send_signal(signal.SIGKILL)
        killed = time.monotonic()
        self.assertTrue(self.manager.wait_for("READY=1", killed, 30))
        load.end()
        self.assert_whole()
        self.assertEqual(self.stripe.unconnected, unconnected)
        # How long a start takes then is the machine's affair, and measured elsewhere.
        again = next(at for at in self.manager.starts if at >= killed)
        self.assertLess(again - killed, 2)

    def test_07_one_that_hangs_is_ended_and_started_anew(self) -> None:
        pings = [at for at, word in self.manager.words if word == "WATCHDOG=1"]
        self.assertTrue(pings)
        stopped = time.monotonic()
        self.manager.process.send_signal(signal.SIGSTOP)
        self.assertTrue(self.manager.wait_for("READY=1", stopped, 60))
        self.stripe.deliver(charge(1, "hang"))
        self.assert_whole()

    def test_08_an_upgrade_under_load_loses_nothing(self) -> None:
        load = Load(self.stripe, "up")
        time.sleep(1)
        before = self.root("tillbox", "--version").stdout
        starts, refused = len(self.manager.starts), self.stripe.refused
        self.root.install(PACKAGE)
        self.assertEqual(len(self.manager.starts), starts + 1)
        time.sleep(1)
        load.end()
        self.assert_whole()
        self.assertEqual(self.stripe.refused, refused)
        self.assertEqual(self.version(), self.number(PACKAGE))
        self.assertTrue(before)

    def test_09_what_a_person_wrote_outlives_the_upgrade(self) -> None:
        text = (self.root.path / "etc/tillbox/tillbox.conf").read_text()
        self.assertIn(f"port: {self.webhook}", text)

    def test_10_goes_back_within_the_format(self) -> None:
        load = Load(self.stripe, "back")
        self.root.install(OLDER)
        time.sleep(1)
        load.end()
        self.assert_whole()
        self.assertEqual(self.version(), self.number(OLDER))

    def test_10b_comes_back_from_a_backup_as_its_readme_says(self) -> None:
        backups, key = "/var/backups/tillbox", self.root.path / "etc/tillbox/secrets/backup"
        data = self.root.path / "var/lib/tillbox"
        self.root("install", "-d", "-o", "tillbox", "-g", "tillbox", "-m", "0700", backups)
        key.write_text("5a" * 32 + "\n")
        key.chmod(0o600)
        # Secrets are handed over at a start.
        self.manager.stop()
        self.assertTrue(self.manager.start(), self.manager.log.read_text()[-2000:])
        handed = "/run/credentials/tillbox.service/secret_backup"
        said = self.tillbox("backup", backups, "--key-file", handed).stdout
        self.assertIn("encrypted", said)
        found = json.loads(self.tillbox("doctor", "--json", check=False).stdout)["findings"]
        states = {finding["check"]: finding["state"] for finding in found}
        for check in ["secrets", "permissions", "parts", "log", "ledger", "audit", "backup"]:
            self.assertEqual(states[check], "ok", found)
        known = (data / "format").read_text()

        self.manager.stop()
        self.root("mv", "/var/lib/tillbox", "/var/lib/tillbox.before")
        self.root("/usr/bin/tillbox", "restore", backups, "--data", "/var/lib/tillbox",
                  "--key-file", "/etc/tillbox/secrets/backup")
        self.assertEqual((data / "format").read_text(), known)
        self.root("chown", "-R", "tillbox:", "/var/lib/tillbox")
        self.assertTrue(self.manager.start(), self.manager.log.read_text()[-2000:])
        self.assert_whole()
        self.stripe.deliver(charge(4, "restored"))
        self.assert_whole()
        self.root("rm", "-r", backups, "/var/lib/tillbox.before", "/etc/tillbox/secrets/backup")

    def test_11_refuses_data_of_a_newer_format_before_it_touches_anything(self) -> None:
        note = self.root.path / "var/lib/tillbox/format"
        known = note.read_text()
        self.assertRegex(known, r"(?m)^ledger \d+$")
        note.write_text(re.sub(r"(?m)^ledger \d+$", "ledger 999", known))
        process = self.manager.process
        before = self.tree()
        done = self.root.install(PACKAGE, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("nothing was changed", done.stdout + done.stderr)
        after = self.tree()
        changed = {p for p in before if before[p] != after.get(p) and "var/lib" not in p}
        self.assertEqual(changed, set())
        self.assertIs(self.manager.process, process)
        self.stripe.deliver(charge(2, "refused"))
        note.write_text(known)
        self.assertEqual(self.version(), self.number(OLDER))
        self.root("dpkg", "--audit")

    def test_12_removal_keeps_the_data_and_says_so(self) -> None:
        done = self.root("apt-get", "remove", "-qq", "-y", "tillbox")
        self.assertIn("stay in /var/lib/tillbox", done.stdout)
        self.assertIsNone(self.manager.process)
        self.assertTrue((self.root.path / "var/lib/tillbox/ledger.sqlite").exists())
        self.assertTrue((self.root.path / "etc/tillbox/secrets/webhook").exists())
        self.assertFalse((self.root.path / "usr/bin/tillbox").exists())

    def test_13_installed_again_it_goes_on_where_it_was(self) -> None:
        self.root.install(PACKAGE)
        self.assertIsNotNone(self.manager.process)
        self.stripe.deliver(charge(3, "again"))
        self.assert_whole()

    def test_14_purging_deletes_secrets_and_says_that_the_books_stay(self) -> None:
        done = self.root("apt-get", "purge", "-qq", "-y", "tillbox")
        self.assertIn("NOT", done.stdout)
        self.assertFalse((self.root.path / "etc/tillbox").exists())
        self.assertTrue((self.root.path / "var/lib/tillbox/ledger.sqlite").exists())
        left = self.root("sh", "-c", "find / -xdev -name '*tillbox*' -not -path '/var/lib/tillbox*'"
                         " -not -path '/root/*' -not -path '/proc/*' -not -path '/run/*'").stdout
        self.assertEqual(left.split(), [], left)

    def test_15_purging_keeps_the_key_of_the_backups(self) -> None:
        self.root.install(PACKAGE)
        secrets = self.root.path / "etc/tillbox/secrets"
        for name in ["backup", "webhook"]:
            (secrets / name).write_text("5a" * 32 + "\n")
        done = self.root("apt-get", "purge", "-qq", "-y", "tillbox")
        self.assertIn("key of the backups stays", done.stdout)
        left = [str(file.relative_to(secrets.parent)) for file in secrets.parent.rglob("*")]
        self.assertEqual(sorted(left), ["secrets", "secrets/backup"])

    def version(self) -> str:
        return self.root("dpkg-query", "-W", "-f", "${Version}", "tillbox").stdout

    @staticmethod
    def number(package: Path) -> str:
        return run("dpkg-deb", "-f", str(package), "Version").stdout.strip()


if __name__ == "__main__":
    unittest.main(failfast=True, verbosity=2)
