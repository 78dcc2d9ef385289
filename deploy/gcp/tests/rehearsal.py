#!/usr/bin/env python3
"""Moving a running box into the cloud, rehearsed on loopback: docs/GCP.md, "Moving a box in".

    TILLBOX=… .venv/bin/python3 deploy/gcp/tests/rehearsal.py

A broker, Redis and a PostgreSQL that wants passwords; the roles' users and rights in Postgres are
made by the same file as in Google's cloud, and each role has its own password in PGPASSWORD. A box
takes traffic, a person decides reviews there; bridges copy it; the endpoint moves; the roles begin.
Prints a line for each claim that held. Exit code 0 when all of them did.
"""
import collections
import importlib.machinery
import importlib.util
import json
import os
import secrets
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

from kafka import KafkaConsumer, TopicPartition

ROOT = Path(__file__).resolve().parents[3]
PREFIX = "tillbox."
#: The box's deliveries before and behind the start of its bridges, and those behind the move.
BEFORE, MEANWHILE, BEHIND = 600, 300, 400


def module(name, path):
    loader = importlib.machinery.SourceFileLoader(name, str(path))
    found = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(found)
    return found


cloud = module("cloud", ROOT / ".ci/cloud")


def claim(holds, text):
    if not holds:
        raise cloud.Trouble(f"does not hold: {text}")
    print(f"ok: {text}", flush=True)


