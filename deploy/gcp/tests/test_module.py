"""What can be known of deploy/gcp without Google: docs/GCP.md says what cannot.

    .venv-deploy/bin/python3 -m unittest discover -s deploy/gcp/tests
"""
import re
import unittest

import costs
import provider
from module import (
    MODULE, ROOT, SIZES, STAGES, is_formatted, resources, text, worked_out)

#: What the program knows: Settings.swift has every key.
KEYS = ROOT / "Sources/Appliance/Daemon/Settings.swift"
PLACES = ROOT / "Sources/Appliance/Vocabulary/SourcePlace.swift"

#: Read by libpq and not by us: the password, where the address has none.
OF_OTHERS = {"PGPASSWORD"}
#: What each program does not start, or do its work, without.
REQUIRED = {
    "webhook": {"TILLBOX_KAFKA_BOOTSTRAP", "TILLBOX_REDIS_URL", "TILLBOX_WEBHOOK_SECRET"},
    "score": {"TILLBOX_KAFKA_BOOTSTRAP", "TILLBOX_REDIS_URL"},
    "ledger": {"TILLBOX_KAFKA_BOOTSTRAP", "TILLBOX_POSTGRES_URL"},
    "console": {"TILLBOX_KAFKA_BOOTSTRAP", "TILLBOX_POSTGRES_URL", "TILLBOX_ADMIN_BEHIND_PROXY",
                "TILLBOX_ADMIN_HOSTS"},
    "features": {"TILLBOX_KAFKA_BOOTSTRAP", "TILLBOX_REDIS_URL"},
    "prepare": {"TILLBOX_KAFKA_BOOTSTRAP", "TILLBOX_POSTGRES_URL"},
    "sweep": {"TILLBOX_KAFKA_BOOTSTRAP", "TILLBOX_REDIS_URL", "TILLBOX_POSTGRES_URL",
              "TILLBOX_STRIPE_API_KEY"},
    "reconcile": {"TILLBOX_KAFKA_BOOTSTRAP", "TILLBOX_REDIS_URL", "TILLBOX_POSTGRES_URL",
                  "TILLBOX_STRIPE_API_KEY"},
    "warehouse": {"TILLBOX_KAFKA_BOOTSTRAP", "TILLBOX_POSTGRES_URL", "TILLBOX_BIGQUERY_PROJECT"},
    "verify": {"TILLBOX_POSTGRES_URL"},
    "redrive": {"TILLBOX_KAFKA_BOOTSTRAP", "TILLBOX_REDIS_URL", "TILLBOX_POSTGRES_URL"},
}
#: Given to a program that has no use for it, an access right is one too many.
NOT_FOR = {
    "TILLBOX_WEBHOOK_SECRET": set(REQUIRED) - {"webhook"},
    "TILLBOX_STRIPE_API_KEY": set(REQUIRED) - {"sweep", "reconcile", "warehouse"},
    "TILLBOX_POSTGRES_URL": {"webhook", "score", "features"},
    "TILLBOX_KAFKA_BOOTSTRAP": {"verify"},
    "TILLBOX_REDIS_URL": {"ledger", "console", "prepare", "warehouse", "verify"},
}


def known_variables():
    keys = re.findall(r'^    case (?:(\w+)$|\w+ = "([a-z_.]+)")',
                      re.search(r"(?ms)^enum SettingsKey.*?^}", KEYS.read_text()).group(),
                      re.MULTILINE)
    return {"TILLBOX_" + (bare or key).upper().replace(".", "_") for bare, key in keys}


