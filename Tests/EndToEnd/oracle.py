"""The oracle of the reliability page, from the outside.

It reads a stopped data folder with nothing of Tillbox: segments through kafka-python's record reader,
the ledger through Python's sqlite3. It prints one JSON document: what it counted, and every violation.

    oracle.py DATA_FOLDER [--acknowledged FILE]

Exit code 0 when nothing is violated, 1 otherwise.
"""
import argparse
import collections
import glob
import json
import os
import sqlite3
import struct
import sys

from kafka.record.default_records import DefaultRecordBatch

TOPICS = ("webhook.received", "payment.validated", "payment.features", "payment.scored", "payment.review",
          "ledger.posted", "dead.letter")
NO_ENTRIES = ("payment_failed", "dispute_opened", "dispute_closed",
              "refund_noted", "refunds_told", "release_told")
BATCH_PREFIX = struct.Struct(">qi")


class Oracle:
    def __init__(self, folder):
        self.folder = folder
        self.violations = []
        self.counts = {}

    def demand(self, holds, text):
        if not holds and len(self.violations) < 50:
            self.violations.append(text)

    def batches(self, path):
        """Every batch of a segment file, up to its preallocated zero tail."""
        with open(path, "rb") as file:
            data = file.read()
        position = 0
        while position + 61 <= len(data):
            _, length = BATCH_PREFIX.unpack_from(data, position)
            if length == 0:
                break
            end = position + 12 + length
            self.demand(end <= len(data), f"{path}: the batch at byte {position} is cut off")
            if end > len(data):
                return
            yield DefaultRecordBatch(data[position:end])
            position = end
        self.demand(not any(data[position:]), f"{path}: bytes behind the last batch at {position}")

    def records(self, topic):
        """(offset, key, value, headers, timestamp) of a topic, checking checksums and dense offsets."""
        expected = None
        count = 0
        for path in sorted(glob.glob(os.path.join(self.folder, "log", f"{topic}-0", "*.log"))):
            for batch in self.batches(path):
                self.demand(batch.validate_crc(), f"{path}: bad checksum at offset {batch.base_offset}")
                for record in batch:
                    if expected is not None:
                        self.demand(record.offset == expected,
                                    f"{topic}: offset {record.offset} where {expected} is due")
                    expected = record.offset + 1
                    count += 1
                    headers = {name: (value or b"").decode() for name, value in record.headers}
                    yield record.offset, record.key, record.value, headers, record.timestamp
        self.counts[topic] = count

    def derived(self, topic, key=lambda value, headers: None):
        """A derived topic: sources never go back, and the same output of a source stands once."""
        last = {}
        seen = collections.Counter()
        rows = []
        for offset, _, value, headers, _ in self.records(topic):
            stage = headers.get("stage", "")
            source = int(headers["source-offset"])
            if source >= 0:
                self.demand(source >= last.get(stage, -1), f"{topic}@{offset}: source {source} goes back")
                last[stage] = source
                mark = (stage, source, key(value, headers))
                seen[mark] += 1
                self.demand(seen[mark] == 1, f"{topic}@{offset}: a second output {mark}")
            rows.append((offset, source, value, headers))
        return rows

    def run(self, acknowledged):
        received, redriven = collections.Counter(), set()
        for offset, key, value, headers, _ in self.records("webhook.received"):
            # An order of a redrive puts the record there once more; its own source is what is unique.
            if headers.get("stage") == "redrive":
                mark = headers["source-offset"]
                self.demand(mark not in redriven, f"webhook.received@{offset}: order {mark} came twice")
                redriven.add(mark)
            else:
                received[key.decode()] += 1
            self.demand(json.loads(value)["id"] == key.decode(), f"webhook.received@{offset}: key is not the id")
        self.demand(all(n == 1 for n in received.values()),
                    f"events stored twice: {[k for k, n in received.items() if n > 1][:5]}")

        dead = self.derived("dead.letter")
        dead_events = {headers.get("event-id") for _, _, _, headers in dead}
        if acknowledged:
            ids = {line.split()[0] for line in open(acknowledged) if line.strip()}
            lost = [event for event in ids if event not in received and event not in dead_events]
            self.demand(not lost, f"{len(lost)} acknowledged events are lost: {lost[:5]}")
            self.counts["acknowledged"] = len(ids)

        movement = lambda value, _: json.loads(value)["movement"]
        validated = self.derived("payment.validated", movement)
        self.derived("payment.features", lambda value, _: json.loads(value)["object_id"])
        scored = self.derived("payment.scored", movement)
        reviews = self.derived("payment.review", movement)

        wanted = {json.loads(v)["movement"] for _, _, v, _ in validated}
        got = {json.loads(v)["movement"] for _, _, v, _ in scored}
        self.demand(wanted == got, f"validated but not scored: {list(wanted - got)[:5]}")
        booked = self.ledger()
        refused = {json.loads(v)["movement"] for _, _, v, h in dead if h["stage"] == "ledger"}
        due = {json.loads(v)["movement"] for _, _, v, _ in scored
               if json.loads(v)["kind"] not in NO_ENTRIES} - refused
        self.demand(due <= booked, f"scored but not booked: {list(due - booked)[:5]}")

        self.reviews(reviews)
        posted = collections.Counter(json.loads(v)["movement"] for _, _, v, _ in self.derived("ledger.posted", movement))
        self.demand(set(posted) == booked, f"ledger and ledger.posted differ: {list(set(posted) ^ booked)[:5]}")
        self.demand(all(n == 1 for n in posted.values()), "a movement is posted twice")

    def reviews(self, records):
        """A payment has an open review exactly when its money is held and no person has decided: by the
        topic and by the ledger's table alike. It is the last `opened` one of its payment."""
        told, decided, last = {}, set(), {}
        for offset, source, value, headers in records:
            record = json.loads(value)
            if record["by"] == "scoring":
                if record["state"] == "opened" and headers.get("stage") == "ledger":
                    said = (record["score"], record["reasons"])
                    again = told.get(record["movement"]) == "opened"
                    self.demand(not again or last.get(record["movement"], (0, None))[1] != said,
                                f"payment.review@{offset}: {record['movement']} is renewed by the same")
                    last[record["movement"]] = (source, said)
                told[record["movement"]] = record["state"]
            elif headers.get("redriven-from") is None and record["state"] in ("approved", "declined"):
                decided.add(record["movement"])
        database = sqlite3.connect(f"file:{self.folder}/ledger.sqlite?mode=ro", uri=True)
        held = collections.Counter()
        for movement, amount in database.execute(
                "SELECT t.movement, -e.amount FROM transactions t JOIN entries e ON e.transaction_id = t.id "
                "JOIN accounts a ON a.id = e.account WHERE a.name LIKE 'merchant:%:held'"):
            held[self.payment(movement)] += amount
        held = {movement for movement, amount in held.items() if amount > 0}
        named = dict(database.execute(
            "SELECT movement, review FROM open_reviews JOIN transactions ON id = transaction_id"))
        database.close()
        kept = set(named)
        wrong = [m for m, row in named.items() if m in last and last[m][0] != row]
        self.demand(not wrong, f"open reviews that name another row than the last: {wrong[:5]}")
        opened = {movement for movement, state in told.items() if state == "opened"} - decided
        self.demand(kept == held, f"open reviews and held money differ: {list(kept ^ held)[:5]}")
        self.demand(opened == held, f"payment.review and held money differ: {list(opened ^ held)[:5]}")
        self.counts["open_reviews"] = len(kept)

    @staticmethod
    def payment(movement):
        """The payment that a movement of held money belongs to."""
        if movement.startswith("charge_reversed:"):
            return "charge:" + movement.split(":", 1)[1]
        start = movement.find("charge:")
        return movement[start:].split("#")[0]

    def ledger(self):
        """The movements booked; balance per transaction and currency, integrity, unique movements."""
        database = sqlite3.connect(f"file:{self.folder}/ledger.sqlite?mode=ro", uri=True)
        self.demand(database.execute("PRAGMA integrity_check").fetchall() == [("ok",)], "integrity_check fails")
        entries, currency = LEDGER_ENTRIES
        unbalanced = database.execute(
            f"SELECT transaction_id, {currency}, SUM(amount) FROM {entries} GROUP BY 1, 2 HAVING SUM(amount) <> 0"
        ).fetchall()
        self.demand(not unbalanced, f"unbalanced transactions: {unbalanced[:5]}")
        rows = database.execute("SELECT movement, COUNT(*) FROM transactions GROUP BY movement").fetchall()
        self.demand(all(n == 1 for _, n in rows), "a movement is booked twice")
        self.counts["ledger"] = len(rows)
        database.close()
        return {m for m, _ in rows}


#: Table and currency column of the ledger's entries.
LEDGER_ENTRIES = ("entries", "currency")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--acknowledged")
    arguments = parser.parse_args()
    oracle = Oracle(arguments.folder)
    oracle.run(arguments.acknowledged)
    print(json.dumps({"counts": oracle.counts, "violations": oracle.violations}))
    sys.exit(1 if oracle.violations else 0)


if __name__ == "__main__":
    main()
