"""Where vectors go, against Redis and a broker."""

import json
import threading

import pytest
import redis
from confluent_kafka import KafkaException

from vectors import settings, sink, steps
from vectors.refusal import Refusal
from vectors.single import shortest


def chosen(servers, prefix):
    return settings.read(
        ["--checkpoint", "/nowhere"], environment=servers.environment(prefix))


def row(offset=0, **more):
    made = dict.fromkeys(steps.NAMES)
    made.update(
        partition=0, offset=offset, timestamp=1_760_000_000_000, op=steps.VECTOR,
        told_movement="charge:ch_1", movement="charge:ch_1", key="cus_1", event_id="evt_1",
        object_id="ch_1", rank=5, created=1_760_000_000,
        values=[1, 2, steps.single(-1.23456789), steps.single(0.005), 0, 1, 3, -1])
    made.update(more)
    return made


@pytest.fixture
def store(servers, request):
    prefix = f"{request.node.name}."
    made = sink.VectorStore(chosen(servers, prefix))
    made.key = f"{prefix}features:charge:ch_1"
    return made


def kept(store):
    return {name.decode(): value.decode() for name, value in store.client.hgetall(
        store.key).items()}


def test_a_hash_has_the_fields_that_the_score_role_reads(store):
    store.write([row()])
    assert kept(store) == {
        "schema": "tillbox-fraud-2", "as_of": "1760000000", "event_id": "evt_1", "rank": "5",
        "v0": "1", "v1": "2", "v2": "-1.2345679", "v3": "0.005", "v4": "0", "v5": "1", "v6": "3",
        "v7": "-1"}
    assert 0 < store.client.pttl(store.key) <= 7 * 86_400_000


def test_a_lower_rank_never_replaces_and_an_equal_one_does(store):
    store.write([row(rank=10)])
    store.write([row(rank=9, event_id="evt_2")])
    assert kept(store)["event_id"] == "evt_1"
    store.write([row(rank=10, event_id="evt_3")])
    assert kept(store)["event_id"] == "evt_3"
    store.write([row(rank=11, event_id="evt_4"), row(rank=9, event_id="evt_5")])
    assert kept(store)["event_id"] == "evt_4"


@pytest.mark.parametrize("change", [
    {"v3": "none"}, {"rank": "99"}, {"as_of": "now"}, {"v7": None}, {"schema": None}])
def test_what_is_no_vector_gives_way_whatever_its_rank(store, change):
    store.write([row(rank=11)])
    for name, value in change.items():
        if value is None:
            store.client.hdel(store.key, name)
        else:
            store.client.hset(store.key, name, value)
    store.write([row(rank=1, event_id="evt_2")])
    assert kept(store)["event_id"] == "evt_2"


def test_a_key_of_another_kind_gives_way(store):
    store.client.set(store.key, "text")
    store.write([row(), row(told_movement="charge:ch_2")])
    assert kept(store)["event_id"] == "evt_1"


def test_another_movements_vector_gives_way_and_an_unknown_events_does_not(store):
    store.write([row(rank=11, event_id="evt_other")])
    store.write([row(rank=1)])
    assert kept(store)["event_id"] == "evt_other"
    store.client.set(f"{store.prefix}waiting.event:evt_other", "charge:ch_other")
    store.write([row(rank=1)])
    assert kept(store)["event_id"] == "evt_1"


def test_vectors_are_told_once_with_key_headers_and_time(servers):
    servers.topics("told.")
    topic = sink.FeaturesTopic(chosen(servers, "told."))
    assert topic.write([row(3), row(7, event_id="evt_é")]) == 2
    assert topic.write([row(3), row(7)]) == 0
    topic.close()
    again = sink.FeaturesTopic(chosen(servers, "told."))
    # A batch that is done again, now with more behind it.
    assert again.write([row(3), row(7), row(8, event_id="evt_3")]) == 1
    again.close()
    records = servers.read("told.payment.features")
    assert [json.loads(record.value())["event_id"] for record in records] == [
        "evt_1", "evt_é", "evt_3"]
    assert records[0].value().decode() == (
        '{"event_id":"evt_1","object_id":"ch_1","as_of":1760000000,"schema":"tillbox-fraud-2",'
        '"values":[1,2,-1.2345679,0.005,0,1,3,-1]}')
    assert records[0].key() == b"cus_1" and records[0].timestamp()[1] == 1_760_000_000_000
    assert dict(records[0].headers()) == {
        "event-id": b"evt_1", "source-offset": b"3", "schema": b"payment.features/1",
        "source": b"payment.validated/0/3"}


