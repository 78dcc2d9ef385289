"""What noida-db 0.2.3 does otherwise than Apache Kafka does, set right by kafka_proxy.py:

  - An answer to Fetch names aborted transactions that ended before the offset asked for. Any client
    then throws away what the same producer has committed since (KIP-98: only those that overlap).
  - It answers with all that there is, whatever size was asked for.
  - Where there is nothing, it answers at once, however long somebody would wait: its clients ask
    thousands of times a second. The proxy holds such an answer for a moment.
  - It never forgets a group's member that was killed, and a rebalance that waits for it never ends.
    A member that was silent for its session's time is made to leave. (One whose connection is gone
    as well need not be waited for that long: after 3 s, more than it needs to come back.)
"""

import struct
import threading
import time

FETCH, JOIN_GROUP, HEARTBEAT, LEAVE_GROUP, SYNC_GROUP = 1, 11, 12, 13, 14
MEMBER_ID_REQUIRED = 79
#: How long somebody may be away whose connection is gone: heartbeats come each 2 s.
AWAY_SECONDS = 3
#: The last versions with topics by their name and lengths of a fixed size.
VERSIONS_MAX = {FETCH: 11, JOIN_GROUP: 5, HEARTBEAT: 3, LEAVE_GROUP: 3, SYNC_GROUP: 3}


class Reader:
    """Reads the primitive types of Kafka's protocol, one after the other."""

    def __init__(self, data, place=0):
        self.data, self.place = data, place

    def take(self, shape):
        (value,) = struct.unpack_from(">" + shape, self.data, self.place)
        self.place += struct.calcsize(">" + shape)
        return value

    def bytes(self, count):
        self.place += max(count, 0)
        return self.data[self.place - max(count, 0) : self.place]

    def text(self):
        return self.bytes(self.take("h"))

    def varint(self):
        value = shift = 0
        while True:
            byte = self.data[self.place]
            self.place += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return (value >> 1) ^ -(value & 1)


def text(value):
    return struct.pack(">h", len(value)) + value


class Members:
    """Who is in a consumer group, and when each was last heard of."""

    def __init__(self, leave):
        """`leave` is called with the group and the member whose session is over."""
        self.leave = leave
        self.lock = threading.Lock()
        #: (group, member) to [when it is over, the session's seconds, connection, whether it joins]
        self.known = {}
        #: Who has left, each as (group, member).
        self.left = set()
        self.expired = 0

    def asked(self, key, body, connection):
        """Notes a request; what is needed for its answer is returned."""
        reader = Reader(body)
        _, version, _ = reader.take("h"), reader.take("h"), reader.take("i")
        reader.text()
        group = reader.text()
        if key == JOIN_GROUP:
            session = reader.take("i") / 1000
            reader.bytes(4 if version >= 1 else 0)
            member = reader.text()
            if member:
                self.hear(group, member, session, connection, joining=True)
            return group, session, version
        if key == LEAVE_GROUP:
            count = reader.take("i") if version >= 3 else 1
            for _ in range(count):
                member = reader.text()
                with self.lock:
                    self.known.pop((group, member), None)
                    self.left.add((group, member))
                if version >= 3:
                    reader.text()
            return None
        reader.bytes(4)
        member = reader.text()
        with self.lock:
            session = self.known.get((group, member), (0, None))[1]
        if session is not None:
            self.hear(group, member, session, connection)
        return None

    def answered(self, request, body, connection):
        """Notes an answer to JoinGroup."""
        group, session, version = request
        reader = Reader(body, 4 + (4 if version >= 2 else 0))
        error = reader.take("h")
        reader.bytes(4)
        reader.text(), reader.text()
        member = reader.text()
        if error in (0, MEMBER_ID_REQUIRED) and member:
            self.hear(group, member, session, connection)

    def hear(self, group, member, session, connection, joining=False):
        with self.lock:
            self.known[group, member] = [time.monotonic() + session, session, connection, joining]
            self.left.discard((group, member))

    def gone(self, connection):
        """That connection is no more, whoever had it."""
        with self.lock:
            for entry in self.known.values():
                if entry[2] is connection:
                    entry[0] = min(entry[0], time.monotonic() + AWAY_SECONDS)
                    entry[3] = False

    def restarted(self):
        """The broker has what it had kept, in which who has left since is a member still."""
        with self.lock:
            for name in self.left:
                self.known[name] = [time.monotonic(), 0, None, False]

    def expire(self):
        """Makes those leave whose session is over. A member that waits for a rebalance lives."""
        while True:
            time.sleep(0.25)
            now = time.monotonic()
            with self.lock:
                over = [name for name, (end, _, _, joining) in self.known.items()
                        if not joining and now > end]
            for name in over:
                try:
                    self.leave(*name)
                except OSError:
                    continue
                with self.lock:
                    self.known.pop(name, None)
                    if name not in self.left:
                        self.left.add(name)
                        self.expired += 1


