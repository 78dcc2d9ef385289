#!/usr/bin/env python3
"""Measures the job's delay: from the append to `payment.validated` until the vector's record is read.

    deploy/spark/tests/delay.py [--rate N] [--count N] [-- ARGUMENTS OF THE JOB]

Starts a broker, Redis and the job, computes some events so that it is warm, and then sends simulated
payments at a rate. Prints one line of JSON.
"""

import argparse
import json
import os
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import conftest  # noqa: F401, E402
import servers as processes  # noqa: E402

PREFIX = "delay."
WARM = 500


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rate", type=float, default=50, help="records a second (default: 50)")
    parser.add_argument("--count", type=int, default=3000, help="records (default: 3000)")
    parser.add_argument("job", nargs="*", help="arguments of the job")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        made = processes.Servers(folder)
        try:
            made.kafka()
            made.redis()
            print(json.dumps(measured(made, chosen)))
        finally:
            made.stop()


def measured(made, chosen):
    edge = processes.Edge(made, count=chosen.count + WARM, seed=3)
    records = edge.validated[:chosen.count + WARM]
    made.topics(PREFIX)
    job = made.job(PREFIX, f"{made.folder}/checkpoint", *chosen.job)
    sent, told = {}, {}
    is_over = threading.Event()

    def follow():
        for record in made.follow(PREFIX + "payment.features", is_over):
            told.setdefault(json.loads(record.value())["event_id"], time.time())

    thread = threading.Thread(target=follow)
    thread.start()
    producer = made.producer(**{"linger.ms": 1})

    def send(record):
        sent[record["value"]["event_id"]] = time.time()
        producer.produce(
            PREFIX + "payment.validated", key=record["key"], value=json.dumps(record["value"]))
        producer.poll(0)

    of = {record["value"]["event_id"] for record in edge.features}
    try:
        for record in records[:WARM]:
            send(record)
        producer.flush()
        processes.until(
            "the job is warm", lambda: told.keys() >= of & sent.keys(), 180, job)
        began = time.time()
        for number, record in enumerate(records[WARM:]):
            time.sleep(max(0, began + number / chosen.rate - time.time()))
            send(record)
        producer.flush()
        processes.until("all is told", lambda: told.keys() >= of & sent.keys(), 180, job)
    finally:
        is_over.set()
        thread.join()
    delays = sorted(
        told[event] - at for event, at in sent.items() if at >= began and event in told)
    return {
        "rate": chosen.rate, "records": len(records) - WARM, "vectors": len(delays),
        "load": os.getloadavg()[0],
        **{f"p{part}_s": round(delays[int(len(delays) * part / 100)], 2) for part in (50, 90, 99)},
        "max_s": round(delays[-1], 2)}


if __name__ == "__main__":
    main()