def test_a_job_that_has_begun_later_fences_the_earlier(servers):
    servers.topics("fence.")
    first, second = sink.Sink(chosen(servers, "fence.")), sink.Sink(chosen(servers, "fence."))
    first.topic.open()
    first.topic.producer.begin_transaction()
    first.topic._produce(first.topic.producer, row(1), lambda *_: None)
    first.topic.producer.flush(10)
    assert second.write([row(1), row(2)]) == 2
    with pytest.raises(Refusal, match="another job writes fence.payment.features"):
        first._patiently(
            "Kafka", lambda: sink.commit(first.topic.producer), sink.KafkaException)
    assert len(servers.read("fence.payment.features")) == 2
    second.topic.close()


def test_waits_for_redis_and_tells_nothing_before_it(servers, monkeypatch):
    servers.topics("wait.")
    made = sink.Sink(chosen(servers, "wait."))
    attempts = []
    write = made.store.write

    def failing(rows):
        attempts.append(len(servers.read("wait.payment.features")))
        if len(attempts) < 3:
            raise redis.ConnectionError("gone")
        write(rows)

    monkeypatch.setattr(made.store, "write", failing)
    assert made.write([row()]) == 1
    assert attempts == [0, 0, 0]
    made.topic.close()


def test_a_producer_that_does_not_come_back_gives_way_to_another(servers, monkeypatch):
    servers.topics("stuck.")
    made = sink.Sink(chosen(servers, "stuck."))
    assert made.write([row(1)]) == 1
    stuck, over = made.topic.producer, threading.Event()

    class Hanging:
        def send_offsets_to_transaction(self, *_):
            over.wait(20)

        def __getattr__(self, name):
            return getattr(stuck, name)

    made.topic.producer = Hanging()
    monkeypatch.setattr(sink, "TRANSACTION_SECONDS", 1.0)
    assert made.write([row(1), row(2, event_id="evt_2")]) == 1
    assert made.topic.producer is not stuck
    over.set()
    # And what comes back late changes nothing.
    assert made.write([row(2), row(3, event_id="evt_3")]) == 1
    assert [json.loads(record.value())["event_id"]
            for record in servers.read("stuck.payment.features")] == [
                "evt_1", "evt_2", "evt_3"]
    made.topic.close()


def test_a_producer_that_could_not_begin_is_closed_all_the_same(servers, monkeypatch):
    monkeypatch.setattr(sink, "ANSWER_SECONDS", 0.2)
    environment = servers.environment("away.") | {"TILLBOX_KAFKA_BOOTSTRAP": "127.0.0.1:1"}
    topic = sink.FeaturesTopic(settings.read(["--checkpoint", "/nowhere"], environment=environment))
    with pytest.raises(KafkaException):
        topic.write([row()])
    assert topic.producer is not None
    topic.close()
    assert topic.producer is None


def test_a_stop_is_not_kept_waiting(servers, monkeypatch):
    made = sink.Sink(chosen(servers, "stop."))
    made.is_stopping = lambda: True
    monkeypatch.setattr(
        made.store, "write", lambda _: (_ for _ in ()).throw(redis.ConnectionError("gone")))
    with pytest.raises(redis.ConnectionError):
        made.write([row()])


@pytest.mark.parametrize("value, text", [
    (0.0, "0"), (1.0, "1"), (-1.0, "-1"), (10.0, "10"), (-0.0, "-0.0"), (0.1, "0.1"),
    (1e-9, "1e-09"), (1e9, "1e+09"), (999_999.0, "999999"),
    (steps.single(0.0049751243), "0.0049751243")])
def test_numbers_read_back_as_the_same_float(value, text):
    assert shortest(value) == text
    assert steps.single(float(text)) == steps.single(value)


def test_settings_that_do_not_do_are_told_in_one_sentence(servers, tmp_path, capsys):
    environment = servers.environment("x.")
    for change, sentence in (
            ({"TILLBOX_KAFKA_BOOTSTRAP": ""}, "TILLBOX_KAFKA_BOOTSTRAP is not set"),
            ({"TILLBOX_KAFKA_SECURITY": "ssl"}, "it may be plaintext, tls"),
            ({"TILLBOX_KAFKA_SECURITY": "sasl_plain"}, "TILLBOX_KAFKA_PASSWORD_FILE"),
            ({"TILLBOX_KAFKA_SECURITY": "sasl_google"}, "service account's mail"),
            ({"TILLBOX_FEATURES_CUSTOMERS_MAX": "0"}, "it may be 1 to"),
            ({"TILLBOX_FEATURES_MOVEMENTS_MAX": "many"}, "it may be 1 to")):
        with pytest.raises(settings.BadSetting, match=sentence):
            settings.read(["--checkpoint", "/nowhere"], environment={**environment, **change})
    with pytest.raises(settings.BadSetting, match="no model schema"):
        settings.read(
            ["--checkpoint", "/nowhere", "--schema", str(tmp_path / "none")],
            environment=environment)
    with pytest.raises(SystemExit, match="2"):
        settings.read(["--checkpoint", "/nowhere", "--records-max", "0"], environment=environment)
    assert "--records-max is 0; it may be 1 to 1000000" in capsys.readouterr().err
