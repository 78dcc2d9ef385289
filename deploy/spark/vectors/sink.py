"""Where vectors go: Redis first, and then `payment.features`.

Whoever reads of a vector in the topic finds it in Redis, as the score role wants it. A micro-batch
that is done again after a crash writes the same hashes again. Its records stand once: they and the
place behind the last record that they came of are one transaction of Kafka's, and what lies before
that place is not told again. The transactional id is one for the topic: a job that begins ends what
another has left open, and fences one that is still running.
"""

import json
import logging
import threading
import time

import redis
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from vectors import kafka_client
from vectors.refusal import Refusal
from vectors.single import shortest

log = logging.getLogger("tillbox.features")

LIFETIME_MILLISECONDS = 7 * 86_400 * 1000
RANK_MAX = 11
#: Hashes a question to Redis.
CHUNK = 500
#: Servers that do not answer are asked again for so long before the micro-batch fails; the job then
#: begins it anew.
PATIENCE_SECONDS = 60.0
ANSWER_SECONDS = 10.0
#: A transaction that takes longer is given up together with its producer: behind a broker that was
#: away, librdkafka 2.16 was seen not to come back from `send_offsets_to_transaction` at all,
#: whatever time it was given.
TRANSACTION_SECONDS = 30.0

FIELDS = ["schema", "as_of", "event_id", *(f"v{place}" for place in range(8)), "rank"]

#: As `RankedHashStore` of the Swift side: one that is better informed stands.
WRITING = """
if redis.call('TYPE', KEYS[1]).ok ~= 'hash' then redis.call('DEL', KEYS[1]) end
local there = redis.call('HGET', KEYS[1], 'rank')
local rank = ARGV[1]
local first = 4 + 2 * ARGV[3]
local isReplaced = first > 4
for place = 4, first - 1, 2 do
  if redis.call('HGET', KEYS[1], ARGV[place]) ~= ARGV[place + 1] then isReplaced = false end
end
if there and not isReplaced and string.find(there, '^%d+$') then
  if #there > #rank or (#there == #rank and there > rank) then return 0 end
end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], unpack(ARGV, first))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
"""