def leave_request(group, member):
    """A request with which a member leaves, and its length before it."""
    request = struct.pack(">hhi", LEAVE_GROUP, 1, 1) + text(b"proxy") + text(group) + text(member)
    return struct.pack(">i", len(request)) + request


class FetchRequest:
    """How much somebody asked for, of the whole and of each partition, and from where on."""

    def __init__(self, body):
        reader = Reader(body)
        _, self.version, _ = reader.take("h"), reader.take("h"), reader.take("i")
        reader.text()
        reader.bytes(4)
        self.wait_seconds = reader.take("i") / 1000
        reader.bytes(4)
        self.max_bytes = reader.take("i") if self.version >= 3 else 1 << 31
        self.partitions = {}
        reader.bytes(1 if self.version >= 4 else 0)
        reader.bytes(8 if self.version >= 7 else 0)
        for _ in range(reader.take("i")):
            topic = reader.text()
            for _ in range(reader.take("i")):
                partition = reader.take("i")
                reader.bytes(4 if self.version >= 9 else 0)
                offset = reader.take("q")
                reader.bytes(8 if self.version >= 5 else 0)
                self.partitions[topic, partition] = (offset, reader.take("i"))


def with_versions_max(answer, version):
    """An answer to ApiVersions without the versions that are not understood here."""
    answer = bytearray(answer)
    error = struct.unpack_from(">h", answer, 4)[0]
    # An unknown version is answered in the oldest form.
    place, step = (7, 7) if version >= 3 and error == 0 else (10, 6)
    while place + 6 <= len(answer):
        key, _, newest = struct.unpack_from(">hhh", answer, place)
        if key in VERSIONS_MAX:
            struct.pack_into(">h", answer, place + 4, min(newest, VERSIONS_MAX[key]))
        place += step
    return bytes(answer)


def batches(records):
    """Where each record batch begins and ends; a torn one at the end is none."""
    begin = 0
    while begin + 61 <= len(records):
        end = begin + 12 + struct.unpack_from(">i", records, begin + 8)[0]
        if end > len(records):
            return
        yield begin, end
        begin = end


def abort_markers(records):
    """(producer, offset) of each end of an aborted transaction."""
    for begin, _ in batches(records):
        if not struct.unpack_from(">h", records, begin + 21)[0] & 0x20:
            continue
        reader = Reader(records, begin + 61)
        reader.varint(), reader.bytes(1), reader.varint(), reader.varint(), reader.varint()
        if (reader.take("h"), reader.take("h"))[1] == 0:
            yield struct.unpack_from(">q", records, begin + 43)[0], struct.unpack_from(
                ">q", records, begin)[0]


def overlapping(aborted, records, offset):
    """The aborted transactions whose end is not before `offset`.

    The answer holds all that there is from `offset` on, so a transaction that began before it has
    its end in the answer, or it had it before.
    """
    firsts = {}
    for producer, first in aborted:
        firsts.setdefault(producer, []).append(first)
    ended = set()
    for producer, marker in abort_markers(records):
        before = [first for first in firsts.get(producer, []) if first <= marker]
        if marker >= offset and before:
            ended.add((producer, max(before)))
    return [entry for entry in aborted if entry[1] >= offset or entry in ended]


def mended(answer, request):
    """An answer to Fetch as Apache Kafka gives it, how many entries were taken out, and whether it
    has no records."""
    reader, version, taken = Reader(answer, 4), request.version, 0
    result = bytearray(answer[:4])

    def keep(count):
        result.extend(reader.bytes(count))

    keep(4 if version >= 1 else 0)
    keep(6 if version >= 7 else 0)
    topics = reader.take("i")
    result += struct.pack(">i", topics)
    room, is_first = request.max_bytes, True
    for _ in range(topics):
        topic = reader.text()
        partitions = reader.take("i")
        result += struct.pack(">h", len(topic)) + topic + struct.pack(">i", partitions)
        for _ in range(partitions):
            partition = struct.unpack_from(">i", answer, reader.place)[0]
            keep(14 + (8 if version >= 4 else 0) + (8 if version >= 5 else 0))
            aborted = []
            if version >= 4:
                aborted = [
                    (reader.take("q"), reader.take("q")) for _ in range(max(0, reader.take("i")))]
            preferred = reader.bytes(4 if version >= 11 else 0)
            records = reader.bytes(reader.take("i"))
            offset, size = request.partitions.get((topic, partition), (0, 1 << 31))
            if version >= 4:
                kept = overlapping(aborted, records, offset)
                taken += len(aborted) - len(kept)
                result += struct.pack(">i", len(kept))
                result += b"".join(struct.pack(">qq", *entry) for entry in kept)
            until = 0
            for _, end in batches(records):
                # The first batch of all is answered whatever its size.
                if end > min(size, room) and not (is_first and until == 0):
                    break
                until = end
            if until < len(records) and not any(True for _ in batches(records)):
                until = len(records)
            room -= until
            is_first = is_first and until == 0
            result += preferred + struct.pack(">i", until) + records[:until]
    return bytes(result + answer[reader.place :]), taken, room == request.max_bytes
