#!/usr/bin/env python3
"""kafka_proxy.py PORT BROKER_PORT CONTROL_PORT [CERTIFICATE KEY]: what stands before a broker.

Connections to 127.0.0.1:PORT are carried on to 127.0.0.1:BROKER_PORT; where the broker tells its
own address, this one is told instead. With a certificate the outside is TLS.

It sets right what noida-db does otherwise than Apache Kafka does: kafka_mending.py says what.

Commands, a line each, on CONTROL_PORT; each is answered by "ok", a number, or "=" and bytes as HEX:
    drop KEY N    lose the answers to the next N requests of that API key, and cut the connection
    dropped       how many answers were lost
    cut           end all connections, and say how many there were
    hold, go      take bytes from nobody, and again
    hold KEY      the same from the answer to the next request of that API key on
    held          1 while bytes are taken from nobody
    seen          how many requests came
    accept HEX    refuse who does not show these bytes when it authenticates (SASL)
    shown         what was shown last by somebody who authenticates
    mended        how many aborted transactions were taken out of answers
    expired       how many members were made to leave
    restarted     the broker has what it had kept: who has left since leaves once more
    due           how many answers the broker owes to requests that write something
    joins         how many times somebody has asked to join a group
    certificate CERTIFICATE KEY
                  show this one from now on to who connects anew
    cluster ID    tell this id of the cluster from now on: noida-db tells one and the same wherever
                  it runs, and this is as long
"""

import socket
import ssl
import struct
import sys
import threading
import time

# Nothing is left beside the scripts.
sys.dont_write_bytecode = True
from kafka_mending import (
    FETCH, HEARTBEAT, JOIN_GROUP, LEAVE_GROUP, SYNC_GROUP, FetchRequest, Members, leave_request,
    mended, with_versions_max)

port, broker_port, control_port = (int(word) for word in sys.argv[1:4])

#: What every noida-db tells of its cluster.
CLUSTER = b"MkU3OEVBNTctOEUyRi00"
METADATA, FIND_COORDINATOR, API_VERSIONS, DESCRIBE_CLUSTER = 3, 10, 18, 60
SASL_AUTHENTICATE, SASL_AUTHENTICATION_FAILED = 36, 58
#: Produce, OffsetCommit, InitProducerId, AddPartitionsToTxn, AddOffsetsToTxn, EndTxn and
#: TxnOffsetCommit.
WRITING = {0, 8, 22, 24, 25, 26, 28}
#: How long an answer to Fetch without records is held.
EMPTY_SECONDS = 0.01


def leave(group, member):
    """Makes a member leave its group."""
    with socket.create_connection(("127.0.0.1", broker_port), timeout=2) as connection:
        connection.sendall(leave_request(group, member))
        exactly(connection, 4)


def joins(requests):
    """Whether an answer to JoinGroup is still to come."""
    return any(key == JOIN_GROUP for key, _ in list(requests.values()))


