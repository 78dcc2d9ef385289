#!/usr/bin/env python3
"""Days offline: webhooks pile up while every target of the bridges is gone; then all are back.

Starts a Kafka-protocol broker (noida-db), Redis and Postgres of its own, and edge daemons beside
them, and says what docs/BENCHMARKS.md quotes: records a second into each target while the backlog
is worked off, beside librdkafka's own producer and COPY; what the answers to webhooks take with
three bridges, without, and while the targets are gone; how far the bridges are behind. At the end
`bridge verify` compares both sides of each bridge: a record that is missing or there twice ends the
campaign with exit code 1.

    catch_up.py TILLBOX [COUNT]     COUNT: records that pile up, about (default 1,000,000)
"""
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

TILLBOX = os.path.abspath(sys.argv[1])
COUNT = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
# A webhook of the templates becomes about three and a half records of the log.
WEBHOOKS = max(200, COUNT * 2 // 7)
NAMES = ["kafka", "redis", "postgres"]
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PLACE = tempfile.mkdtemp(prefix="tillbox-catch-up-")
# noida-db answers a fetch with all that a partition holds from there on, however much was asked
# for, and a client takes 9 MiB at most: so many partitions keep each below that.
PARTITIONS = max(4, WEBHOOKS // 3_000)
PACED = 1_000  # webhooks a second
PACED_SECONDS = int(os.environ.get("PACED_SECONDS", "15"))
children = []
#: Ports that were asked for so far.
given = set()


def free_port():
    """Below the range from which Linux takes ports by itself: it stays free while a server is
    away."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as one:
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in given:
            given.add(port)
            return port


def spawn(words, name, **more):
    out = open(f"{PLACE}/{name}.out", "ab")
    child = subprocess.Popen(words, stdout=out, stderr=out, stdin=subprocess.DEVNULL, **more)
    children.append(child)
    return child


def end(child, how=signal.SIGTERM):
    if child.poll() is None:
        child.send_signal(how)
        child.wait(60)


def until(what, condition, seconds=120, pause=0.05):
    deadline = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except OSError:
            pass
        if time.monotonic() > deadline:
            raise SystemExit(f"not within {seconds} s: {what}; see {PLACE}")
        time.sleep(pause)


def listens(port):
    with socket.socket() as one:
        one.settimeout(1)
        return one.connect_ex(("127.0.0.1", port)) == 0


class Servers:
    def __init__(self):
        self.kafka_port, self.redis_port, self.postgres_port = free_port(), free_port(), free_port()
        self.as_postgres = []
        if os.getuid() == 0:
            self.as_postgres = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
            os.chmod(PLACE, 0o755)
        top = "/usr/lib/postgresql"
        self.postgres_bin = f"{top}/{max(os.listdir(top), key=int)}/bin"
        os.mkdir(f"{PLACE}/pg")
        if os.getuid() == 0:
            shutil.chown(f"{PLACE}/pg", "postgres")
        subprocess.run(
            self.as_postgres + [f"{self.postgres_bin}/initdb", "-D", f"{PLACE}/pg/data", "-U",
                                "postgres", "-A", "trust", "-E", "UTF8", "--locale", "C.UTF-8"],
            check=True, stdout=subprocess.DEVNULL)
        with open(f"{PLACE}/pg/data/postgresql.conf", "a") as settings:
            settings.write(f"\nport = {self.postgres_port}\nunix_socket_directories = ''\n"
                           "max_wal_size = 4GB\n")
        packages = f"{ROOT}/.venv/lib"
        version = next(name for name in os.listdir(packages) if name.startswith("python3"))
        self.noida = f"{packages}/{version}/site-packages/noida_db/noida-db"
        os.chmod(self.noida, 0o755)
        os.mkdir(f"{PLACE}/kafka")
        os.mkdir(f"{PLACE}/redis")
        self.start()

    def start(self):
        self.postgres = spawn(
            self.as_postgres + [f"{self.postgres_bin}/postgres", "-D", f"{PLACE}/pg/data"],
            "postgres")
        self.redis = spawn(
            ["redis-server", "--port", str(self.redis_port), "--dir", f"{PLACE}/redis", "--save",
             "", "--appendonly", "no"], "redis")
        self.kafka = spawn(
            [self.noida, "start", "--only", "kafka", "--data-dir", f"{PLACE}/kafka",
             "--kafka-port", str(self.kafka_port)], "kafka")
        for port in (self.kafka_port, self.redis_port, self.postgres_port):
            until(f"port {port} listens", lambda: listens(port))
        until("Postgres answers", lambda: self.sql("SELECT 1", check=False).returncode == 0)

    def stop(self):
        end(self.postgres, signal.SIGINT)
        end(self.redis)
        end(self.kafka)

    def uri(self, database):
        return f"postgresql://postgres@127.0.0.1:{self.postgres_port}/{database}"

    def sql(self, text, database="postgres", check=True):
        return subprocess.run(
            ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", self.uri(database), "-c",
             text], check=check, capture_output=True, text=True)


class Daemon:
    def __init__(self, name, servers=None):
        self.webhook, self.admin = free_port(), free_port()
        self.data = f"{PLACE}/{name}"
        self.environment = dict(
            os.environ, TILLBOX_DATA=self.data, TILLBOX_WEBHOOK_SECRET="whsec_test",
            TILLBOX_WEBHOOK_PORT=str(self.webhook), TILLBOX_ADMIN_PORT=str(self.admin))
        if servers:
            self.environment.update(
                TILLBOX_BRIDGES=",".join(NAMES), TILLBOX_KAFKA_TOPIC_PREFIX=f"{name}.",
                TILLBOX_KAFKA_BOOTSTRAP=f"127.0.0.1:{servers.kafka_port}",
                TILLBOX_KAFKA_PARTITIONS=str(PARTITIONS), TILLBOX_REDIS_PREFIX=f"{name}:",
                TILLBOX_REDIS_URL=f"redis://127.0.0.1:{servers.redis_port}",
                TILLBOX_POSTGRES_URL=servers.uri(name))
        self.child = spawn([TILLBOX, "run"], name, env=self.environment)
        for port in (self.webhook, self.admin):
            until("the daemon listens", lambda: listens(port))

    def run(self, *words):
        return subprocess.run([TILLBOX, *words], env=self.environment, capture_output=True,
                              text=True)

    def told(self, *words):
        """A command that has to succeed."""
        ran = self.run(*words)
        if ran.returncode != 0:
            raise SystemExit(f"tillbox {' '.join(words)}: {ran.stdout}{ran.stderr}")

    def bridges(self):
        with open(f"{self.data}/console/token") as file:
            shown = {"Authorization": f"Bearer {file.read().strip()}"}
        with urllib.request.urlopen(urllib.request.Request(
                f"http://127.0.0.1:{self.admin}/api/v1/bridges", headers=shown)) as answer:
            return {one["name"]: one for one in json.load(answer)["bridges"]}

    def simulate(self, count, rate, seed):
        ran = self.run("simulate", "--to", f"http://127.0.0.1:{self.webhook}/webhooks/stripe",
                       "--secret", "whsec_test", "--templates", "--json", "--count", str(count),
                       "--rate", str(rate), "--seed", str(seed), "--connections", "64")
        if ran.returncode != 0:
            raise SystemExit(f"simulate: {ran.stdout}{ran.stderr}")
        return json.loads(ran.stdout)

    def caught_up(self, seconds=600):
        def behind():
            found = self.bridges().values()
            stopped = [one["last_error"] for one in found if one["state"] == "stopped"]
            if stopped:
                raise SystemExit(f"a bridge stopped: {stopped}")
            return all(one["lag"] == 0 and one["state"] == "running" for one in found)
        # The ledger books a moment after the last answer.
        until("the bridges have come to the end", behind, seconds)


def say(line):
    print(line, flush=True)


def latency(report):
    found = report["latency_ms"]
    return f"p50 {found['p50']:.1f} ms, p99 {found['p99']:.1f} ms, max {found['max']:.1f} ms"


def watch_lag(daemon, seconds):
    """Samples of what is not copied, in records, by bridge."""
    samples = {name: [] for name in NAMES}
    stop = time.monotonic() + seconds
    while time.monotonic() < stop:
        for name, bridge in daemon.bridges().items():
            samples[name].append(bridge["lag"])
        time.sleep(0.02)
    return samples


def beside(daemon, without, rounds=3):
    """Answers to webhooks with three bridges and without, in turn."""
    for turn in range(rounds):
        for name, one in (("three bridges", daemon), ("no bridges", without)):
            report = one.simulate(PACED * PACED_SECONDS, PACED, 100 + turn)
            say(f"answers at {PACED}/s, {name}: {latency(report)}")


def lag_at_pace(daemon):
    load = subprocess.Popen(
        [TILLBOX, "simulate", "--to", f"http://127.0.0.1:{daemon.webhook}/webhooks/stripe",
         "--secret", "whsec_test", "--templates", "--count", str(PACED * PACED_SECONDS), "--rate",
         str(PACED), "--seed", "200", "--connections", "64"],
        env=daemon.environment, stdout=subprocess.DEVNULL)
    before = {name: bridge["delivered"] for name, bridge in daemon.bridges().items()}
    until("three seconds of the load are copied", lambda: all(
        bridge["delivered"] >= before[name] + 3 * PACED
        for name, bridge in daemon.bridges().items()))
    samples = watch_lag(daemon, max(3, PACED_SECONDS - 5))
    load.wait()
    for name, found in samples.items():
        found.sort()
        say(f"behind at {PACED} webhooks/s, {name}: median {found[len(found) // 2]} records, "
            f"p99 {found[len(found) * 99 // 100]}")


def work_off(daemon, servers):
    servers.start()
    begun = time.monotonic()
    before = {name: one["lag"] for name, one in daemon.bridges().items()}
    for name in NAMES:
        daemon.told("bridge", "resume", name)
    done = {}

    def all_done():
        for name, one in daemon.bridges().items():
            if one["state"] == "stopped":
                raise SystemExit(f"{name} stopped: {one['last_error']}")
            if one["lag"] == 0 and one["state"] == "running":
                done.setdefault(name, time.monotonic() - begun)
        return len(done) == len(NAMES)

    until("the backlog is copied", all_done, 3_600, 0.1)
    rates = {}
    for name, seconds in sorted(done.items(), key=lambda one: one[1]):
        rates[name] = before[name] / seconds
        say(f"caught up, {name}: {before[name]} records in {seconds:.1f} s, "
            f"{rates[name]:.0f} records/s, all three at once")
    return rates


def verify(daemon):
    for name in NAMES:
        found = daemon.run("bridge", "verify", name)
        for _ in range(3):
            # Only 1 says that the two sides differ; 3, that one of them could not be read.
            if found.returncode != 3:
                break
            say(f"verify {name} again: {found.stderr.strip()}")
            found = daemon.run("bridge", "verify", name)
        say(f"verify {name}: {'equal' if found.returncode == 0 else found.stderr.strip()}")
        if found.returncode != 0:
            raise SystemExit(1)


# MARK: Peers

SHIM = """#pragma once
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
typedef int64_t rd_ts_t;
#define rd_snprintf snprintf
#define RD_MIN(a, b) ((a) < (b) ? (a) : (b))
#define RD_MAX(a, b) ((a) > (b) ? (a) : (b))
static inline rd_ts_t rd_clock(void) {
    struct timeval now;
    gettimeofday(&now, NULL);
    return (rd_ts_t)now.tv_sec * 1000000 + now.tv_usec;
}
"""


def performance_tool():
    """librdkafka's own, from its package's examples, which leave out a header of its sources."""
    top = f"{PLACE}/tool"
    for folder in ("src", "examples"):
        os.makedirs(f"{top}/{folder}")
    example = "/usr/share/doc/librdkafka-dev/examples/rdkafka_performance.c"
    shutil.copy(example, f"{top}/examples/")
    open(f"{top}/src/rd.h", "w").write(SHIM)
    open(f"{top}/examples/rd.h", "w").write('#include "../src/rd.h"\n')
    open(f"{top}/examples/rdtime.h", "w").write("\n")
    tool = f"{top}/rdkafka_performance"
    subprocess.run(
        ["gcc", "-O2", "-w", "-D_GNU_SOURCE", "-I/usr/include/librdkafka", f"-I{top}/examples",
         f"{top}/examples/rdkafka_performance.c", "-o", tool, "-lrdkafka", "-lz", "-lpthread",
         "-lm"], check=True)
    return tool


def kafka_peer(tool, servers, topic, count, size):
    """The same number of records of their mean size, as the bridge's producer is set up."""
    begun = time.monotonic()
    subprocess.run(
        [tool, "-P", "-t", topic, "-b", f"127.0.0.1:{servers.kafka_port}", "-c", str(count), "-s",
         str(size), "-a", "-1", "-z", "lz4", "-X", "enable.idempotence=true", "-X", "linger.ms=2",
         "-X", "queue.buffering.max.kbytes=32768", "-X", "message.max.bytes=2097152", "-q"],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seconds = time.monotonic() - begun
    say(f"rdkafka_performance: {count} records of {size} bytes in {seconds:.1f} s, "
        f"{count / seconds:.0f} records/s")
    return count / seconds


BATCH = 2_048


def postgres_peer(servers, source):
    """COPY of the copy's accounts, transactions and entries into an empty ledger, with all of its
    rules, in transactions as large as the bridge's."""
    servers.sql("CREATE DATABASE peer")
    subprocess.run(
        ["psql", "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", servers.uri("peer"), "-f",
         f"{ROOT}/migrations/postgres/0001_ledger.sql"], check=True)
    last = int(servers.sql("SELECT last FROM tillbox.head", source).stdout)
    accounts = servers.sql(
        "COPY (SELECT id, name, currency FROM tillbox.accounts ORDER BY id) TO STDOUT",
        source).stdout
    path = f"{PLACE}/peer.sql"
    with open(path, "w") as script:
        script.write("SET search_path = tillbox; SET jit = off; SET enable_seqscan = off;\n")
        script.write("BEGIN; UPDATE head SET revision = revision + 1;\n"
                     f"COPY accounts (id, name, currency) FROM STDIN;\n{accounts}\\.\nCOMMIT;\n")
        for first in range(1, last + 1, BATCH):
            script.write("BEGIN; UPDATE head SET revision = revision + 1;\n")
            for table, key in (("transactions", "id"), ("entries", "transaction_id")):
                rows = servers.sql(
                    f"COPY (SELECT * FROM tillbox.{table} WHERE {key} BETWEEN {first} AND "
                    f"{first + BATCH - 1} ORDER BY 1) TO STDOUT", source).stdout
                script.write(f"COPY {table} FROM STDIN;\n{rows}\\.\n")
            script.write("COMMIT;\n")
    begun = time.monotonic()
    subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", servers.uri("peer"), "-f", path],
                   check=True, stdout=subprocess.DEVNULL)
    seconds = time.monotonic() - begun
    say(f"COPY with the same rules: {last} transactions in {seconds:.1f} s, "
        f"{last / seconds:.0f} transactions/s")
    return last, last / seconds


def mean_size(daemon):
    """Bytes of the log's segments by record."""
    count = sum(place["end"] for place in daemon.bridges()["kafka"]["topics"])
    total = 0
    for folder, _, names in os.walk(f"{daemon.data}/log"):
        if "__cursors" not in folder:
            total += sum(os.path.getsize(f"{folder}/{name}") for name in names
                         if name.endswith(".log"))
    return max(1, total // max(1, count))


def main():
    say(f"{COUNT} records, {WEBHOOKS} webhooks; load before {os.getloadavg()[0]:.2f}; "
        f"scratch files in {PLACE}")
    servers = Servers()
    servers.sql("CREATE DATABASE box")
    daemon, without = Daemon("box", servers), Daemon("without")
    until("every bridge runs", lambda: all(
        one["state"] == "running" for one in daemon.bridges().values()))
    daemon.simulate(1_000, 0, 1)
    daemon.caught_up()
    beside(daemon, without)
    lag_at_pace(daemon)
    daemon.caught_up()

    servers.stop()
    begun = time.monotonic()
    report = daemon.simulate(WEBHOOKS, 0, 2)
    seconds = time.monotonic() - begun
    say(f"targets gone: {WEBHOOKS} webhooks answered in {seconds:.1f} s, "
        f"{WEBHOOKS / seconds:.0f}/s")
    paced = daemon.simulate(PACED * PACED_SECONDS, PACED, 3)
    say(f"answers at {PACED}/s, targets gone: {latency(paced)}")
    same = without.simulate(PACED * PACED_SECONDS, PACED, 3)
    say(f"answers at {PACED}/s, no bridges: {latency(same)}")
    # Redis comes back empty, as a cache does: the bridge writes its week again.
    work_off(daemon, servers)
    verify(daemon)

    # Each by itself, into empty targets, beside its peer.
    for name in NAMES:
        daemon.told("bridge", "pause", name)
    end(daemon.child)
    daemon.environment.update(
        TILLBOX_KAFKA_TOPIC_PREFIX="again.", TILLBOX_REDIS_PREFIX="again:",
        TILLBOX_POSTGRES_URL=servers.uri("again"))
    servers.sql("CREATE DATABASE again")
    daemon.child = spawn([TILLBOX, "run"], "box", env=daemon.environment)
    until("the daemon listens", lambda: listens(daemon.admin))
    # The place is what the new target says; paused, the note of the old one stands.
    rates = {}
    for name in NAMES:
        daemon.told("bridge", "resume", name)
        until("it runs", lambda: daemon.bridges()[name]["state"] == "running")
        total = sum(place["end"] for place in daemon.bridges()[name]["topics"])
        begun = time.monotonic()
        until(f"{name} has come to the end", lambda: daemon.bridges()[name]["lag"] == 0, 3_600)
        seconds = time.monotonic() - begun
        copied = daemon.bridges()[name]["delivered"]
        rates[name] = copied / seconds
        say(f"alone, {name}: {copied} of {total} records in {seconds:.1f} s, "
            f"{rates[name]:.0f} records/s")
        daemon.told("bridge", "pause", name)
    count = sum(place["end"] for place in daemon.bridges()["kafka"]["topics"])
    peer = kafka_peer(performance_tool(), servers, "peer", count,
                      mean_size(daemon))
    say(f"Kafka: {rates['kafka'] / peer:.2f} of rdkafka_performance")
    last, peer = postgres_peer(servers, "box")
    scored = daemon.bridges()["postgres"]["delivered"]
    say(f"Postgres: {rates['postgres'] * last / scored / peer:.2f} of COPY, in transactions")


try:
    main()
finally:
    for child in reversed(children):
        if child.poll() is None:
            child.send_signal(signal.SIGINT)
    for child in children:
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()
    if sys.exc_info()[0] is None:
        shutil.rmtree(PLACE, ignore_errors=True)
