"""The job while Kafka or Redis are away, and what it makes of records that are none."""

import json

import pytest
import servers as processes
from test_steps import payment

PREFIX = "outside."
NONE = [b"\xff\xfe", None, b"", b"{", b"[" * 100_000, b'{"movement":7}', b'{"movement":"charge:1"}']


@pytest.fixture
def own(tmp_path):
    """Servers that may be ended."""
    made = processes.Servers(tmp_path)
    try:
        made.kafka()
        yield made
    finally:
        made.stop()


class Tellings:
    def __init__(self, servers, job):
        self.servers, self.job, self.number = servers, job, 0

    def send(self, count, between=()):
        producer = self.servers.producer()
        for value in between:
            producer.produce(PREFIX + "payment.validated", value=value)
        for _ in range(count):
            self.number += 1
            event = payment(
                event_id=f"evt_{self.number}", movement=f"charge:ch_{self.number}",
                object_id=f"ch_{self.number}", created=1_760_000_000 + self.number)
            producer.produce(
                PREFIX + "payment.validated", key=event["customer"], value=json.dumps(event))
        assert producer.flush(30) == 0

    def arrive(self, what):
        """Every payment has its vector, once and in order; features 1 counts them all."""
        processes.until(what, lambda: len(self.read()) >= self.number, 400, self.job)
        told = self.read()
        assert [one["event_id"] for one in told] == [
            f"evt_{at}" for at in range(1, self.number + 1)]
        assert [one["values"][1] for one in told] == [
            min(at, 64) for at in range(1, self.number + 1)]

    def read(self):
        return [json.loads(record.value())
                for record in self.servers.read(PREFIX + "payment.features")]


def test_waits_for_servers_that_are_away_and_goes_on(own, tmp_path):
    own.topics(PREFIX)
    proxy = own.children[-1]
    processes.end(proxy)
    own.redis()
    redis = own.children[-1]
    job = own.job(PREFIX, tmp_path / "checkpoint")
    processes.until(
        "the job waits for Kafka", lambda: "begins again in" in processes.words(job), 120, job)
    proxy = own.proxy()
    told = Tellings(own, job)
    told.send(20, between=NONE)
    told.arrive("Kafka has come")
    assert processes.words(job).count("cannot be read") == len(NONE)

    processes.end(redis)
    told.send(20)
    processes.until(
        "the job waits for Redis", lambda: "waiting for Redis" in processes.words(job), 60, job)
    assert len(told.read()) == 20
    redis = own.redis()
    told.arrive("Redis has come back")

    processes.end(proxy)
    own.proxy()
    told.send(20)
    told.arrive("Kafka has come back")
    assert processes.end(job) == 0, processes.words(job)


def test_a_topic_that_is_missing_ends_it_with_a_sentence(servers, tmp_path):
    job = servers.job("missing.", tmp_path / "checkpoint", name="missing")
    assert job.wait(120) == 3
    assert "tillbox features: the Kafka topic missing.payment.validated does not exist; run " \
        "`tillbox cloud prepare`" in processes.words(job)
