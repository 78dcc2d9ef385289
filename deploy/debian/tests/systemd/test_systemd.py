"""The package under a real systemd, process 1 of an emulated machine. Run by `make systemd-test`.

    TILLBOX_DEB      the package
    TILLBOX_OLDER    one of an earlier version number
    TILLBOX_BASES    a folder in which the base system is kept from run to run

Emulation is ten to twenty times slower than a machine: what the daemon itself takes has generous
limits. What systemd does by the clock, and whether a connection was refused, is exact.
"""

import json
import os
import re
import tempfile
import time
import unittest
from pathlib import Path

from machine import PATIENCE, Machine

PACKAGE = Path(os.environ["TILLBOX_DEB"]).resolve()
OLDER = Path(os.environ["TILLBOX_OLDER"]).resolve()
BASES = Path(os.environ.get("TILLBOX_BASES", ".build/deb-bases")).resolve()
SECRET = "whsec_" + "p" * 32
CONFIGURATION = "/etc/tillbox/tillbox.conf"
# Two on a machine; an emulated systemd needs its time to fork, and more beside other work.
RESTART_SECONDS_MAX = 10


class SystemdTests(unittest.TestCase):
    """One machine through all of its life: each test goes on where the one before has left it."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.guest = Machine(
            BASES, Path(tempfile.mkdtemp(prefix="tillbox-systemd")), [OLDER, PACKAGE])
        cls.acknowledged: set[str] = set()
        cls.guest.boot()

    @classmethod
    def tearDownClass(cls) -> None:
        cls.guest.remove()

    # What there is to ask, in the guest.

    def shown(self, *names: str) -> list[str]:
        """Properties of the unit, as systemd has them now."""
        text = self.guest(f"systemctl show tillbox -p {','.join(names)}").stdout
        found = dict(line.split("=", 1) for line in text.splitlines())
        return [found[name] for name in names]

    def install(self, package: Path) -> str:
        done = self.guest("DEBIAN_FRONTEND=noninteractive apt-get install -qq -y "
                          f"--no-install-recommends /root/{package.name}", seconds=3 * PATIENCE)
        return done.stdout + done.stderr

    def systemctl(self, verb: str) -> None:
        """Shows what the service has said, where that fails."""
        self.guest(f"systemctl {verb} tillbox || {{ journalctl -u tillbox -n 40 >&2; false; }}")

    def wait_until_active(self, restarts: int | None = None) -> None:
        counted = "" if restarts is None else \
            f"test $(systemctl show tillbox -p NRestarts --value) -ge {restarts} && "
        self.guest.wait_for(f"{counted}systemctl is-active -q tillbox")

    def said_by_systemd(self, since: str) -> list[tuple[float, str]]:
        """What systemd itself did with the unit, each with its moment in seconds."""
        lines = self.guest(f"journalctl -u tillbox --after-cursor='{since}' -o json "
                           "--output-fields=MESSAGE _PID=1").stdout.splitlines()
        return [(int(line["__MONOTONIC_TIMESTAMP"]) / 1e6, line["MESSAGE"])
                for line in map(json.loads, lines)]

    def wait_until_said(self, words: str) -> None:
        """As an error; the journal reads what a process has written when it comes to it. Without a
        cursor: behind one that the filter leaves out, journalctl passes over the first line."""
        self.guest.wait_for(f'journalctl -u tillbox -p err -o cat | grep -qF "{words}"')

    def now_in_journal(self) -> str:
        line = self.guest("journalctl -n 1 -o json").stdout
        return json.loads(line)["__CURSOR"]

    def deliver(self, name: str) -> None:
        self.guest("cd /opt/tests && python3 -B -c 'from deliveries import *; "
                   f"Stripe(8080).deliver(charge(0, \"{name}\"), 600)'")
        self.acknowledged.add(f"evt_{name}000000")

    def begin_load(self, name: str) -> None:
        self.guest(f"systemd-run -q --unit=load -p WorkingDirectory=/opt/tests "
                   f"python3 -B load.py {name} /root/{name}.json")
        self.guest.wait_for(f"test -e /root/{name}.begun")

    def end_load(self, name: str) -> None:
        """Ends it, and holds it against what is promised: nobody was ever refused."""
        self.guest("systemctl stop load", seconds=PATIENCE)
        report = json.loads(self.guest(f"cat /root/{name}.json").stdout)
        self.assertIsNone(report["failure"])
        self.assertEqual((report["refusals"], report["unconnected"]), ([], 0))
        self.assertGreater(report["knocks"], 10)
        self.assertGreater(len(report["acknowledged"]), 1)
        self.acknowledged.update(report["acknowledged"])
        print(f"\n  {name}: {len(report['acknowledged'])} deliveries, {report['knocks']} further "
              f"connections, none refused; the longest delivery took {report['longest']:.1f} s")

    def assert_whole(self) -> None:
        """What was acknowledged is in the log, and each payment booked once."""
        deadline = time.monotonic() + PATIENCE
        while True:
            books = json.loads(self.guest(
                "cd / && runuser -u tillbox -- python3 -B /opt/tests/books.py").stdout)
            if self.acknowledged <= set(books["booked"]) or time.monotonic() > deadline:
                break
        self.assertLessEqual(self.acknowledged, set(books["received"]))
        self.assertLessEqual(self.acknowledged, set(books["booked"]))
        self.assertEqual(books["twice"], [])

    # The story.

    def test_01_an_installation_waits_for_answers_and_is_no_failure(self) -> None:
        self.guest("systemctl is-system-running --wait")
        self.assertIn("tillbox init", self.install(OLDER))
        self.assertEqual(
            self.shown("ActiveState", "UnitFileState", "ConditionResult"),
            ["inactive", "enabled", "no"])
        self.assertEqual(self.guest("systemctl --failed --plain -q").stdout, "")

    def test_02_started_means_that_deliveries_are_taken(self) -> None:
        self.guest("tillbox init", input=f"live\n127.0.0.1:8080\n{SECRET}\n\n")
        self.systemctl("start")
        self.deliver("first")
        self.assertEqual(
            self.shown("ActiveState", "Type", "WatchdogUSec", "User", "NRestarts"),
            ["active", "notify", "1min", "tillbox", "0"])
        self.assert_whole()

    def test_03_is_handed_its_secrets_and_nobody_else_is(self) -> None:
        place = "/run/credentials/tillbox.service/secret_webhook"
        self.assertEqual(self.guest(f"stat -c '%a %U' {place}").stdout, "400 tillbox\n")
        self.assertEqual(self.guest(f"runuser -u tillbox -- cat {place}").stdout.strip(), SECRET)
        self.assertNotEqual(
            self.guest(f"runuser -u nobody -- cat {place}", check=False).returncode, 0)
        process, = self.shown("MainPID")
        environment = self.guest(f"tr '\\0' '\\n' </proc/{process}/environ").stdout
        self.assertNotIn(SECRET, environment)

    def test_04_is_shut_in_as_it_runs(self) -> None:
        judged = self.guest("systemd-analyze security tillbox --no-pager").stdout
        exposure = float(re.search(r"Overall exposure level .*: ([0-9.]+)", judged)[1])
        self.assertLessEqual(exposure, 1.5)
        process, = self.shown("MainPID")
        status = self.guest(f"cat /proc/{process}/status").stdout
        for line in ["CapEff:\t0000000000000000", "CapBnd:\t0000000000000000",
                     "NoNewPrivs:\t1", "Seccomp:\t2"]:
            self.assertIn(line, status)

    def test_05_within_its_walls_nothing_else_can_be_done(self) -> None:
        self.guest("install -d -o tillbox -g tillbox -m 0700 /var/backups/tillbox")
        unit = "/etc/systemd/system/tillbox.service.d/walls.conf"
        self.guest(f"mkdir -p $(dirname {unit}); cat >{unit}; systemctl daemon-reload", input=(
            "[Service]\nExecStartPre=/usr/bin/python3 -B /opt/tests/walls.py\n"))
        # What the same user can do elsewhere: there it is the unit that keeps it from it.
        told = "cat /var/lib/tillbox/walls.json; rm /var/lib/tillbox/walls.json"
        self.guest("runuser -u tillbox -- python3 -B /opt/tests/walls.py")
        outside = json.loads(self.guest(told).stdout)["done"]
        for wall in ["see other processes", "memory that is written and run", "a namespace",
                     "ask the kernel by netlink", "a file that gives rights"]:
            self.assertIn(wall, outside)
        self.systemctl("restart")
        found = json.loads(self.guest(told).stdout)
        self.assertGreater(len(found["tried"]), 15)
        self.assertEqual(found["done"], ["write to the data folder", "write to the backups"])
        self.guest(f"rm {unit}; systemctl daemon-reload")

    def test_06_the_journal_has_its_lines_with_their_priorities_and_no_others(self) -> None:
        lines = self.guest("journalctl -u tillbox -o json _COMM=tillbox").stdout.splitlines()
        told = [json.loads(line) for line in lines]
        self.assertGreater(len(told), 5)
        # What the runtime itself would say of its threads' priorities, at each burst of work.
        strangers = [line["MESSAGE"] for line in told if not line["MESSAGE"].startswith("{")]
        self.assertEqual(strangers, [])
        priorities = {json.loads(line["MESSAGE"])["level"]: line["PRIORITY"] for line in told}
        self.assertEqual((priorities["info"], priorities["notice"]), ("6", "5"))
        self.assertTrue(any("setup?code=" in line["MESSAGE"] for line in told))

    def test_07_whatever_ends_it_it_is_back_and_refuses_nobody(self) -> None:
        self.begin_load("kill")
        self.assertEqual(self.shown("NFileDescriptorStore", "RestartUSec"), ["2", "500ms"])
        for signal in ["KILL", "ABRT", "ILL"]:
            restarts = int(self.shown("NRestarts")[0])
            before = self.now_in_journal()
            self.guest(f"systemctl kill -s {signal} --kill-whom=main tillbox")
            self.wait_until_active(restarts + 1)
            said = self.said_by_systemd(before)
            ended = next(at for at, words in said if "Main process exited" in words)
            begun = next(at for at, words in said if at > ended and "Starting" in words)
            self.assertLess(begun - ended, RESTART_SECONDS_MAX, said)
            print(f"\n  {signal}: begun anew {begun - ended:.2f} s after its end")
        self.assertEqual(self.guest("find / -xdev -name 'core*' -newer /root/kill.begun "
                                    "-size +1M -not -path '/proc/*'").stdout, "")
        self.end_load("kill")
        self.assert_whole()

    def test_08_a_restart_refuses_nobody(self) -> None:
        self.begin_load("restart")
        self.systemctl("restart")
        self.end_load("restart")
        self.assert_whole()

    def test_09_one_that_hangs_is_ended_and_started_anew(self) -> None:
        self.begin_load("hang")
        restarts, before = int(self.shown("NRestarts")[0]), self.now_in_journal()
        self.guest("systemctl kill -s STOP --kill-whom=main tillbox")
        stopped = float(self.guest("cut -d ' ' -f 1 /proc/uptime").stdout)
        self.wait_until_active(restarts + 1)
        ended = [at for at, words in self.said_by_systemd(before) if "Watchdog timeout" in words]
        # Its last word was up to 20 s old, and in emulation a little more.
        self.assertEqual(len(ended), 1)
        self.assertLess(ended[0] - stopped, 62)
        self.assertGreater(ended[0] - stopped, 30)
        print(f"\n  ended {ended[0] - stopped:.1f} s after it stood still")
        self.end_load("hang")
        self.assert_whole()

    def test_10_a_stop_is_a_clean_end_and_closes_the_ports(self) -> None:
        begin = time.monotonic()
        self.systemctl("stop")
        self.assertLess(time.monotonic() - begin, 20)
        self.assertEqual(
            self.shown("ActiveState", "Result", "ExecMainCode", "ExecMainStatus",
                       "NFileDescriptorStore"),
            ["inactive", "success", "1", "0", "0"])
        self.assertNotIn(":8080", self.guest("ss -ltn").stdout)
        self.assertNotEqual(self.guest("ls /run/credentials/tillbox.service",
                                       check=False).returncode, 0)

    def test_11_a_mistake_in_the_configuration_is_not_tried_again(self) -> None:
        self.guest(f"cp -p {CONFIGURATION} /root/right; echo 'webhok: 1' >>{CONFIGURATION}")
        self.assertNotEqual(self.guest("systemctl start tillbox", check=False).returncode, 0)
        self.assertEqual(
            self.shown("ActiveState", "ExecMainStatus", "NRestarts"), ["failed", "78", "0"])
        self.wait_until_said("unknown configuration key webhok")
        self.guest(f"cp -p /root/right {CONFIGURATION}")
        self.systemctl("start")
        self.deliver("righted")

    def test_11_what_may_pass_is_tried_until_it_has_passed(self) -> None:
        self.systemctl("stop")
        self.guest(
            "systemd-run -q --unit=squatter python3 -c 'import socket, time; "
            "port = socket.create_server((\"127.0.0.1\", 8080)); time.sleep(1e6)'")
        self.guest.wait_for("ss -ltn | grep -q 127.0.0.1:8080")
        self.assertNotEqual(self.guest("systemctl start tillbox", check=False).returncode, 0)
        # More often than systemd's own limit of five, which would leave it failed.
        self.guest.wait_for("test $(systemctl show tillbox -p NRestarts --value) -ge 6")
        self.wait_until_said("is in use by another program")
        self.guest("systemctl stop squatter")
        self.wait_until_active()
        self.deliver("passed")

    def test_12_an_upgrade_under_load_loses_nothing(self) -> None:
        self.begin_load("upgrade")
        self.install(PACKAGE)
        self.end_load("upgrade")
        version = self.guest("dpkg-query -W -f '${Version}' tillbox").stdout
        self.assertIn(f"_{version}_", PACKAGE.name)
        self.assertEqual(self.shown("ActiveState", "NeedDaemonReload"), ["active", "no"])
        self.assert_whole()

    def test_13_comes_up_with_the_machine_and_knows_what_it_knew(self) -> None:
        boot = self.guest.boot_name
        self.guest.reboot()
        self.assertNotEqual(self.guest.boot_name, boot)
        self.wait_until_active()
        self.assert_whole()
        self.deliver("rebooted")
        ended = self.guest("journalctl -b -1 -u tillbox -o cat").stdout
        self.assertIn('"message":"stopped"', ended)

    def test_14_a_machine_that_loses_its_power_has_what_was_acknowledged(self) -> None:
        told = self.guest.folder / "told"
        self.guest("systemd-run -q --unit=load -p WorkingDirectory=/opt/tests "
                   "python3 -B load.py power /root/power.json /dev/virtio-ports/told")
        deadline = time.monotonic() + PATIENCE
        while told.read_text().count("\n") < 100 and time.monotonic() < deadline:
            time.sleep(0.05)
        self.guest.cut()
        heard = {line for line in told.read_text().split("\n")[:-1]}
        self.assertGreater(len(heard), 99)
        self.acknowledged.update(heard)
        self.guest.boot()
        self.wait_until_active()
        self.assert_whole()
        self.deliver("after")

    def test_15_removal_ends_it_and_keeps_the_data(self) -> None:
        done = self.guest("DEBIAN_FRONTEND=noninteractive apt-get remove -qq -y tillbox",
                          seconds=PATIENCE)
        self.assertIn("stay in /var/lib/tillbox", done.stdout)
        self.assertEqual(self.guest("systemctl is-active tillbox", check=False).stdout,
                         "inactive\n")
        self.assertNotIn(":8080", self.guest("ss -ltn").stdout)
        self.guest("test -e /var/lib/tillbox/ledger.sqlite -a -e /etc/tillbox/secrets/webhook")

    def test_16_installed_again_it_runs_again(self) -> None:
        self.install(PACKAGE)
        self.wait_until_active()
        self.deliver("again")
        self.assert_whole()

    def test_17_purging_deletes_the_secrets_and_keeps_the_books(self) -> None:
        done = self.guest("DEBIAN_FRONTEND=noninteractive apt-get purge -qq -y tillbox",
                          seconds=PATIENCE)
        self.assertIn("NOT", done.stdout)
        self.guest("test ! -e /etc/tillbox -a -e /var/lib/tillbox/ledger.sqlite")
        # Neither a unit nor a mask is left that systemd would trip over.
        self.assertEqual(self.guest("systemctl list-unit-files -q 'tillbox*'", check=False).stdout,
                         "")
        self.assertEqual(self.guest("systemctl --failed --plain -q").stdout, "")


if __name__ == "__main__":
    unittest.main(failfast=True, verbosity=2)
