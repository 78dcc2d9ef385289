"""What is in the package, looked at without installing it."""

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import pages  # noqa: E402
from fresh_root import Unit, run  # noqa: E402

PACKAGE = Path(os.environ["TILLBOX_DEB"]).resolve()
ROOT = Path(__file__).resolve().parent.parent.parent.parent


class ContentsTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = tempfile.TemporaryDirectory()
        cls.root = Path(cls.folder.name)
        run("dpkg-deb", "-R", str(PACKAGE), str(cls.root))
        cls.unit_path = cls.root / "usr/lib/systemd/system/tillbox.service"

    @classmethod
    def tearDownClass(cls) -> None:
        cls.folder.cleanup()

    def test_the_unit_is_sound_and_shut_in(self) -> None:
        # The program and the pages it names are those of the package, which is not installed here.
        with tempfile.TemporaryDirectory() as folder:
            unit = Path(folder, "tillbox.service")
            text = self.unit_path.read_text()
            text = text.replace("ExecStart=/usr/bin/tillbox", "ExecStart=/usr/bin/true")
            unit.write_text(re.sub(r"(?m)^Documentation=.*\n", "", text))
            verified = run("systemd-analyze", "verify", "--man=no", str(unit))
            self.assertEqual(verified.stderr.strip(), "")
            judged = run("systemd-analyze", "security", "--offline=true", "--no-pager", str(unit))
            exposure = float(re.search(r"Overall exposure level .*: ([0-9.]+)", judged.stdout)[1])
            self.assertLessEqual(exposure, 1.5)

    def test_a_restart_comes_within_two_seconds_and_crashes_free_the_ports(self) -> None:
        unit = Unit(self.unit_path.read_text())
        self.assertEqual(unit.one("Restart"), "always")
        self.assertLess(unit.seconds("RestartSec"), 2)
        # Wrong usage and a mistake in the configuration; 3 may pass by itself.
        self.assertEqual(unit.one("RestartPreventExitStatus").split(), ["2", "78"])
        # One socket for each port, and one more while an address is changed.
        self.assertGreater(int(unit.one("FileDescriptorStoreMax")), 2)
        self.assertIn("SWIFT_BACKTRACE=enable=no", unit.values["Environment"])
        self.assertIn("LIBDISPATCH_LOG=NO", unit.values["Environment"])
        self.assertEqual(unit.one("WatchdogSignal"), "SIGKILL")

    def test_the_filter_lets_every_system_call_of_a_payment_through(self) -> None:
        """The calls of a real run, against the lists that the unit names."""
        unit = Unit(self.unit_path.read_text())
        allowed, denied = set(), set()
        for setting in ["@default", *unit.values["SystemCallFilter"]]:
            target = denied if setting.startswith("~") else allowed
            for name in setting.lstrip("~").split():
                target |= calls(name)
        used = self.used()
        self.assertGreater(len(used), 40)
        refused = used - (allowed - denied)
        # Asked for and done without: the program goes on where they are refused.
        self.assertLessEqual(refused, {"sched_setaffinity", "sched_setscheduler", "setpriority"})

    def used(self) -> set[str]:
        binary = (self.root / "usr/bin/tillbox").resolve()
        self.root.chmod(0o755)
        with tempfile.TemporaryDirectory() as data:
            trace = Path(data, "trace")
            # As no root: SQLite changes owners only for that.
            Path(data, "home").mkdir()
            shutil.chown(Path(data, "home"), "nobody")
            Path(data).chmod(0o755)
            done = subprocess.run(
                ["strace", "-u", "nobody", "-f", "-qq", "-c", "-o", str(trace), str(binary), "demo",
                 "--count", "50", "--rate", "200", "--data", f"{data}/home/demo"],
                env={"PATH": "/usr/bin:/bin", "HOME": f"{data}/home"}, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300)
            self.assertEqual(done.returncode, 0, done.stderr[-2000:])
            rows = re.findall(r"^\s*[0-9.]+\s.*\s([a-z0-9_]+)$", trace.read_text(), re.M)
        # The tracer's own, and what starts the program.
        return set(rows) - {"total", "syscall", "execve"}

    def test_every_command_has_a_page_that_the_formatter_takes(self) -> None:
        folder = self.root / "usr/share/man/man1"
        names = {file.name.removesuffix(".1.gz") for file in folder.iterdir()}
        for name in ["tillbox", "tillbox-run", "tillbox-init", "tillbox-health",
                     "tillbox-ledger-verify", "tillbox-dead-letter-redrive"]:
            self.assertIn(name, names)
        for file in [*folder.iterdir(), self.root / "usr/share/man/man5/tillbox.conf.5.gz"]:
            done = subprocess.run(
                ["groff", "-man", "-Tutf8", "-Kutf8", "-ww", "-z"],
                input=gzip.decompress(file.read_bytes()), capture_output=True)
            self.assertEqual((done.returncode, done.stderr.decode()), (0, ""), file.name)

    def test_every_page_that_is_named_is_there(self) -> None:
        place = self.root / "usr/share/doc/tillbox"
        binary = (self.root / "usr/bin/tillbox").resolve().read_bytes()
        named = {name.decode() for name in re.findall(rb"docs/[A-Za-z/-]+\.md", binary)}
        self.assertIn("docs/EVENTS.md", named)
        # A page names its neighbours; what leads up and out of docs is in the repository alone.
        for page in sorted((place / "docs").rglob("*.md.gz")):
            text = gzip.decompress(page.read_bytes()).decode()
            for link in re.findall(r"\]\(([A-Za-z/-]+\.md)[)#]", text):
                named.add(os.path.relpath(page.parent / link, place))
        self.assertGreater(len(named), 30)
        missing = [name for name in sorted(named) if not (place / f"{name}.gz").is_file()]
        self.assertEqual(missing, [])
        self.assertIn("docs/RUNBOOK.md.gz", (place / "README.Debian").read_text())
        # Where the doctor looks for it.
        self.assertIn(b"/usr/share/doc/tillbox/docs/RUNBOOK.md.gz", binary)

    def test_completions_are_read_by_the_shell(self) -> None:
        share = self.root / "usr/share"
        file = share / "bash-completion/completions/tillbox"
        run("bash", "-n", str(file))
        for file in [file, share / "zsh/vendor-completions/_tillbox",
                     share / "fish/vendor_completions.d/tillbox.fish"]:
            self.assertIn("redrive", file.read_text(), file)

    def test_the_configuration_is_the_documented_one(self) -> None:
        page = (ROOT / "docs/CONFIGURATION.md").read_text()
        text = (self.root / "usr/share/tillbox/tillbox.conf").read_text()
        self.assertEqual(text, pages.configuration(page))
        for row in pages.rows(page):
            for setting in row.settings:
                name = setting.key.rsplit(".", 1)[-1]
                self.assertRegex(text, rf"(?m)^\s*#?\s*{re.escape(name)}:", setting.key)

    def test_files_are_roots_and_the_secrets_folder_is_shut(self) -> None:
        listing = run("dpkg-deb", "-c", str(PACKAGE)).stdout.splitlines()
        owners = {line.split()[1] for line in listing}
        self.assertEqual(owners, {"root/root"})
        secrets = next(line for line in listing if line.endswith("./etc/tillbox/secrets/"))
        self.assertTrue(secrets.startswith("drwx------"))
        writable = [line for line in listing if line[5] == "w" or line[8] == "w"]
        self.assertEqual([line for line in writable if not line.startswith("l")], [])

    def test_the_bill_of_materials_is_valid_and_names_what_is_inside(self) -> None:
        from cyclonedx.schema import SchemaVersion
        from cyclonedx.validation.json import JsonStrictValidator
        text = PACKAGE.with_suffix(".cdx.json").read_text()
        self.assertIsNone(JsonStrictValidator(SchemaVersion.V1_5).validate_str(text))
        parts = {part["name"]: part["version"] for part in json.loads(text)["components"]}
        for name in ["swift-nio", "GRDB.swift", "libxgboost0", "librdkafka1", "swift"]:
            self.assertIn(name, parts)
        pins = json.loads((ROOT / "Package.resolved").read_text())["pins"]
        for pin in pins:
            name = pin["location"].removesuffix(".git").rsplit("/", 1)[-1]
            self.assertEqual(parts[name], pin["state"]["version"])


def calls(name: str) -> set[str]:
    """The system calls of a group of systemd's, and of the groups within it."""
    if not name.startswith("@"):
        return {name}
    found: set[str] = set()
    for line in run("systemd-analyze", "syscall-filter", name).stdout.splitlines()[1:]:
        word = line.strip()
        if word and not word.startswith("#"):
            found |= calls(word)
    return found


if __name__ == "__main__":
    unittest.main(verbosity=2)