class Files(unittest.TestCase):
    def test_format(self):
        self.assertEqual(is_formatted(), [], "terraform fmt would change these")

    def test_arguments_are_the_providers(self):
        self.assertGreater(len(resources()), 50)
        faults = [fault for kind, name, body in resources() for fault in provider.faults(
            kind, body)]
        self.assertEqual(faults, [])

    def test_what_is_named_exists(self):
        declared = {(kind, name) for kind, name, _ in resources()}
        for kind, name, field in re.findall(
                r"(?<!data\.)\b(google_\w+)\.(\w+)(?:\[[^\]\n]*\])?(?:\.(\w+))?", text()):
            self.assertIn((kind, name), declared, f"{kind}.{name} is named")
            if field:
                self.assertIn(field, provider.outputs(kind), f"{kind}.{name}.{field}")
        blocks = re.findall(r"(?ms)^locals \{\n(.*?)^\}\n", text())
        local = set(re.findall(r"(?m)^  (\w+) += ", "\n".join(blocks)))
        variables = set(re.findall(r'(?m)^variable "(\w+)"', text()))
        self.assertLessEqual(set(re.findall(r"\blocal\.(\w+)", text())), local)
        self.assertEqual(set(re.findall(r"\bvar\.(\w+)", text())), variables)

    def test_wrong_names_would_be_found(self):
        kind, _, body = next(one for one in resources() if one[0] == "google_redis_instance")
        for name, reason in (("auth_enable", "no argument"), ("maintenance_policy", "is a block")):
            kept = dict(body.attributes)
            body.attributes[name] = True
            try:
                self.assertIn(reason, " ".join(provider.faults(kind, body)))
            finally:
                body.attributes = kept
        kept = body.attributes.pop("memory_size_gb")
        self.assertEqual(
            provider.faults(kind, body), ["google_redis_instance: memory_size_gb is missing"])
        body.attributes["memory_size_gb"] = kept

    def test_images_are_named_by_digest(self):
        images = re.findall(r'(?ms)^variable "(\w*image)" \{\n(.*?)^\}\n', text())
        self.assertEqual(
            {name for name, _ in images}, {"image", "export_image", "psql_image", "metrics_image"})
        for name, body in images:
            if name == "metrics_image":
                # The one exception, with its reason beside it.
                self.assertIn("By its tag, as Google", body)
                continue
            self.assertIn(f'can(regex("@sha256:[0-9a-f]{{64}}$", var.{name}))', body)
            self.assertRegex(body, r'(?m)^  default +=\s""$')
        for kind, name, body in resources():
            if kind == "google_cloud_run_v2_job" and name in ("this", "grants"):
                self.assertIn("lifecycle", dict(body.blocks), name)

    def test_exceptions_have_reasons(self):
        skips = re.findall(r"#checkov:skip=(CKV2?_GCP_\d+)(.*)",
                           "\n".join(path.read_text() for path in MODULE.glob("*.tf")))
        self.assertGreater(len(skips), 0)
        for check, reason in skips:
            self.assertRegex(reason, r"^: .{8,}", check)


