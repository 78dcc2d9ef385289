"""The data source against a broker, without Spark around it."""

import pytest
from confluent_kafka.admin import NewPartitions
from pyspark.sql.streaming.datasource import ReadAllAvailable, ReadMaxRows

from vectors import kafka_source
from vectors.kafka_source import LogReader, Span
from vectors.refusal import Refusal, refused


def client(servers):
    return {
        "bootstrap": f"127.0.0.1:{servers.kafka_port}", "security": "plaintext", "username": None,
        "password_file": None, "ca_file": None, "group": "tests"}


def reader(servers, prefix, records_max=1000):
    return LogReader(prefix + "payment.validated", client(servers), records_max)


def transaction(servers, topic, values, ends, partition=0):
    producer = servers.producer(**{"transactional.id": f"{topic}-{ends}"})
    producer.init_transactions(10)
    producer.begin_transaction()
    for value in values:
        producer.produce(topic, value=value, partition=partition)
    producer.flush(10)
    if ends == "commit":
        producer.commit_transaction(10)
    elif ends == "abort":
        producer.abort_transaction(10)
    return producer


def values(found, span):
    return [row[1] for row in found.read(span)]


def test_reads_what_is_committed_to_the_last_stable_offset(servers):
    servers.topics("lso.")
    topic, found = "lso.payment.validated", reader(servers, "lso.")
    start = found.initialOffset()
    assert start == {"0": 0}
    assert found.latestOffset(start, ReadAllAvailable()) == {"0": 0}
    transaction(servers, topic, [b"a", b"b"], "commit")
    transaction(servers, topic, [b"c"], "abort")
    end = found.latestOffset(start, ReadAllAvailable())
    # The last offset is a marker's, which no reader is shown: the read ends all the same.
    assert end["0"] > 3
    assert values(found, Span(0, 0, end["0"])) == [b"a", b"b"]
    still_open = transaction(servers, topic, [b"d"], "later")
    assert found.latestOffset(start, ReadAllAvailable()) == end
    still_open.commit_transaction(10)
    later = found.latestOffset(end, ReadAllAvailable())
    assert later["0"] > end["0"]
    assert [span.start for span in found.partitions(end, later)] == [end["0"]]
    assert values(found, Span(0, end["0"], later["0"])) == [b"d"]
    assert found.partitions(later, later) == []


def test_a_batch_ends_before_records_that_come_behind_it(servers):
    servers.topics("end.")
    producer = servers.producer()
    for number in range(10):
        producer.produce("end.payment.validated", value=b"%d" % number)
    producer.flush(10)
    found = reader(servers, "end.", records_max=4)
    start = found.initialOffset()
    end = found.latestOffset(start, ReadMaxRows(4))
    assert end == {"0": 4}
    assert values(found, Span(0, 0, 4)) == [b"0", b"1", b"2", b"3"]
    assert values(found, Span(0, 2, 3)) == [b"2"]


def test_once_ends_where_the_log_ended_at_the_start(servers):
    servers.topics("once.")
    producer = servers.producer()
    producer.produce("once.payment.validated", value=b"1")
    producer.flush(10)
    found = reader(servers, "once.")
    found.prepareForTriggerAvailableNow()
    producer.produce("once.payment.validated", value=b"2")
    producer.flush(10)
    end = found.latestOffset({"0": 0}, ReadMaxRows(10))
    assert end == {"0": 1}
    assert found.latestOffset(end, ReadMaxRows(10)) == end


def test_short_partitions_leave_their_share_to_longer_ones():
    shared = kafka_source.shared
    assert shared({"0": 0, "1": 0}, {"0": 100, "1": 2}, 10) == {"0": 8, "1": 2}
    assert shared({"0": 5, "1": 5}, {"0": 5, "1": 5}, 10) == {"0": 5, "1": 5}
    assert shared({"0": 0, "1": 0}, {"0": 100, "1": 100}, 10) == {"0": 5, "1": 5}
    # Every partition that has something goes on, however small the bound.
    assert shared({"0": 0, "1": 0, "2": 0}, {"0": 9, "1": 9, "2": 9}, 1) == {
        "0": 1, "1": 1, "2": 1}


def test_lost_records_a_changed_partition_count_and_no_topic_are_refused(servers):
    servers.topics("gone.")
    found = reader(servers, "gone.")
    with pytest.raises(Refusal) as lost:
        found.latestOffset({"0": 7}, ReadAllAvailable())
    assert "records are lost" in refused(str(lost.value))
    admin = servers.admin()
    for made in admin.create_partitions([NewPartitions("gone.payment.validated", 3)]).values():
        made.result(10)
    with pytest.raises(Refusal) as changed:
        found.latestOffset({"0": 0}, ReadAllAvailable())
    assert "has 3 partitions, and had 1" in refused(str(changed.value))
    with pytest.raises(Refusal) as missing:
        reader(servers, "never.").initialOffset()
    assert "run `tillbox cloud prepare`" in refused(str(missing.value))


def test_refusals_are_found_in_the_texts_of_other_exceptions():
    text = f"StreamingQueryException: ...\n pyspark.X: {Refusal('do this')}\n\tat org.apache"
    assert refused(text) == "do this"
    assert refused("java.io.IOException: disk") is None
