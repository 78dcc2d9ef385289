"""checkov over deploy/gcp; its exceptions stand beside what they are of, each with its reason."""
import json
import re
import subprocess
import unittest

from module import MODULE, ROOT, worked_out

CHECKOV = ROOT / ".venv-checkov/bin/checkov"


class Linted(unittest.TestCase):
    def test_checkov(self):
        ran = subprocess.run(
            [CHECKOV, "-d", MODULE, "--framework", "terraform", "secrets", "--skip-download",
             "--compact", "--quiet", "--output", "json"], capture_output=True, text=True)
        self.assertIn(ran.returncode, (0, 1), ran.stderr[-2000:])
        reports = json.loads(ran.stdout)
        reports = {one["check_type"]: one["results"] for one in
                   (reports if isinstance(reports, list) else [reports])}
        terraform = reports["terraform"]
        self.assertEqual(
            [(one["check_id"], one["resource"], one["check_name"])
             for one in terraform["failed_checks"]], [])
        self.assertEqual(terraform.get("parsing_errors", []), [])
        for one in reports.get("secrets", {"failed_checks": []})["failed_checks"]:
            # The name of a secret has as much disorder as a secret, and is none.
            path = MODULE / one["file_path"].lstrip("/")
            line = path.read_text().splitlines()[one["file_line_range"][0] - 1]
            named = re.fullmatch(r'\s*[A-Z_]+ += "([a-z-]+)"', line)
            self.assertTrue(named and named.group(1) in worked_out()["secrets"],
                            f"{path.name}: {one['check_name']}: {line}")


if __name__ == "__main__":
    unittest.main()
