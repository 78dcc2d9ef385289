"""The image and the compose files. Run as root by `make container-test`, which has built the image.

    TILLBOX_IMAGE    the image's name
    TILLBOX_BILL     its bill of materials
    TILLBOX_CHECKOV  checkov's program
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent.parent / "debian"), str(HERE.parent.parent / "debian/tests")]
import pages  # noqa: E402
from deliveries import SECRET, Stripe, charge, free_port  # noqa: E402

IMAGE = os.environ["TILLBOX_IMAGE"]
BILL = Path(os.environ["TILLBOX_BILL"])
PLACE = HERE.parent
TOOLS = Path(sys.executable).parent
MEBIBYTE = 1 << 20
USER = 65532
# Where there is no systemd and no bridge, as in many containers: the host's network, runc, and
# limits that a container within a container may set.
ENGINE = ["--runtime", "runc", "--cgroup-manager=cgroupfs"]
HOST = ["--network=host", "--no-healthcheck", "--ulimit", "nofile=1024:1024", "--ulimit",
        "nproc=1024:1024"]


def podman(*words: str, check: bool = True, **options) -> subprocess.CompletedProcess:
    done = subprocess.run(["podman", *words], capture_output=True, text=True, **options)
    if check and done.returncode:
        raise AssertionError(f"podman {' '.join(words)}: {done.returncode}\n{done.stderr}")
    return done


class ImageTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.facts = json.loads(podman("image", "inspect", IMAGE).stdout)[0]
        cls.folder = Path(tempfile.mkdtemp(prefix="tillbox-image"))
        container = podman("create", "--no-healthcheck", IMAGE).stdout.strip()
        podman("export", "-o", str(cls.folder / "root.tar"), container)
        podman("rm", container, check=False)
        (cls.folder / "root").mkdir()
        subprocess.run(["tar", "-xf", str(cls.folder / "root.tar"), "-C",
                        str(cls.folder / "root")], check=True)

    @classmethod
    def tearDownClass(cls) -> None:
        shutil.rmtree(cls.folder)

    def test_is_small(self) -> None:
        self.assertLess(self.facts["Size"], 150 * MEBIBYTE)

    def test_is_a_user_of_its_own_with_one_volume_and_a_health_check(self) -> None:
        config = self.facts["Config"]
        self.assertEqual(config["User"], f"{USER}:{USER}")
        self.assertEqual(list(config["Volumes"]), ["/data"])
        health = self.facts.get("Healthcheck") or config["Healthcheck"]
        self.assertEqual(health["Test"], ["CMD", "/usr/bin/tillbox", "health"])

    def test_holds_no_shell_and_nothing_that_gives_rights(self) -> None:
        root = self.folder / "root"
        programs = [p for p in root.rglob("*")
                    if p.parent.name in ("bin", "sbin") and not p.is_dir()]
        self.assertEqual({p.name for p in programs}, {"tillbox"})
        raised = [p for p in root.rglob("*") if not p.is_symlink() and p.lstat().st_mode & 0o6000]
        self.assertEqual(raised, [])

    def test_the_bill_of_materials_is_valid_and_names_every_library(self) -> None:
        from cyclonedx.schema import SchemaVersion
        from cyclonedx.validation.json import JsonStrictValidator
        text = BILL.read_text()
        self.assertIsNone(JsonStrictValidator(SchemaVersion.V1_5).validate_str(text))
        names = {part["name"] for part in json.loads(text)["components"]}
        records = {file.name for file in
                   (self.folder / "root/var/lib/dpkg/status.d").iterdir()} - {"tillbox"}
        self.assertLessEqual(records, names)
        self.assertLessEqual({"libc6", "libxgboost0", "librdkafka1", "swift-nio", "swift"}, names)


class RunningTests(unittest.TestCase):
    """As an orchestrator would run it: not root, a read-only root, no capability."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="tillbox-run"))
        self.folder.chmod(0o755)
        for name in ["data", "secrets"]:
            (self.folder / name).mkdir()
            os.chown(self.folder / name, USER, USER)
            (self.folder / name).chmod(0o700)
        secret = self.folder / "secrets/webhook"
        secret.write_text(SECRET + "\n")
        os.chown(secret, 0, USER)
        secret.chmod(0o440)
        self.webhook = free_port()
        self.admin = self.webhook + 1
        self.name = f"tillbox-test-{os.getpid()}-{self.webhook}"
        self.stripe = Stripe(self.webhook)

    def tearDown(self) -> None:
        podman(*ENGINE, "rm", "-f", "-t", "0", self.name, check=False)
        shutil.rmtree(self.folder)

    def start(self) -> None:
        podman(
            *ENGINE, "run", "-d", "--name", self.name, "--read-only", "--cap-drop=all",
            "--security-opt=no-new-privileges", *HOST, "-v", f"{self.folder}/data:/data",
            "-v", f"{self.folder}/secrets/webhook:/run/secrets/webhook:ro",
            "-e", "TILLBOX_WEBHOOK_SECRET_FILE=/run/secrets/webhook",
            "-e", f"TILLBOX_WEBHOOK_PORT={self.webhook}",
            "-e", f"TILLBOX_ADMIN_PORT={self.admin}", IMAGE)

    def tillbox(self, *words: str, check: bool = True) -> subprocess.CompletedProcess:
        return podman(*ENGINE, "exec", self.name, "/usr/bin/tillbox", *words, check=check)

    def end(self) -> None:
        podman(*ENGINE, "stop", "-t", "15", self.name)

    def wait_until_booked(self, movements: set[str]) -> None:
        deadline = time.monotonic() + 60
        booked: set[str] = set()
        while not movements <= booked and time.monotonic() < deadline:
            export = self.tillbox("ledger", "export", "--format", "json").stdout
            booked = set(re.findall(r'"movement"\s*:\s*"(charge:ch_[^"]+)"', export))
        self.assertLessEqual(movements, booked)

    def test_takes_payments_says_that_it_is_well_and_keeps_them(self) -> None:
        self.start()
        for number in range(20):
            self.stripe.deliver(charge(number, "image"))
        self.assertEqual(self.tillbox("health").returncode, 0)
        self.assertEqual(self.tillbox("health", "--ready").returncode, 0)
        wanted = {event.replace("evt_", "charge:ch_") for event in self.stripe.acknowledged}
        self.wait_until_booked(wanted)
        self.end()
        state = json.loads(podman("inspect", self.name).stdout)[0]["State"]
        self.assertEqual(state["ExitCode"], 0)
        podman(*ENGINE, "rm", self.name)
        # Another container on the same volume.
        self.start()
        self.stripe.deliver(charge(20, "image"))
        self.wait_until_booked(wanted | {f"charge:ch_image{20:06d}"})
        self.tillbox("ledger", "verify")

    def test_nobody_there_is_not_healthy(self) -> None:
        done = podman(*ENGINE, "run", "--rm", "--read-only", *HOST, "-e",
                      f"TILLBOX_ADMIN_PORT={self.admin}", IMAGE, "health", check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("no daemon answers", done.stderr)

    def test_refuses_a_secret_that_others_may_read(self) -> None:
        (self.folder / "secrets/webhook").chmod(0o444)
        self.start()
        code = podman(*ENGINE, "wait", self.name).stdout.strip()
        self.assertEqual(code, "78")


class FilesTests(unittest.TestCase):
    def test_the_containerfile_passes_its_linters(self) -> None:
        file = PLACE / "Containerfile"
        done = subprocess.run([TOOLS / "hadolint", str(file)], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout), (0, ""))
        with tempfile.TemporaryDirectory() as folder:
            # Under the name by which checkov knows such files.
            shutil.copyfile(file, Path(folder, "Dockerfile"))
            checked = subprocess.run(
                [os.environ["TILLBOX_CHECKOV"], "--directory", folder, "--framework",
                 "dockerfile", "--output", "json", "--skip-download"],
                capture_output=True, text=True)
        report = json.loads(checked.stdout)
        failed = [check["check_id"] for check in report["results"]["failed_checks"]]
        self.assertEqual(failed, [])
        self.assertGreater(report["summary"]["passed"], 0)

    # A digest is of a registry's image, and the registry is the operator's choice; Kafka's and
    # Postgres's own images write outside their volumes.
    EXCEPTED = {
        "CL-0019": {"tillbox", "prepare", "webhook", "score", "ledger", "console", "features",
                    "kafka", "redis", "postgres"},
        "CL-0007": {"kafka", "postgres"},
    }

    def test_the_compose_files_pass_their_linter(self) -> None:
        for name in ["compose.edge.yaml", "compose.cloud.yaml"]:
            done = subprocess.run(
                [TOOLS / "compose-lint", "check", "--format", "json", str(PLACE / name)],
                capture_output=True, text=True)
            findings = json.loads(done.stdout)["findings"]
            left = [(found["rule_id"], found["service"]) for found in findings
                    if found["service"] not in self.EXCEPTED.get(found["rule_id"], set())]
            self.assertEqual(left, [], name)

    def test_the_compose_files_name_settings_secrets_and_services_that_there_are(self) -> None:
        import yaml
        page = (PLACE.parent.parent / "docs/CONFIGURATION.md").read_text()
        keys = [setting.key for row in pages.rows(page) for setting in row.settings]
        known = {"TILLBOX_" + key.upper().replace(".", "_") for key in keys}
        for name in ["compose.edge.yaml", "compose.cloud.yaml"]:
            content = yaml.safe_load((PLACE / name).read_text())
            for service, facts in content["services"].items():
                if "tillbox" not in facts["image"]:
                    continue
                for variable in facts["environment"]:
                    self.assertTrue(variable == "PORT" or variable in known, variable)
                for value in facts["environment"].values():
                    if str(value).startswith("/run/secrets/"):
                        secret = str(value).removeprefix("/run/secrets/")
                        self.assertIn(secret, content["secrets"])
                self.assertLessEqual(set(facts["secrets"]), set(content["secrets"]), service)
                self.assertLessEqual(
                    set(facts.get("depends_on", {})), set(content["services"]), service)
                self.assertTrue(facts["read_only"])
                self.assertEqual(facts["cap_drop"], ["ALL"])

    def test_the_compose_files_are_of_the_compose_specification(self) -> None:
        from compose_spec import PyCompose
        import yaml
        for name in ["compose.edge.yaml", "compose.cloud.yaml"]:
            # As every engine reads it: with variables, aliases and merges put in their places.
            text = re.sub(r"\$\{[A-Z_]+:[-?]([^}]*)\}", r"\1", (PLACE / name).read_text())
            content = yaml.safe_load(text)
            PyCompose.from_yaml(json.dumps(content)).validate()


if __name__ == "__main__":
    unittest.main(verbosity=2)
