"""A service manager that keeps the sockets of a daemon, as systemd does (sd_notify(3), FDSTORE=1), and
restarts it under clients that each open a connection for each delivery.

    kept_sockets.py TILLBOX DATA WEBHOOK_PORT ADMIN_PORT ACKNOWLEDGED_FILE

It prints one JSON document:

    stops   restarts by SIGTERM: connections refused, deliveries without an answer
    kills   the same for SIGKILL, where a delivery under way may go unanswered
    names   of the sockets that the manager has at the end
    moved   whether a start on another address of the same port let go of the old one and took its own
    counts  acknowledged events, and those that never were
"""
import fcntl
import hashlib
import hmac
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

SECRET = "whsec_test"
CLIENT_COUNT = 4
ROUND_COUNT = 5
PATIENCE_SECONDS = 60


class Manager:
    """Runs the daemon, and keeps what it is given."""

    def __init__(self, folder, tillbox, data, ports):
        self.command = [tillbox, "run", "--data", data]
        self.environment = {
            "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "NOTIFY_SOCKET": f"{folder}/notify",
            "TILLBOX_WEBHOOK_SECRET": SECRET, "TILLBOX_WEBHOOK_PORT": str(ports[0]),
            "TILLBOX_ADMIN_PORT": str(ports[1])}
        self.errors = open(f"{folder}/errors", "w+b")
        self.receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.receiver.bind(self.environment["NOTIFY_SOCKET"])
        self.kept = []
        self.ready = threading.Semaphore(0)
        self.process = None
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            text, descriptors, _, _ = socket.recv_fds(self.receiver, 4096, 8)
            words = text.decode().split("\n")
            name = next((w.partition("=")[2] for w in words if w.startswith("FDNAME=")), "")
            if "FDSTORE=1" in words:
                self.kept += [(name, descriptor) for descriptor in descriptors]
            if "FDSTOREREMOVE=1" in words:
                for _, descriptor in [one for one in self.kept if one[0] == name]:
                    os.close(descriptor)
                self.kept = [one for one in self.kept if one[0] != name]
            if "READY=1" in words:
                self.ready.release()

    def start(self, **more):
        """Returns when the daemon says that it is ready."""
        names, descriptors = [n for n, _ in self.kept], [d for _, d in self.kept]
        own = {"LISTEN_FDS": str(len(names)), "LISTEN_FDNAMES": ":".join(names)} if names else {}
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--hand", ",".join(map(str, descriptors)), *self.command],
            env={**self.environment, **own, **more}, pass_fds=descriptors,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.errors)
        if not self.ready.acquire(timeout=PATIENCE_SECONDS):
            raise AssertionError("it did not become ready")

    def stop(self, number):
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE_SECONDS)
        if number == signal.SIGTERM and code != 0:
            raise AssertionError(f"it ended with {code}")

    def said(self):
        self.errors.seek(0)
        return self.errors.read().decode()


def hand(descriptors, command):
    """Becomes the daemon, with the sockets from 3 on."""
    aside = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, 100) for descriptor in descriptors]
    os.closerange(3, 100)
    for number, descriptor in enumerate(aside):
        os.dup2(descriptor, 3 + number)
        os.close(descriptor)
    os.environ["LISTEN_PID"] = str(os.getpid())
    os.execv(command[0], command)


class Clients:
    """Deliveries, each on a connection of its own; what is not acknowledged is sent again."""

    def __init__(self, port):
        self.port = port
        self.lock = threading.Lock()
        self.acknowledged = []
        self.is_over = False
        self.failures = []
        self.counts = {}
        self.threads = [threading.Thread(target=self.run, args=[n]) for n in range(CLIENT_COUNT)]
        self.count_anew()
        for thread in self.threads:
            thread.start()

    def count_anew(self):
        with self.lock:
            before, self.counts = self.counts, {"refused": 0, "unanswered": 0}
        return before

    def run(self, client):
        number = 0
        while not self.is_over:
            identity = f"{client}x{number:06d}"
            number += 1
            now = int(time.time())
            body = json.dumps({
                "id": f"evt_{identity}", "object": "event", "type": "charge.succeeded",
                "created": now, "livemode": False, "data": {"object": {
                    "id": f"ch_{identity}", "object": "charge", "amount": 1000 + number,
                    "amount_captured": 1000 + number, "currency": "usd", "captured": True,
                    "paid": True, "status": "succeeded", "created": now,
                    "customer": f"cus_{number % 7}"}}}).encode()
            deadline = time.monotonic() + PATIENCE_SECONDS
            while not self.deliver(body):
                if time.monotonic() > deadline:
                    return self.failures.append(identity)
            with self.lock:
                self.acknowledged.append(f"evt_{identity}")

    def deliver(self, body):
        moment = int(time.time())
        digest = hmac.new(SECRET.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        try:
            try:
                connection.connect()
            except OSError:
                return self.count("refused")
            connection.request("POST", "/webhooks/stripe", body, {
                "Stripe-Signature": f"t={moment},v1={digest}", "Connection": "close"})
            return connection.getresponse().status == 200 or self.count("unanswered")
        except (OSError, http.client.HTTPException):
            return self.count("unanswered")
        finally:
            connection.close()

    def count(self, name):
        with self.lock:
            self.counts[name] += 1
        return False

    def until_further(self, count):
        """Waits for as many further acknowledgements."""
        wanted = len(self.acknowledged) + count
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(self.acknowledged) < wanted:
            if time.monotonic() > deadline:
                raise AssertionError("no delivery is acknowledged any more")
            time.sleep(0.002)

    def end(self):
        self.is_over = True
        for thread in self.threads:
            thread.join()


def restarts(manager, clients, number):
    for _ in range(ROUND_COUNT):
        clients.until_further(40)
        manager.stop(number)
        manager.start()
    clients.until_further(40)
    return clients.count_anew()


def move(manager):
    """Whether a start on all addresses of the port takes a socket of its own."""
    before = {name: os.fstat(descriptor).st_ino for name, descriptor in manager.kept}
    manager.stop(signal.SIGTERM)
    manager.start(TILLBOX_WEBHOOK_HOST="0.0.0.0")
    after = {name: os.fstat(descriptor).st_ino for name, descriptor in manager.kept}
    return (before.get("webhook") != after.get("webhook")
            and before.get("admin") == after.get("admin"))


def main(tillbox, data, webhook, admin, acknowledged):
    with tempfile.TemporaryDirectory() as folder:
        manager = Manager(folder, tillbox, data, (int(webhook), int(admin)))
        try:
            manager.start()
            clients = Clients(int(webhook))
            try:
                found = {"stops": restarts(manager, clients, signal.SIGTERM),
                         "kills": restarts(manager, clients, signal.SIGKILL)}
            finally:
                clients.end()
            found["moved"] = move(manager)
            manager.stop(signal.SIGTERM)
            found["names"] = sorted(name for name, _ in manager.kept)
            found["counts"] = {"acknowledged": len(clients.acknowledged),
                               "failures": len(clients.failures)}
        except (AssertionError, subprocess.TimeoutExpired) as failure:
            sys.exit(f"{failure}\n{manager.said()[-2000:]}")
        finally:
            manager.process.kill()
    with open(acknowledged, "w") as file:
        file.writelines(f"{event}\n" for event in clients.acknowledged)
    print(json.dumps(found))


if sys.argv[1] == "--hand":
    hand([int(word) for word in sys.argv[2].split(",") if word], sys.argv[3:])
else:
    main(*sys.argv[1:])
