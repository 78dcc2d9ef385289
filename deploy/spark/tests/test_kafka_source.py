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


class Bounded(LogReader):
    """A reader whose partitions have the offsets that it is told."""

    def __init__(self, bounds, records_max=10):
        super().__init__("payment.validated", {}, records_max)
        self.bounds = bounds

    def _bounds(self):
        return self.bounds


def spans(found, start, end):
    return [(span.partition, span.start, span.end) for span in found.partitions(start, end)]


def batches(found, start, limit=ReadMaxRows(10), most=20):
    """Starts and ends of batches until nothing is left, and what each reads."""
    read = []
    for _ in range(most):
        end = found.latestOffset(start, limit)
        if end == start:
            return start, read
        read.append(spans(found, start, end))
        start = end
    raise AssertionError(f"no end after {read}")


def test_new_partitions_are_read_from_their_beginning_behind_what_was_there():
    found = Bounded({0: (0, 25)})
    start = found.latestOffset({"0": 0}, ReadMaxRows(10))
    assert start == {"0": 10}
    found.bounds = {0: (0, 25), 1: (0, 7), 2: (3, 5)}
    end, read = batches(found, start)
    assert end == {"0": 25, "1": 7, "2": 5}
    # Nothing of the new ones before the first has been read to where it ended; and all of them.
    assert read == [[(0, 10, 20)], [(0, 20, 25)], [(1, 0, 7), (2, 3, 5)]]


def test_new_partitions_do_not_wait_for_what_comes_later_to_the_others():
    found = Bounded({0: (0, 12), 1: (0, 3)})
    first = found.latestOffset({"0": 0}, ReadMaxRows(10))
    found.bounds = {0: (0, 100), 1: (0, 3)}
    second = found.latestOffset(first, ReadMaxRows(10))
    assert (first, second) == ({"0": 10}, {"0": 20, "1": 0})
    # Another reader goes on from the checkpoint's places alone.
    third = Bounded({0: (0, 100), 1: (0, 3)}).latestOffset(second, ReadMaxRows(10))
    assert third == {"0": 27, "1": 3}
    assert spans(found, second, third) == [(0, 20, 27), (1, 0, 3)]


def test_once_reads_the_partitions_that_are_there_at_the_start_to_their_ends():
    found = Bounded({0: (0, 5), 1: (0, 4)})
    found.prepareForTriggerAvailableNow()
    found.bounds = {0: (0, 9), 1: (0, 9), 2: (0, 9)}
    end, read = batches(found, {"0": 2}, ReadAllAvailable())
    assert (end, read) == ({"0": 5, "1": 4}, [[(0, 2, 5)], [(1, 0, 4)]])


def test_a_batch_that_is_done_again_reads_the_partitions_that_it_read():
    found = Bounded({0: (0, 5), 1: (0, 4)})
    assert spans(found, {"0": 2}, {"0": 5, "1": 0}) == [(0, 2, 5)]


def test_fewer_partitions_are_another_topics():
    found = Bounded({0: (0, 50), 1: (0, 50)})
    with pytest.raises(Refusal) as fewer:
        found.latestOffset({"0": 5, "1": 5, "2": 5}, ReadMaxRows(10))
    sentence = refused(str(fewer.value))
    assert "has 2 partitions, and had 3" in sentence
    assert "Begin a new checkpoint" in sentence


def test_lost_records_and_no_topic_are_refused_and_a_grown_one_is_read(servers):
    servers.topics("gone.")
    found = reader(servers, "gone.")
    with pytest.raises(Refusal) as lost:
        found.latestOffset({"0": 7}, ReadAllAvailable())
    assert "records are lost" in refused(str(lost.value))
    admin = servers.admin()
    for made in admin.create_partitions([NewPartitions("gone.payment.validated", 3)]).values():
        made.result(10)
    producer = servers.producer()
    producer.produce("gone.payment.validated", value=b"a", partition=2)
    producer.flush(10)
    begun = found.latestOffset({"0": 0}, ReadAllAvailable())
    assert begun == {"0": 0, "1": 0, "2": 0}
    assert found.latestOffset(begun, ReadAllAvailable()) == {"0": 0, "1": 0, "2": 1}
    assert values(found, Span(2, 0, 1)) == [b"a"]
    with pytest.raises(Refusal) as missing:
        reader(servers, "never.").initialOffset()
    assert "run `tillbox cloud prepare`" in refused(str(missing.value))


def test_refusals_are_found_in_the_texts_of_other_exceptions():
    text = f"StreamingQueryException: ...\n pyspark.X: {Refusal('do this')}\n\tat org.apache"
    assert refused(text) == "do this"
    assert refused("java.io.IOException: disk") is None
