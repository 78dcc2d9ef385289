#!/usr/bin/env python3
"""kafka_proxy.py PORT CONTROL_PORT [CERTIFICATE KEY]: a network with a broker's port on the inside.

The broker advertises the address that it binds, so a proxy in front of it needs the same one. This
process listens on 127.0.0.1:PORT, then moves into a network namespace of its own, in which
127.0.0.1:PORT is free again: the broker is started there (nsenter --net=/proc/PID/ns/net).
Connections taken outside are carried on inside. With a certificate the outside is TLS.

Commands, a line each, on CONTROL_PORT; each is answered by "ok" or by a number:
    drop KEY N    lose the answers to the next N requests of that API key, and cut the connection
    dropped       how many answers were lost
    cut           end all connections
    hold, go      take bytes from nobody, and again
"""

import ctypes
import fcntl
import os
import select
import socket
import ssl
import struct
import sys
import threading

port, control_port = int(sys.argv[1]), int(sys.argv[2])


class Proxy:
    def __init__(self):
        self.lock = threading.Lock()
        self.drops = {}
        self.dropped = 0
        self.open = set()
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
        elif words[0] == "hold":
            self.going.clear()
        elif words[0] == "go":
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

    def carry(self, outside, context):
        inside = None
        try:
            if context:
                outside = context.wrap_socket(outside, server_side=True)
            inside = socket.create_connection(("127.0.0.1", port))
            with self.lock:
                self.open |= {outside, inside}
            requests = {}
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
            close(outside)
            close(inside)

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
                self.going.wait()
                if asked is not None:
                    key, _, correlation = struct.unpack(">hhi", body[:8])
                    asked[correlation] = key
                elif self.loses(answered.pop(struct.unpack(">i", body[:4])[0], None)):
                    break
                target.sendall(head + body)
        except OSError:
            pass
        close(source)
        close(target)


def close(connection):
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


def own_network():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x40000000) != 0:
        sys.exit("no network namespace: " + os.strerror(ctypes.get_errno()))
    with socket.socket() as plain:
        name = b"lo".ljust(16, b"\0")
        flags = struct.unpack_from("h", fcntl.ioctl(plain, 0x8913, name + bytes(24)), 16)[0]
        fcntl.ioctl(plain, 0x8914, name + struct.pack("h", flags | 1) + bytes(22))


def serve(listening, body):
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=body, args=(connection,), daemon=True).start()


def main():
    outside, control = listener(port), listener(control_port)
    own_network()
    context = None
    if len(sys.argv) > 3:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[3], sys.argv[4])
    proxy = Proxy()

    def obey(connection):
        with connection, connection.makefile("rw") as lines:
            for line in lines:
                lines.write(proxy.command(line.split()) + "\n")
                lines.flush()

    threading.Thread(target=serve, args=(control, obey), daemon=True).start()
    print("ready", flush=True)
    serve(outside, lambda connection: proxy.carry(connection, context))


main()