class VectorStore:
    """Vectors in Redis: `features:{movement}`, each for a week."""

    def __init__(self, settings):
        self.prefix, self.schema = settings.redis_prefix, settings.schema
        more = {}
        if settings.redis_password_file:
            with open(settings.redis_password_file, encoding="utf-8") as file:
                more["password"] = file.read().rstrip("\r\n")
        if settings.redis_url.startswith("rediss://") and settings.redis_ca_file:
            more["ssl_ca_certs"] = settings.redis_ca_file
        # The protocol that every server has; nothing of the newer one is used.
        self.client = redis.Redis.from_url(
            settings.redis_url, protocol=2, socket_timeout=ANSWER_SECONDS,
            socket_connect_timeout=ANSWER_SECONDS, **more)
        self.script = self.client.register_script(WRITING)

    def write(self, rows):
        """Writes vectors, each unless a better informed one is there."""
        for start in range(0, len(rows), CHUNK):
            part = rows[start:start + CHUNK]
            unfit = self._unfit(part)
            pipe = self.client.pipeline(transaction=False)
            for row, replaced in zip(part, unfit):
                self.script(
                    keys=[self._key(row)], args=self._arguments(row, replaced), client=pipe)
            pipe.execute()

    def _key(self, row):
        return f"{self.prefix}features:{row['told_movement']}"

    def _arguments(self, row, replaced):
        fields = ["rank", row["rank"], "schema", self.schema, "as_of", row["created"],
                  "event_id", row["event_id"]]
        for place, value in enumerate(row["values"]):
            fields += [f"v{place}", shortest(value)]
        return [row["rank"], LIFETIME_MILLISECONDS, len(replaced) // 2, *replaced, *fields]

    def _unfit(self, rows):
        """For each row what stands there and is no vector of its movement: it gives way."""
        pipe = self.client.pipeline(transaction=False)
        for row in rows:
            pipe.hmget(self._key(row), FIELDS)
        found = pipe.execute(raise_on_error=False)
        replaced, others = [], []
        for row, values in zip(rows, found):
            if isinstance(values, redis.ResponseError):
                # A key of another kind, which the script removes.
                if not str(values).startswith("WRONGTYPE"):
                    raise values
                values = []
            elif isinstance(values, Exception):
                raise values
            there = [part for name, value in zip(FIELDS, values) if value is not None
                     for part in (name, value)]
            is_vector = bool(there) and _is_vector(values)
            if is_vector and values[2] != row["event_id"].encode():
                others.append((len(replaced), values[2], there))
            replaced.append([] if is_vector else there)
        self._find_owners(rows, others, replaced)
        return replaced

    def _find_owners(self, rows, others, replaced):
        """A vector of another event is one of this movement, unless it is known not to be."""
        if not others:
            return
        owners = self.client.mget(
            [self.prefix.encode() + b"waiting.event:" + event for _, event, _ in others])
        for (place, _, there), owner in zip(others, owners):
            if owner is not None and owner != rows[place]["told_movement"].encode():
                replaced[place] = there


def _is_vector(values):
    try:
        [float(value) for value in values[3:11]]
        int(values[1])
        return values[0] is not None and values[2] is not None and 0 <= int(values[11]) <= RANK_MAX
    except (TypeError, ValueError):
        return False


class FeaturesTopic:
    """`payment.features`, each vector once."""

    def __init__(self, settings):
        self.topic = settings.topic_prefix + "payment.features"
        self.validated = settings.topic_prefix + "payment.validated"
        self.schema = settings.schema
        self.client = kafka_client.options(settings)
        self.transactional_id = settings.topic_prefix + "features-spark"
        #: `places` is None too behind a producer that could not begin.
        self.producer = self.told = self.places = None

    def open(self):
        """Fences whoever was before, and finds what is told."""
        made = kafka_client.configuration(self.client)
        self.producer = Producer(made | {
            "transactional.id": self.transactional_id, "transaction.timeout.ms": 15_000,
            "message.timeout.ms": 10_000, "partitioner": "murmur2", "compression.type": "lz4",
            "message.max.bytes": 2 << 20, "linger.ms": 2,
        })
        self.producer.init_transactions(ANSWER_SECONDS * 2)
        self.places = Consumer(made | {
            "group.id": self.client["group"], "enable.auto.commit": False,
            "enable.auto.offset.store": False})
        partitions = self.places.list_topics(self.validated, ANSWER_SECONDS).topics[self.validated]
        found = self.places.committed(
            [TopicPartition(self.validated, number) for number in partitions.partitions],
            ANSWER_SECONDS)
        self.told = {place.partition: max(place.offset, 0) for place in found}

    def close(self):
        """Leaves no transaction open, where the broker answers."""
        producer, self.producer = self.producer, None
        places, self.places = self.places, None
        if producer is None:
            return

        def end():
            try:
                producer.abort_transaction(ANSWER_SECONDS)
            except KafkaException:
                pass
            if places is not None:
                places.close()

        try:
            within(ANSWER_SECONDS * 2, end)
        except Stuck:
            pass

    def give_up(self):
        """Forgets a producer that does not come back. The next one ends what it has left open, and
        finds whether its last transaction stands."""
        self.producer = None

    def write(self, rows):
        """Returns how many were written: those that were not told before."""
        return within(TRANSACTION_SECONDS, lambda: self._write(rows))

    def _write(self, rows):
        if self.producer is None:
            self.open()
        # This one to the end: were it given up meanwhile, another must not be committed for it.
        producer = self.producer
        fresh = [row for row in rows if row["offset"] >= self.told.get(row["partition"], 0)]
        if not fresh:
            return 0
        places = dict(self.told)
        for row in fresh:
            places[row["partition"]] = max(places.get(row["partition"], 0), row["offset"] + 1)
        moved = [
            TopicPartition(self.validated, number, offset) for number, offset in places.items()
            if offset != self.told.get(number)]
        failures = []
        producer.begin_transaction()
        for row in fresh:
            self._produce(
                producer, row, lambda error, _: failures.append(error) if error else None)
        producer.flush(ANSWER_SECONDS)
        if failures:
            raise KafkaException(failures[0])
        producer.send_offsets_to_transaction(
            moved, self.places.consumer_group_metadata(), ANSWER_SECONDS)
        commit(producer)
        if self.producer is producer:
            self.told = places
        return len(fresh)

    def _produce(self, producer, row, delivered):
        message = dict(
            key=row["key"].encode(), value=self.value(row).encode(), timestamp=row["timestamp"],
            headers=[
                ("event-id", row["event_id"].encode()),
                ("source-offset", str(row["offset"]).encode()),
                ("schema", b"payment.features/1"),
                ("source",
                 f"payment.validated/{row['partition']}/{row['offset']}".encode())])
        while True:
            try:
                return producer.produce(self.topic, on_delivery=delivered, **message)
            except BufferError:
                producer.poll(0.1)

    def value(self, row):
        numbers = ",".join(shortest(value) for value in row["values"])
        head = {"event_id": row["event_id"], "object_id": row["object_id"],
                "as_of": row["created"], "schema": self.schema}
        return json.dumps(head, ensure_ascii=False, separators=(",", ":"))[:-1] + \
            f',"values":[{numbers}]}}'


def commit(producer):
    """Until its outcome is known: an answer that was lost is asked for again."""
    end = time.monotonic() + TRANSACTION_SECONDS
    while True:
        try:
            return producer.commit_transaction(ANSWER_SECONDS)
        except KafkaException as error:
            if not error.args[0].retriable() or time.monotonic() > end:
                raise


class Stuck(Exception):
    """A call of librdkafka's has not come back in time."""


def within(seconds, action):
    """What the action returns, or raises; Stuck where it does neither in time, and goes on."""
    outcome = {}

    def run():
        try:
            outcome["returned"] = action()
        except BaseException as error:
            outcome["raised"] = error

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise Stuck(f"Kafka's client has not come back within {seconds:.0f} s")
    if "raised" in outcome:
        raise outcome["raised"]
    return outcome["returned"]


class Sink:
    """One micro-batch after the other, in their order; servers that are away are waited for."""

    def __init__(self, settings):
        self.store = VectorStore(settings)
        self.topic = FeaturesTopic(settings)
        self.is_stopping = lambda: False

    def write(self, rows):
        """Returns how many records were written."""
        if not rows:
            return 0
        self._patiently("Redis", lambda: self.store.write(rows), redis.RedisError)
        return self._patiently("Kafka", lambda: self.topic.write(rows), (KafkaException, Stuck))

    def _patiently(self, server, action, failure):
        end = time.monotonic() + PATIENCE_SECONDS
        pause = 0.2
        while True:
            try:
                return action()
            except failure as error:
                if isinstance(error, Stuck):
                    self.topic.give_up()
                elif isinstance(error, KafkaException):
                    self._check(error)
                    self.topic.close()
                if time.monotonic() > end or self.is_stopping():
                    raise
                log.warning("waiting for %s: %s", server, error)
                time.sleep(pause)
                pause = min(pause * 2, 5.0)

    def _check(self, error):
        told = error.args[0]
        if told.name() in ("_FENCED", "PRODUCER_FENCED", "INVALID_PRODUCER_EPOCH"):
            raise Refusal(
                f"another job writes {self.topic.topic}: it has begun after this one, and one is "
                "enough") from None
