"""A streaming data source of Spark that reads a Kafka topic through librdkafka.

Spark's own source for Kafka is a jar that no Python package carries (`--source jar` uses it where it
is there). What this one holds to:

- a micro-batch ends at the last stable offset, so that it never waits for somebody's transaction;
- a partition has been read to its end when the broker says so, not when a certain offset was seen:
  the last ones may be markers of transactions, which no reader is shown;
- offsets are the checkpoint's; none is committed, and an offset that is no longer there is an error
  and never passed over;
- partitions that come later are read from their beginning, once the others have been read to where
  they ended when the new ones were first seen: a key moves to another partition then, and what the
  former one has of it comes first. Fewer partitions are another topic's, and are refused.
"""

import json
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from pyspark.sql.datasource import DataSource, DataSourceStreamReader, InputPartition
from pyspark.sql.streaming.datasource import (
    ReadAllAvailable,
    ReadMaxRows,
    SupportsTriggerAvailableNow,
)

from vectors import kafka_client
from vectors.refusal import Refusal

#: Without one record or word of a partition for so long, a read gives up and is tried again.
SILENCE_SECONDS = 30.0
ANSWER_SECONDS = 10.0

_SCHEMA = "key binary, value binary, partition int, offset bigint, timestamp bigint"


class KafkaLog(DataSource):
    """Options: `topic`, `client` (JSON of `kafka_client.options`), `recordsMax` a micro-batch."""

    @classmethod
    def name(cls):
        return "tillbox-kafka"

    def schema(self):
        return _SCHEMA

    def streamReader(self, schema):
        return LogReader(
            self.options["topic"], json.loads(self.options["client"]),
            int(self.options["recordsMax"]))


class Span(InputPartition):
    """Offsets `start` to before `end` of a partition."""

    def __init__(self, partition, start, end):
        self.partition, self.start, self.end = partition, start, end


class LogReader(DataSourceStreamReader, SupportsTriggerAvailableNow):
    """An offset is {"partition": next offset to read}, the partitions in their order.

    A partition that a batch's end has and its start has not begins with that end: the batch reads
    nothing of it.
    """

    def __init__(self, topic, client, records_max):
        self.topic, self.client, self.records_max = topic, client, records_max
        #: With --once, where it ends: what comes later is for the next run.
        self.last = None
        #: While new partitions wait, where each of the others ended when they were first seen.
        self.awaited = None

    def prepareForTriggerAvailableNow(self):
        self.last = {str(number): end for number, (_, end) in self._bounds().items()}

    def getDefaultReadLimit(self):
        return ReadMaxRows(self.records_max)

    def initialOffset(self):
        return {str(number): low for number, (low, _) in self._bounds().items()}

    def latestOffset(self, start, limit):
        bounds = {str(number): bound for number, bound in self._bounds().items()}
        self._check(start, bounds)
        if self.last is None:
            ends = {number: end for number, (_, end) in bounds.items()}
        else:
            ends = {number: max(start.get(number, 0), end) for number, end in self.last.items()}
        known = {number: ends[number] for number in start}
        chosen = known
        if not isinstance(limit, ReadAllAvailable):
            chosen = shared(start, known, self.records_max)
        begun = self._begun(
            chosen, known, [number for number in ends if number not in start], bounds)
        return {number: begun[number] for number in sorted(begun, key=int)}

    def _begun(self, chosen, known, new, bounds):
        """The ends, and the beginnings of new partitions where it is their turn."""
        if not new:
            self.awaited = None
            return chosen
        if self.awaited is None:
            self.awaited = known
        if any(chosen[number] < end for number, end in self.awaited.items()):
            return chosen
        return {**chosen, **{number: bounds[number][0] for number in new}}

    def _check(self, start, bounds):
        if len(bounds) < len(start):
            raise Refusal(
                f"the topic {self.topic} has {len(bounds)} partitions, and had {len(start)} when "
                "this checkpoint last read it: it was deleted and made anew, and the checkpoint is "
                "of the former one. Begin a new checkpoint, which reads what is there")
        for number, place in start.items():
            low, end = bounds[number]
            if not low <= place <= end:
                raise Refusal(
                    f"the topic {self.topic} has the offsets {low} to {end} in partition {number}, "
                    f"and the next one to read is {place}: records are lost. Begin a new "
                    "checkpoint, which reads what is there")

    def partitions(self, start, end):
        return [
            Span(int(number), start[number], place) for number, place in end.items()
            if number in start and place > start[number]]

    def read(self, span):
        consumer = opened(self.client)
        try:
            yield from read_span(consumer, self.topic, span)
        except BaseException:
            # Whatever it has in hand is nobody's.
            close(self.client)
            raise

    def _bounds(self):
        """For each partition its first offset and its last stable one."""
        consumer = opened(self.client)
        try:
            found = consumer.list_topics(self.topic, ANSWER_SECONDS).topics[self.topic]
            if found.error is not None or not found.partitions:
                raise Refusal(
                    f"the Kafka topic {self.topic} does not exist; run `tillbox cloud prepare` "
                    "with the same settings once")
            return {
                number: consumer.get_watermark_offsets(
                    TopicPartition(self.topic, number), ANSWER_SECONDS)
                for number in sorted(found.partitions)}
        except KafkaException:
            close(self.client)
            raise


def shared(start, ends, records_max):
    """Ends at most so many offsets behind `start` in all, each partition its share.

    What a short partition leaves of its share is for the longer ones.
    """
    rest, chosen = records_max, {}
    by_lag = sorted(ends, key=lambda number: ends[number] - start[number])
    for place, number in enumerate(by_lag):
        share = max(1, rest // (len(by_lag) - place))
        taken = min(share, ends[number] - start[number])
        chosen[number] = start[number] + taken
        rest -= taken
    return {number: chosen[number] for number in ends}


def read_span(consumer, topic, span):
    consumer.assign([TopicPartition(topic, span.partition, span.start)])
    heard = time.monotonic()
    while True:
        message = consumer.poll(1.0)
        if message is None:
            if time.monotonic() - heard > SILENCE_SECONDS:
                raise TimeoutError(
                    f"Kafka said nothing of {topic}/{span.partition} for {SILENCE_SECONDS:.0f} s")
            continue
        if message.partition() != span.partition:
            continue
        heard = time.monotonic()
        error = message.error()
        if error is not None and error.code() == KafkaError._PARTITION_EOF:
            if message.offset() >= span.end:
                break
            # The end that was told before is not served yet: a follower, or an older answer.
            continue
        if error is not None:
            raise KafkaException(error)
        if message.offset() >= span.end:
            break
        yield (
            message.key(), message.value(), span.partition, message.offset(),
            message.timestamp()[1])
    consumer.unassign()


#: Consumers of this process: a worker of Spark's reads batch after batch.
_CONSUMERS = {}


def opened(client):
    key = json.dumps(client, sort_keys=True)
    if key not in _CONSUMERS:
        _CONSUMERS[key] = Consumer(kafka_client.configuration(client) | {
            "group.id": client["group"],
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
            "isolation.level": "read_committed",
            # Bounds of what is fetched and not yet asked for.
            "queued.max.messages.kbytes": 16_384,
            "fetch.message.max.bytes": 4 << 20,
        })
    return _CONSUMERS[key]


def close(client):
    consumer = _CONSUMERS.pop(json.dumps(client, sort_keys=True), None)
    if consumer is not None:
        consumer.close()