class Proxy:
    def __init__(self, context):
        #: Of TLS; None where the outside is plain.
        self.context = context
        self.lock = threading.Lock()
        self.drops = {}
        self.dropped = 0
        self.open = set()
        self.seen = 0
        self.hold_at = None
        self.accepted = None
        self.shown = b""
        self.mended = 0
        self.joins = 0
        self.cluster = CLUSTER
        self.members = Members(leave)
        #: Requests that write something and are let in, until they are answered: (connection's
        #: requests, correlation).
        self.writing = set()
        self.going = threading.Event()
        self.going.set()

    def command(self, words):
        if words[0] == "drop":
            with self.lock:
                self.drops[int(words[1])] = int(words[2])
        elif words[0] == "dropped":
            return str(self.dropped)
        elif words[0] == "cut":
            with self.lock:
                connections = list(self.open)
            for connection in connections:
                close(connection)
            # Each has an end outside and one inside.
            return str(len(connections) // 2)
        elif words[0] == "hold" and len(words) > 1:
            with self.lock:
                self.hold_at = int(words[1])
        elif words[0] == "held":
            return str(int(not self.going.is_set()))
        elif words[0] == "hold":
            with self.lock:
                self.going.clear()
        elif words[0] == "seen":
            return str(self.seen)
        elif words[0] == "accept":
            self.accepted = bytes.fromhex(words[1])
        elif words[0] == "shown":
            return "=" + self.shown.hex()
        elif words[0] == "mended":
            return str(self.mended)
        elif words[0] == "expired":
            return str(self.members.expired)
        elif words[0] == "joins":
            return str(self.joins)
        elif words[0] == "certificate" and self.context:
            self.context.load_cert_chain(words[1], words[2])
        elif words[0] == "cluster" and len(words[1]) == len(CLUSTER):
            self.cluster = words[1].encode()
        elif words[0] == "restarted":
            self.members.restarted()
        elif words[0] == "due":
            with self.lock:
                return str(len(self.writing))
        elif words[0] == "go":
            with self.lock:
                self.hold_at = None
                self.going.set()
        else:
            return "what?"
        return "ok"

    def loses(self, key):
        with self.lock:
            if self.drops.get(key, 0) < 1:
                return False
            self.drops[key] -= 1
            self.dropped += 1
            return True

    def stops(self, key):
        with self.lock:
            if self.hold_at is None or self.hold_at != key:
                return
            self.hold_at = None
            self.going.clear()

    def refuses(self, body):
        """The answer to a request that shows something else than what is accepted."""
        with self.lock:
            self.seen += 1
            key, version, correlation = struct.unpack(">hhi", body[:8])
            self.joins += key == JOIN_GROUP
            if key != SASL_AUTHENTICATE:
                return None
            self.shown = body[8:]
            if self.accepted is None or self.accepted in body:
                return None
        words = b"the proxy does not accept these"
        answer = struct.pack(">ihh", correlation, SASL_AUTHENTICATION_FAILED, len(words)) + words
        answer += struct.pack(">i", 0) + (struct.pack(">q", 0) if version > 0 else b"")
        return struct.pack(">i", len(answer)) + answer

    def carry(self, outside, context):
        inside, requests = None, {}
        try:
            if context:
                outside = context.wrap_socket(outside, server_side=True)
            inside = socket.create_connection(("127.0.0.1", broker_port))
            for connection in (outside, inside):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.open |= {outside, inside}
            back = threading.Thread(
                target=self.pump, args=(inside, outside, None, requests), daemon=True)
            back.start()
            self.pump(outside, inside, requests, None)
            back.join()
        except OSError:
            pass
        finally:
            with self.lock:
                self.open -= {outside, inside}
                self.writing = {name for name in self.writing if name[0] != id(requests)}
            close(outside)
            close(inside)

    def told(self, key, request, body, connection):
        """What is told outside for what the broker has answered."""
        if key in (METADATA, FIND_COORDINATOR, DESCRIBE_CLUSTER):
            own, inside = (
                b"127.0.0.1" + struct.pack(">i", number) for number in (port, broker_port))
            return body.replace(inside, own).replace(CLUSTER, self.cluster)
        if key == API_VERSIONS:
            return with_versions_max(body, request)
        if key == JOIN_GROUP:
            self.members.answered(request, body, connection)
        if key != FETCH:
            return body
        body, taken, is_empty = mended(body, request)
        with self.lock:
            self.mended += taken
        if is_empty:
            time.sleep(min(request.wait_seconds, EMPTY_SECONDS))
        return body

    def pump(self, source, target, asked, answered):
        """Carries frames; requests are noted by their correlation, answers are looked up by it."""
        try:
            while True:
                head = exactly(source, 4)
                if head is None:
                    break
                body = exactly(source, struct.unpack(">i", head)[0])
                if body is None:
                    break
                if asked is not None:
                    refusal = self.refuses(body)
                    if refusal is not None:
                        source.sendall(refusal)
                        # Who hangs up at once may not be heard: brokers wait a little, too.
                        while source.recv(4096):
                            pass
                        break
                    key, _, correlation = struct.unpack(">hhi", body[:8])
                    asked[correlation] = (key, self.noted(key, body, source))
                    self.let_in(key, (id(asked), correlation))
                else:
                    correlation = struct.unpack(">i", body[:4])[0]
                    key, request = answered.pop(correlation, (None, None))
                    with self.lock:
                        self.writing.discard((id(answered), correlation))
                    self.stops(key)
                    if self.loses(key):
                        break
                    body = self.told(key, request, body, target)
                    self.going.wait()
                try:
                    target.sendall(struct.pack(">i", len(body)) + body)
                except OSError:
                    if asked is not None or not joins(answered):
                        raise
        except OSError:
            pass
        if asked is None:
            answered.clear()
            # Nobody is there who would hear the answers that are still to come.
            with self.lock:
                self.writing = {name for name in self.writing if name[0] != id(answered)}
        else:
            self.members.gone(source)
            self.joins_alone(asked)
            self.members.gone(source)
        close(source)
        close(target)

    def let_in(self, key, name):
        """Returns when nothing is held; what writes is counted from then on."""
        while True:
            self.going.wait()
            with self.lock:
                if self.going.is_set():
                    if key in WRITING:
                        self.writing.add(name)
                    return

    def noted(self, key, body, connection):
        """What is needed of a request once it is answered."""
        if key == FETCH:
            return FetchRequest(body)
        if key == API_VERSIONS:
            return struct.unpack_from(">h", body, 2)[0]
        if key in (JOIN_GROUP, HEARTBEAT, LEAVE_GROUP, SYNC_GROUP):
            return self.members.asked(key, body, connection)
        return None

    def joins_alone(self, asked):
        """Who is gone while it joins will be a member a moment later, and nobody knows its name:
        its answer is waited for."""
        end = time.monotonic() + 60
        while joins(asked):
            if time.monotonic() > end:
                return
            time.sleep(0.05)


def close(connection):
    """Ends a connection. A plain one is not closed here: somebody may still read it, and its
    descriptor would be another's by then."""
    if connection is None:
        return
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    if not isinstance(connection, ssl.SSLSocket):
        return
    try:
        connection.close()
    except OSError:
        pass


def exactly(connection, count):
    data = bytearray()
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            return None
        data += more
    return bytes(data)


def listener(number):
    result = socket.socket()
    result.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    result.bind(("127.0.0.1", number))
    result.listen(64)
    return result


def serve(listening, body):
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=body, args=(connection,), daemon=True).start()


def main():
    outside, control = listener(port), listener(control_port)
    context = None
    if len(sys.argv) > 4:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[4], sys.argv[5])
    proxy = Proxy(context)

    def obey(connection):
        with connection, connection.makefile("rw") as lines:
            for line in lines:
                lines.write(proxy.command(line.split()) + "\n")
                lines.flush()

    threading.Thread(target=serve, args=(control, obey), daemon=True).start()
    threading.Thread(target=proxy.members.expire, daemon=True).start()
    print("ready", flush=True)
    serve(outside, lambda connection: proxy.carry(connection, context))


main()