class Tables(unittest.TestCase):
    def test_every_size_and_stage_works_out(self):
        for size in SIZES:
            for number, stage in enumerate(STAGES):
                tables = worked_out(size=size, stage=stage)
                self.assertEqual(tables["stages"], [number >= least for least in (1, 2, 3)])
                self.assertEqual(set(tables["programs"]), set(REQUIRED))

    def test_settings_are_the_programs(self):
        known = known_variables()
        self.assertIn("TILLBOX_KAFKA_BOOTSTRAP", known)
        tables = worked_out()
        self.assertEqual(
            tables["plain"]["score"]["TILLBOX_VERDICT_AMOUNT_LIMITS"], "usd:500000")
        # With 1 everybody would be the balancer, and one who guesses would keep out the others.
        self.assertEqual(tables["plain"]["console"]["TILLBOX_ADMIN_PROXY_COUNT"], "2")
        for name, program in tables["programs"].items():
            plain, secret = tables["plain"][name], program["secrets"]
            given = {*plain, *secret}
            self.assertEqual(given - known - OF_OTHERS, set(), f"{name} is given strangers")
            self.assertEqual(REQUIRED[name] - given, set(), f"{name} lacks these")
            self.assertEqual(set(plain) & set(secret), set(), name)
            for variable, value in plain.items():
                self.assertNotEqual(value, "", f"{variable} of {name}")
            for variable, programs in NOT_FOR.items():
                if name in programs:
                    self.assertNotIn(variable, given, f"{name} has no use for it")
            # A file that a setting names is mounted, and no other is.
            wanted = set(re.findall(r"/etc/tillbox/([a-z-]+)/ca\.pem", " ".join(plain.values())))
            self.assertEqual(wanted, set(program["files"]), name)
            self.assertEqual("PGPASSWORD" in secret, program["postgres"] != "", name)

    def test_secrets_are_read_by_who_needs_them(self):
        tables = worked_out()
        readers = {}
        for one in tables["readers"]:
            readers.setdefault(one["secret"], set()).add(one["account"])
            self.assertIn(one["account"], tables["accounts"])
        self.assertEqual(set(readers), set(tables["secrets"]), "a secret that nobody reads")
        self.assertEqual(readers["webhook-signing"], {"webhook"})
        self.assertEqual(readers["stripe-key"], {"reconcile", "warehouse"})
        self.assertEqual(readers["postgres-owner"], {"prepare", "grants"})
        self.assertEqual(readers["postgres-ledger"], {"ledger", "grants"})

    def test_topics_are_the_programs(self):
        cases = re.search(r"(?ms)^package enum TopicID.*?^}", PLACES.read_text()).group()
        topics = set(re.findall(r'case \w+ = "([a-z.]+)"', cases))
        self.assertEqual(len(topics), 7)
        tables = worked_out()
        rights = tables["topic_rights"]
        self.assertEqual(set(rights), topics)
        for topic, one in rights.items():
            for name in one["READ"] + one["WRITE"]:
                self.assertIn(name, tables["kafka_accounts"], topic)
        # Contracts, "Cloud profile": who writes what.
        self.assertEqual(rights["payment.features"]["WRITE"], ["features", "redrive"])
        self.assertEqual(rights["ledger.posted"]["WRITE"], ["ledger"])
        self.assertEqual(
            [topic for topic in rights if "webhook" in rights[topic]["READ"]], [])

    def test_alerts_are_the_boxes(self):
        names = set(re.findall(
            r"- alert: (\w+)", (ROOT / "deploy/monitoring/alerts.yaml").read_text()))
        tables = worked_out()
        self.assertEqual(set(tables["alerts"]) | set(tables["rules_of_a_box"]), names)
        self.assertEqual(set(tables["alerts"]) & set(tables["rules_of_a_box"]), set())
        for name, alert in tables["alerts"].items():
            self.assertNotRegex(alert["text"], r"\{\{|\}\}", name)
            self.assertRegex(alert["duration"], r"^\d+s$", name)
        self.assertIn("${metric.label.instance} is not ready",
                      tables["alerts"]["TillboxNotReady"]["text"])

    def test_nothing_is_public(self):
        for kind, name, body in resources():
            where = f"{kind}.{name}"
            written = repr(body.attributes) + repr(
                [(one, inner.attributes) for one, inner in body.blocks])
            self.assertNotRegex(written, "allUsers|allAuthenticatedUsers", where)
            self.assertNotRegex(written, r"roles/(owner|editor|viewer)\b", where)
            if kind == "google_cloud_run_v2_service":
                self.assertEqual(body.attributes["ingress"],
                                 '"INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"', where)
                # Stripe has no account of Google's; of the console somebody's is asked for.
                self.assertEqual("invoker_iam_disabled" in body.attributes, name == "webhook")
        console = next(body for kind, name, body in resources()
                       if (kind, name) == ("google_compute_backend_service", "console"))
        self.assertEqual(dict(console.blocks)["iap"].attributes, {"enabled": True})

    def test_each_has_an_account_of_its_own(self):
        tables = worked_out()
        runs = {*tables["pools"], *tables["jobs"], "webhook", "console", "warehouse"}
        self.assertEqual(runs, set(tables["programs"]))
        # sweep and reconcile ask Stripe the same, for the same tables.
        self.assertEqual(runs - {"sweep"} | {"grants", "scheduler"}, set(tables["accounts"]))

    def test_processors_and_memory_are_what_cloud_run_has(self):
        # Less than one processor wants billing by requests and one request at a time.
        limits = re.findall(r'limits += \{ cpu = "([^"]+)", memory = (.*) \}', text())
        self.assertGreater(len(limits), 6)
        most = {"1": 4, "2": 8}
        for cpu, memory in limits:
            for amount, unit in re.findall(r"(\d+)(Mi|Gi)", memory):
                gib = int(amount) / (1024 if unit == "Mi" else 1)
                self.assertTrue(0.5 <= gib <= most[cpu], f"{cpu} with {memory}")

    def test_sizes_agree(self):
        for name, size in worked_out()["sizes"].items():
            self.assertGreaterEqual(size["partitions"], 2 * size["score_instances"], name)
            self.assertGreaterEqual(size["kafka_memory_gib"], size["kafka_vcpu"], name)
            self.assertLessEqual(size["kafka_memory_gib"], 8 * size["kafka_vcpu"], name)

    def test_costs_are_those_of_the_page(self):
        page = (ROOT / "docs/GCP.md").read_text()
        self.assertIn(costs.table(), page, "docs/GCP.md: run deploy/gcp/tests/costs.py")
        self.assertIn(costs.prices(), page)


if __name__ == "__main__":
    unittest.main()
