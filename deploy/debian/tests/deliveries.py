"""Signed deliveries as Stripe makes them, for the tests of the package and of the image."""

import hashlib
import hmac
import http.client
import json
import os
import socket
import threading
import time

SECRET = "whsec_" + "p" * 32


def free_port() -> int:
    """Below the range from which Linux takes ports by itself, so that nobody gets it meanwhile."""
    for port in range(21000 + os.getpid() % 5000, 32000):
        with socket.socket() as trial:
            try:
                trial.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise AssertionError("no free port")


def charge(number: int, run_name: str) -> bytes:
    identity = f"{run_name}{number:06d}"
    now = int(time.time())
    return json.dumps({
        "id": f"evt_{identity}", "object": "event", "type": "charge.succeeded",
        "api_version": "2024-06-20", "created": now, "livemode": True,
        "data": {"object": {
            "id": f"ch_{identity}", "object": "charge", "amount": 1000 + number,
            "amount_captured": 1000 + number, "currency": "usd", "captured": True, "paid": True,
            "status": "succeeded", "created": now, "customer": f"cus_{number % 7}",
            "livemode": True}},
    }).encode()


class Stripe:
    """Delivers as Stripe does: what is not acknowledged comes again."""

    def __init__(self, port: int):
        self.port = port
        self.acknowledged: set[str] = set()
        self.refused = 0
        # Of these, connections that nobody took.
        self.unconnected = 0
        self.longest = 0.0

    def send(self, body: bytes) -> int:
        """One attempt; 0 where nobody listens."""
        moment = int(time.time())
        digest = hmac.new(SECRET.encode(), f"{moment}.".encode() + body, hashlib.sha256)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.connect()
        except OSError:
            connection.close()
            self.unconnected += 1
            return 0
        try:
            connection.request("POST", "/webhooks/stripe", body, {
                "Stripe-Signature": f"t={moment},v1={digest.hexdigest()}",
                "Content-Type": "application/json"})
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    def deliver(self, body: bytes, seconds: float = 60) -> None:
        begin = time.monotonic()
        while time.monotonic() - begin < seconds:
            status = self.send(body)
            if status == 200:
                self.acknowledged.add(json.loads(body)["id"])
                self.longest = max(self.longest, time.monotonic() - begin)
                return
            if status not in (0, 503):
                raise AssertionError(f"answered {status}")
            self.refused += 1
            time.sleep(0.05)
        raise AssertionError("not acknowledged in time")


class Load:
    """Deliveries one behind the other on a thread of their own."""

    def __init__(self, stripe: Stripe, name: str):
        self.stripe, self.name = stripe, name
        self.failure: Exception | None = None
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        number = 0
        try:
            while not self.is_over.is_set():
                self.stripe.deliver(charge(number, self.name))
                number += 1
        except Exception as failure:  # It is the test's thread that has to fail by it.
            self.failure = failure

    def end(self) -> None:
        self.is_over.set()
        self.thread.join()
        if self.failure:
            raise self.failure
