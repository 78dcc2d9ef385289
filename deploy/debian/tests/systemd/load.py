"""Runs in the guest: delivers to the daemon until it is told to end, and says how that went.

    load.py NAME REPORT [TOLD]

To the file TOLD it says what is acknowledged at once, a line each: it may lie outside the guest.
"""

import json
import signal
import socket
import sys
import threading
import time
from pathlib import Path

from deliveries import Stripe, charge

PORT = 8080


class Knocker:
    """Connects again and again, beside the deliveries: was it ever refused?"""

    def __init__(self) -> None:
        self.knocks, self.refusals = 0, []

    def run(self, is_over: threading.Event) -> None:
        while not is_over.wait(0.1):
            try:
                socket.create_connection(("127.0.0.1", PORT), timeout=60).close()
            except OSError as refusal:
                self.refusals.append(f"{time.time():.2f} {refusal}")
            self.knocks += 1


def main() -> None:
    name, report, told = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]
    is_over, stripe, knocker = threading.Event(), Stripe(PORT), Knocker()
    signal.signal(signal.SIGTERM, lambda *_: is_over.set())
    knocking = threading.Thread(target=knocker.run, args=[is_over])
    knocking.start()
    aloud = open(told[0], "w", buffering=1) if told else None
    number, failure = 0, None
    try:
        while not is_over.is_set():
            stripe.deliver(charge(number, name), 600)
            number += 1
            # The machine's two slow processors are to do other things too.
            is_over.wait(0.1)
            if aloud:
                aloud.write(f"evt_{name}{number - 1:06d}\n")
            elif number == 1:
                report.with_suffix(".begun").touch()
    except Exception as error:  # The test outside has to fail by it.
        failure = repr(error)
    is_over.set()
    knocking.join()
    report.write_text(json.dumps({
        "acknowledged": sorted(stripe.acknowledged), "unconnected": stripe.unconnected,
        "again": stripe.refused, "longest": stripe.longest, "knocks": knocker.knocks,
        "refusals": knocker.refusals, "failure": failure}))


if __name__ == "__main__":
    main()
