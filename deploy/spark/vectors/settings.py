"""The job's settings: the environment of the cloud roles, and arguments of its own."""

import argparse
import json
import os
import pathlib
import re
from dataclasses import dataclass

from features import NAMES

ROOT = pathlib.Path(__file__).resolve().parents[3]


class BadSetting(Exception):
    """One sentence with what to do."""


@dataclass
class Settings:
    bootstrap: str
    topic_prefix: str
    security: str
    username: str | None
    password_file: str | None
    ca_file: str | None
    redis_url: str
    redis_password_file: str | None
    redis_ca_file: str | None
    redis_prefix: str
    customers_max: int
    movements_max: int
    merchants_max: int
    #: The model schema's version, which every vector names.
    schema: str
    checkpoint: str
    master: str | None
    source: str
    records_max: int
    trigger_seconds: float
    shuffle_partitions: int
    is_once: bool


def parser():
    made = argparse.ArgumentParser(
        prog="job.py",
        description="Computes the feature vectors of payments: payment.validated in, Redis and "
        "then payment.features out. Reads TILLBOX_KAFKA_*, TILLBOX_REDIS_* and "
        "TILLBOX_FEATURES_* as the cloud roles do (docs/CONFIGURATION.md). Exit codes: 0 "
        "stopped by a signal, or done with --once; 2 wrong usage; 3 cannot run.")
    made.add_argument(
        "--checkpoint", required=True,
        help="folder of offsets and state: a path, or gs://… where Spark can reach it. Keep it; "
        "one job a checkpoint")
    made.add_argument(
        "--schema", default=str(ROOT / "model/schema.json"), metavar="FILE",
        help="the model's schema.json, for its version (default: the repository's)")
    made.add_argument("--master", help="Spark's master, such as local[2]; spark-submit's wins")
    made.add_argument(
        "--source", choices=("python", "jar"), default="python",
        help="how Kafka is read: by the data source in this folder, or by Spark's own, whose jar "
        "spark-sql-kafka-0-10 you bring (default: python)")
    made.add_argument(
        "--records-max", type=int, default=10_000, metavar="N",
        help="records a micro-batch, 1 to 1000000 (default: 10000)")
    made.add_argument(
        "--trigger-seconds", type=float, default=0.0, metavar="S",
        help="begin a micro-batch at most so often, 0 to 3600; 0 at once (default: 0)")
    made.add_argument(
        "--shuffle-partitions", type=int, default=2, metavar="N",
        help="tasks of each stage, 1 to 1024; a checkpoint keeps those that it was begun with "
        "(default: 2)")
    made.add_argument(
        "--once", action="store_true", help="end when what is there at the start is computed")
    return made


def read(arguments=None, environment=None):
    """Raises BadSetting; ends with exit code 2 for arguments that are none."""
    made = parser()
    given = made.parse_args(arguments)
    for name, value, least, most in (
            ("--records-max", given.records_max, 1, 1_000_000),
            ("--shuffle-partitions", given.shuffle_partitions, 1, 1024),
            ("--trigger-seconds", given.trigger_seconds, 0, 3600)):
        if not least <= value <= most:
            made.error(f"{name} is {value}; it may be {least} to {most}")
    take = _Taker(os.environ if environment is None else environment)
    settings = Settings(
        bootstrap=take.needed("KAFKA_BOOTSTRAP"),
        topic_prefix=take.text("KAFKA_TOPIC_PREFIX") or "",
        security=take.word(
            "KAFKA_SECURITY", "plaintext", ("plaintext", "tls", "sasl_plain", "sasl_google")),
        username=take.text("KAFKA_USERNAME"), password_file=take.text("KAFKA_PASSWORD_FILE"),
        ca_file=take.text("KAFKA_CA_FILE"), redis_url=take.needed("REDIS_URL"),
        redis_password_file=take.text("REDIS_PASSWORD_FILE"),
        redis_ca_file=take.text("REDIS_CA_FILE"),
        redis_prefix=take.text("REDIS_PREFIX") or "tillbox:",
        customers_max=take.count("FEATURES_CUSTOMERS_MAX", 1_000_000),
        movements_max=take.count("FEATURES_MOVEMENTS_MAX", 262_144), merchants_max=65_536,
        schema=_schema_version(given.schema), checkpoint=given.checkpoint, master=given.master,
        source=given.source, records_max=given.records_max, trigger_seconds=given.trigger_seconds,
        shuffle_partitions=given.shuffle_partitions, is_once=given.once)
    if settings.security == "sasl_plain" and not (settings.username and settings.password_file):
        raise BadSetting(
            "TILLBOX_KAFKA_SECURITY is sasl_plain: set TILLBOX_KAFKA_USERNAME and "
            "TILLBOX_KAFKA_PASSWORD_FILE too")
    if settings.security == "sasl_google" and not settings.username:
        raise BadSetting(
            "TILLBOX_KAFKA_SECURITY is sasl_google: set TILLBOX_KAFKA_USERNAME to the service "
            "account's mail address")
    return settings


class _Taker:
    def __init__(self, environment):
        self.environment = environment

    def text(self, key):
        return self.environment.get(f"TILLBOX_{key}") or None

    def needed(self, key):
        found = self.text(key)
        if found is None:
            raise BadSetting(f"TILLBOX_{key} is not set; docs/SPARK.md lists what the job needs")
        return found

    def word(self, key, default, words):
        found = self.text(key) or default
        if found not in words:
            raise BadSetting(f"TILLBOX_{key} is {found}; it may be {', '.join(words)}")
        return found

    def count(self, key, default):
        found = self.text(key) or str(default)
        if not re.fullmatch(r"[0-9]{1,10}", found) or not 1 <= int(found) <= 2**31:
            raise BadSetting(f"TILLBOX_{key} is {found}; it may be 1 to {2**31}")
        return int(found)


def _schema_version(path):
    try:
        with open(path, encoding="utf-8") as file:
            schema = json.load(file)
        version, names = schema["version"], schema["features"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadSetting(
            f"{path} is no model schema ({error}); name the model's schema.json with --schema"
        ) from None
    if names != NAMES or not isinstance(version, str):
        raise BadSetting(
            f"{path} has other features than this job computes: take the job and the model of one "
            "release")
    return version
