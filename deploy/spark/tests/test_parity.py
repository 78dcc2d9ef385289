"""The whole job against the Swift engine, event by event, through kills, an upgrade and a rebuild.

The daemon of the profile edge computes the vectors of simulated traffic. The same events in the same
order go to the job through Kafka, some of them twice; its vectors have to be the same ones.
"""

import json
import random
import shutil
import threading

import pytest
import redis
import servers as processes
from conftest import ROOT

from vectors import steps

SEED = 11
EVENTS_MIN = 10_000
#: Seconds that the job may take for all of it; on an idle machine it is a fifth of that.
PATIENCE = 500
PREFIX = "parity."


@pytest.fixture(scope="module")
def edge(servers):
    return processes.Edge(servers, count=11_000, seed=SEED)


@pytest.fixture(scope="module")
def finished(servers, edge, tmp_path_factory):
    """The job has computed all of it: killed in its midst, and then run as a later release."""
    servers.topics(PREFIX)
    checkpoint = tmp_path_factory.mktemp("checkpoint")
    publish(servers, edge.validated)
    watch = Watch(servers)
    try:
        total = len(edge.features)
        job = servers.job(PREFIX, checkpoint, "--records-max", "2000")
        processes.until(
            "the job is under way", lambda: watch.count() >= total * 0.3, PATIENCE, job)
        processes.kill(job)
        assert watch.count() < total
        later = later_release(tmp_path_factory.mktemp("release"))
        job = servers.job(
            PREFIX, checkpoint, "--records-max", "4000", script=later,
            TILLBOX_FEATURES_CUSTOMERS_MAX="2000000")
        processes.until("all is computed", lambda: watch.count() >= total, PATIENCE, job)
        assert processes.end(job) == 0, processes.words(job)
    finally:
        watch.stop()
    return watch


def publish(servers, validated):
    """The records in their order, one in ten of them again some records later."""
    chance = random.Random(SEED)
    placed = list(enumerate(validated))
    placed += [
        (place + chance.randint(1, 500) + 0.5, record)
        for place, record in enumerate(validated) if chance.random() < 0.1]
    placed.sort(key=lambda pair: pair[0])
    producer = servers.producer(**{"transactional.id": "parity"})
    producer.init_transactions(10)
    # As the score role writes: in transactions, of which some come to nothing.
    for start in range(0, len(placed), 500):
        for outcome in (["abort"] if start % 2000 == 0 else []) + ["commit"]:
            producer.begin_transaction()
            for _, record in placed[start:start + 500]:
                producer.produce(
                    PREFIX + "payment.validated", key=record["key"],
                    value=json.dumps(record["value"]), timestamp=record["timestamp"])
                producer.poll(0)
            getattr(producer, f"{outcome}_transaction")(30)


def later_release(folder):
    """The job as a release with one more column between its stages would be."""
    shutil.copytree(ROOT / "deploy/spark/vectors", folder / "deploy/spark/vectors")
    shutil.copytree(ROOT / "model", folder / "model")
    shutil.copy(processes.JOB, folder / "deploy/spark/job.py")
    path = folder / "deploy/spark/vectors/steps.py"
    text = path.read_text()
    assert "told_movement string\n" in text
    path.write_text(text.replace("told_movement string\n", "told_movement string, later int\n"))
    return folder / "deploy/spark/job.py"


class Watch:
    """Reads the topic as its records come, and looks whether Redis has each vector already."""

    def __init__(self, servers):
        self.redis = redis.Redis(port=servers.redis_port, decode_responses=True)
        self.records, self.without = [], []
        self.is_over = threading.Event()
        self.servers = servers
        self.thread = threading.Thread(target=self._follow, daemon=True)
        self.thread.start()

    def count(self):
        return len(self.records)

    def stop(self):
        self.is_over.set()
        self.thread.join()

    def _follow(self):
        for record in self.servers.follow(PREFIX + "payment.features", self.is_over):
            told = json.loads(record.value())
            self.records.append((record, told))
            if not self.redis.exists(f"{PREFIX}features:{movement_of(told)}"):
                self.without.append(told)


def movement_of(told):
    return MOVEMENTS[told["event_id"]]


MOVEMENTS = {}


@pytest.fixture(scope="module", autouse=True)
def movements(edge):
    MOVEMENTS.update(
        {record["value"]["event_id"]: record["value"]["movement"] for record in edge.validated})


def test_the_events_are_many_and_out_of_order(edge):
    assert len(edge.validated) >= EVENTS_MIN
    created = [record["value"]["created"] for record in edge.validated]
    assert sum(a > b for a, b in zip(created, created[1:])) > 1000
    kinds = {record["value"]["kind"] for record in edge.validated}
    assert {"payment", "payment_failed", "dispute_opened"} <= kinds
    # Some movements are told by two events, of which both give a vector.
    assert len({movement_of(record["value"]) for record in edge.features}) < len(edge.features)


def test_every_vector_is_the_engines_once_and_in_the_engines_order(edge, finished):
    found = [told for _, told in finished.records]
    expected = [record["value"] for record in edge.features]
    assert [told["event_id"] for told in found] == [told["event_id"] for told in expected]
    for ours, theirs in zip(found, expected):
        assert {**ours, "values": None} == {**theirs, "values": None}
        for number, (a, b) in enumerate(zip(ours["values"], theirs["values"], strict=True)):
            assert abs(a - b) <= 1e-6, (theirs["event_id"], number, a, b)
    assert [record.key().decode() for record, _ in finished.records] == [
        record["key"] for record in edge.features]


def test_redis_had_each_vector_before_its_record_and_has_the_best(edge, finished, servers):
    assert finished.without == []
    store = redis.Redis(port=servers.redis_port, decode_responses=True)
    ranks = {record["value"]["event_id"]: steps._rank(record["value"])
             for record in edge.validated}
    best = {}
    for record in edge.features:
        told = record["value"]
        held = best.get(movement_of(told))
        if held is None or ranks[told["event_id"]] >= ranks[held["event_id"]]:
            best[movement_of(told)] = told
    for movement, told in best.items():
        kept = store.hgetall(f"{PREFIX}features:{movement}")
        assert kept["event_id"] == told["event_id"], movement
        assert int(kept["rank"]) == ranks[told["event_id"]]
        for number, value in enumerate(told["values"]):
            assert abs(float(kept[f"v{number}"]) - value) <= 1e-6


def test_a_rebuild_fills_redis_again_and_tells_nothing_twice(
        edge, finished, servers, tmp_path_factory):
    store = redis.Redis(port=servers.redis_port)
    store.flushall()
    job = servers.job(PREFIX, tmp_path_factory.mktemp("fresh"), "--once", name="rebuild")
    assert job.wait(300) == 0, processes.words(job)
    told = servers.read(PREFIX + "payment.features")
    assert len(told) == len(edge.features)
    assert len(store.keys(f"{PREFIX}features:*")) == len(
        {movement_of(record["value"]) for record in edge.features})