class Place(cloud.Cloud):
    """The servers of `make cloud` with users in Postgres, the roles, and a box beside them."""

    def __init__(self, folder):
        super().__init__(folder, partitions=3)
        self.ports |= {name: cloud.free_port() for name in ("box", "admin-box", "admin-console")}
        self.passwords = {
            name: secrets.token_hex(16)
            for name in ("owner", "ledger", "console", "reconcile", "reader")}
        self.environment |= {
            "TILLBOX_KAFKA_TOPIC_PREFIX": PREFIX, "TILLBOX_REDIS_PREFIX": "tillbox:"}
        self.box_environment = {
            **self.environment, "TILLBOX_PROFILE": "edge",
            "TILLBOX_DATA": os.path.join(folder, "box"),
            "TILLBOX_ADMIN_PORT": str(self.ports["admin-box"]),
            "TILLBOX_WEBHOOK_PORT": str(self.ports["box"]),
        }
        for name in ("TILLBOX_POSTGRES_URL", "TILLBOX_ADMIN_TOKEN"):
            del self.box_environment[name]

    def with_user(self, user):
        """What a program is told that uses this user: the password is no part of the address."""
        name = "tillbox" if user == "owner" else f"tillbox_{user}"
        return {
            **self.environment, "PGPASSWORD": self.passwords[user],
            "TILLBOX_POSTGRES_URL": f"postgresql://{name}@127.0.0.1:{self.ports['postgres']}"
                                    "/tillbox?connect_timeout=3"}

    def psql(self, words, **environment):
        return cloud.done(
            ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", *words],
            env={"PATH": os.environ["PATH"], **environment})

    def wants_passwords(self):
        """As Cloud SQL: an owner who is no superuser, and a password from everybody on the net."""
        socket = ["-h", self.folder, "-p", str(self.ports["postgres"]), "-U", "postgres"]
        self.psql([*socket, "-d", "tillbox", "-c",
                   f"CREATE ROLE tillbox LOGIN CREATEROLE PASSWORD '{self.passwords['owner']}'; "
                   "ALTER DATABASE tillbox OWNER TO tillbox"])
        Path(self.folder, "data/pg_hba.conf").write_text(
            "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        self.psql([*socket, "-c", "SELECT pg_reload_conf()"])

    def prepare(self):
        """The jobs `prepare` and `grants`."""
        cloud.done([cloud.TILLBOX, "cloud", "prepare"], env=self.with_user("owner"))
        migrations = ROOT / "migrations"
        parts = [(ROOT / "deploy/gcp/roles.sql").read_text()]
        for role, path in (
                ("ledger", "postgres/grants.sql"), ("reconcile", "postgres/grants.sql"),
                ("console", "postgres-console/grants.sql")):
            parts += [f"\\set role tillbox_{role}", (migrations / path).read_text()]
        file = Path(self.folder, "grants.sql")
        file.write_text("\n".join(parts))
        owner = self.with_user("owner")
        passwords = {
            f"{name.upper()}_PASSWORD": word
            for name, word in self.passwords.items() if name != "owner"}
        for _ in range(2):
            self.psql(["-1", "-f", str(file), owner["TILLBOX_POSTGRES_URL"]],
                      PGPASSWORD=owner["PGPASSWORD"], **passwords)

    def instance(self, role, user=None):
        """Starts a role with its own user; returns once it is ready."""
        more = {"TILLBOX_ADMIN_PORT": str(self.ports[f"admin-{role}"])}
        if role == "webhook":
            more["TILLBOX_WEBHOOK_PORT"] = str(self.ports["webhook"])
        base = self.with_user(user) if user else {
            name: value for name, value in self.environment.items()
            if name != "TILLBOX_POSTGRES_URL"}
        child = self.start(
            role, [cloud.TILLBOX, "run", "--role", role], env={**base, **more})
        cloud.until(f"the role {role} is ready", lambda: self.status(role), process=child)
        return child

    # The box

    def start_box(self, bridges=""):
        more = {"TILLBOX_BRIDGES": bridges} if bridges else {}
        child = self.start(
            "box", [cloud.TILLBOX, "run"], env={**self.box_environment, **more})
        cloud.until("the box is ready", lambda: self.answers("admin-box"), process=child)
        self.has_bridges = more
        return child

    def answers(self, port):
        try:
            with urllib.request.urlopen(
                    f"http://127.0.0.1:{self.ports[port]}/readyz", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def box(self, *words):
        return cloud.done(
            [cloud.TILLBOX, *words], env={**self.box_environment, **self.has_bridges})

    LINES = "SELECT movement, account, currency, amount FROM {}lines"

    def booked_at_box(self):
        """What each payment is in each account, by the box's own ledger."""
        with sqlite3.connect(f"file:{self.folder}/box/ledger.sqlite?mode=ro", uri=True) as ledger:
            return summed(ledger.execute(self.LINES.format("")))

    def booked(self):
        """The same of the ledger in Postgres."""
        reader = self.with_user("reader")
        rows = cloud.done(
            ["psql", "-X", "-A", "-t", "-F", "\t", "-c", self.LINES.format("tillbox."),
             reader["TILLBOX_POSTGRES_URL"]], env=reader)
        return summed(row.split("\t") for row in rows.splitlines())

    def has_copied(self):
        bridges = json.loads(self.box("bridge", "list", "--json"))["bridges"]
        return all(one["state"] == "running" and one["lag"] == 0 for one in bridges)

    # Traffic

    def send(self, to, seed, count, *more, is_known=False):
        """The simulator's traffic to a port, answered to its end: its report.

        is_known: every event was told before, elsewhere, which the simulator calls a difference.
        """
        ran = subprocess.run(
            [cloud.TILLBOX, "simulate", "--to",
             f"http://127.0.0.1:{self.ports[to]}/webhooks/stripe", "--secret", cloud.SECRET,
             "--templates", "--rate", "0", "--count", str(count), "--seed", str(seed), "--fraud",
             "0.05", "--json", *more],
            capture_output=True, text=True,
            env=self.with_user("reader"), preexec_fn=cloud.die_with_parent)
        if ran.returncode not in (0, 1):
            raise cloud.Trouble(f"simulate --seed {seed}: {ran.stderr.strip()}")
        report = json.loads(ran.stdout)
        expected = {"called_duplicate_at_first": count} if is_known else {}
        if report["differences"] != expected:
            raise cloud.Trouble(f"simulate --seed {seed}: {report['differences']}")
        return report

    def stored(self):
        """How often each event stands in webhook.received at Kafka."""
        consumer = KafkaConsumer(
            bootstrap_servers=f"127.0.0.1:{self.ports['kafka']}", enable_auto_commit=False,
            isolation_level="read_committed", auto_offset_reset="earliest")
        partitions = [TopicPartition(f"{PREFIX}webhook.received", n) for n in range(3)]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        ends, found = consumer.end_offsets(partitions), collections.Counter()
        while any(consumer.position(one) < ends[one] for one in partitions):
            for records in consumer.poll(timeout_ms=1000).values():
                found.update(json.loads(record.value)["id"] for record in records)
        consumer.close()
        return found


def summed(lines):
    """(movement, account, currency) -> sum, without those that are 0.

    A decision that is read before its payment books at once what else is held and then released:
    the two are one movement here.
    """
    sums = collections.Counter()
    for movement, account, currency, amount in lines:
        sums[movement.removeprefix("released:"), account, currency] += int(amount)
    return {key: amount for key, amount in sums.items() if amount}


def reviews(text):
    return {one["movement"] for one in json.loads(text)["reviews"]}


def decide(place):
    """A person releases one held payment at the box and declines another."""
    held = sorted(reviews(place.box("review", "list", "--json", "--limit", "1000")))
    claim(len(held) >= 3, f"{len(held)} payments are held at the box")
    for verb, movement in zip(("approve", "decline"), held):
        place.box("review", verb, movement, "--note", "before the move")
    cloud.until("the decisions are booked", lambda: not (
        {held[0], held[1]} & reviews(place.box("review", "list", "--json", "--limit", "1000"))))
    return held[0], held[1]


def rehearse(place):
    place.servers()
    place.wants_passwords()
    box = place.start_box()
    place.send("box", 1, BEFORE)
    released, declined = decide(place)
    stop(box)

    # The cloud's ground: topics, tables, users. Then the bridges, while the box goes on.
    place.prepare()
    box = place.start_box(bridges="kafka,redis")
    place.send("box", 2, MEANWHILE)
    cloud.until("the bridges have copied all", place.has_copied)
    for name in ("kafka", "redis"):
        place.box("bridge", "verify", name)
    claim(True, "both bridges agree with the box")
    at_box = reviews(place.box("review", "list", "--json", "--limit", "1000"))
    stop(box)
    booked = place.booked_at_box()

    # The endpoint. Stripe may repeat anything that the box has answered.
    place.instance("webhook")
    again = place.send("webhook", 2, MEANWHILE, is_known=True)["answers"]
    claim(again["accepted"] == 0 and again["duplicates"] == MEANWHILE,
          f"{MEANWHILE} events that the box has answered are known to the webhook role")
    new = place.send("webhook", 3, BEHIND)["answers"]
    claim(new["accepted"] == BEHIND, f"{BEHIND} events are taken while no role reads")

    # The roles.
    place.instance("ledger", "ledger")
    place.instance("score")
    place.start("features", [cloud.TILLBOX, "cloud", "features"], env={
        name: value for name, value in place.environment.items()
        if name != "TILLBOX_POSTGRES_URL"})
    for seed, count in ((1, BEFORE), (2, MEANWHILE), (3, BEHIND)):
        proof = place.send("webhook", seed, count, "--prove-cloud", is_known=True)["ledger"]
        claim(proof["movements"] > 0 and not proof["missing"] and not proof["different"],
              f"{proof['movements']} movements of {count} deliveries are booked as told")
    found = place.stored()
    claim(len(found) == BEFORE + MEANWHILE + BEHIND and set(found.values()) == {1},
          f"each of {len(found)} events stands once in webhook.received")

    reader = place.with_user("reader")
    text = cloud.done([cloud.TILLBOX, "review", "list", "--json", "--limit", "1000"], env=reader)
    claim(at_box <= reviews(text), f"{len(at_box)} payments that the box held are held")
    claim(not {released, declined} & reviews(text), "what a person decided at the box is decided")
    now, there = place.booked(), {movement for movement, _, _ in booked}
    moved = {key: amount for key, amount in now.items() if key[0] in there}
    claim(moved == booked and len(now) > len(moved),
          f"{len(there)} movements of the box stand in the same accounts, to the cent")
    cloud.done([cloud.TILLBOX, "ledger", "verify"], env=reader)
    claim(True, "the ledger verifies")
    place.instance("console", "console")
    claim(True, "the console begins with its own rights")


def stop(child):
    child.terminate()
    claim(child.wait(timeout=20) == 0, f"the {child.name} ends by itself")


def main():
    folder = tempfile.mkdtemp(prefix="tillbox-move-", dir="/tmp")
    place = Place(folder)
    is_well = False
    try:
        rehearse(place)
        is_well = True
    except cloud.Trouble as trouble:
        print(f"rehearsal: {trouble}", file=sys.stderr)
    finally:
        for child in place.children:
            child.name = "webhook" if child.name in ("box", "console") else child.name
        is_well = place.stop() and is_well
        if is_well:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            print(f"what each of them said is in {folder}", file=sys.stderr)
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main())
