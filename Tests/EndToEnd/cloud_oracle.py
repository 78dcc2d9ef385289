"""The oracle of the cloud roles, from the outside.

It reads what is committed at the broker through kafka-python, and the ledger through psql, with
nothing of Tillbox. It prints one JSON document: what it counted, and every violation.

    cloud_oracle.py BOOTSTRAP TOPIC_PREFIX POSTGRES_URI [--acknowledged FILE]

Exit code 0 when nothing is violated, 1 otherwise.
"""
import argparse
import collections
import csv
import io
import json
import subprocess
import sys

from kafka import KafkaConsumer, TopicPartition

from oracle import NO_ENTRIES, TOPICS, Oracle


class CloudOracle(Oracle):
    def __init__(self, bootstrap, prefix, postgres):
        super().__init__(None)
        self.bootstrap, self.prefix, self.postgres = bootstrap, prefix, postgres

    def records(self, topic):
        """(place, key, value, headers, timestamp) of every committed record, by partition."""
        consumer = KafkaConsumer(
            bootstrap_servers=self.bootstrap, isolation_level="read_committed",
            enable_auto_commit=False, auto_offset_reset="earliest", fetch_max_wait_ms=100)
        name = self.prefix + topic
        numbers = sorted(consumer.partitions_for_topic(name))
        partitions = [TopicPartition(name, number) for number in numbers]
        ends = consumer.end_offsets(partitions)
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        found, quiet = {partition: [] for partition in partitions}, 0
        while any(consumer.position(p) < ends[p] for p in partitions):
            batch = consumer.poll(timeout_ms=1000)
            quiet = 0 if batch else quiet + 1
            if quiet > 20:
                self.demand(False, f"{topic}: what is committed cannot be read to its end")
                break
            for partition, records in batch.items():
                found[partition] += records
        consumer.close()
        self.counts[topic] = sum(len(records) for records in found.values())
        for partition, records in found.items():
            for record in records:
                headers = {key: (value or b"").decode() for key, value in record.headers}
                place = (partition.partition, record.offset)
                yield place, record.key, record.value, headers, record.timestamp

    def once(self, topic, key):
        """A derived topic: the same output of a source stands once, under any number of crashes."""
        seen, rows = collections.Counter(), []
        for place, _, value, headers, _ in self.records(topic):
            # What was derived from no record (a person's decision, a vector found by a sweep) has
            # no source.
            source = headers.get("source")
            if source is not None:
                mark = (headers.get("stage", ""), source, key(value, headers))
                seen[mark] += 1
                self.demand(seen[mark] == 1, f"{topic}@{place}: a second output {mark}")
            rows.append((place, value, headers))
        return rows

    def sql(self, statement):
        ran = subprocess.run(
            ["psql", "-X", "-q", "--csv", "-t", "-d", self.postgres, "-c", statement],
            capture_output=True, text=True)
        if ran.returncode != 0:
            raise SystemExit(f"psql: {ran.stderr}")
        return list(csv.reader(io.StringIO(ran.stdout)))

    def run(self, acknowledged):
        received = collections.Counter()
        for place, key, value, _, _ in self.records("webhook.received"):
            received[key.decode()] += 1
            self.demand(
                json.loads(value)["id"] == key.decode(),
                f"webhook.received@{place}: key is not the id")
        # After an unclear outcome an event may stand there twice (contracts 11); it is booked once.
        self.counts["received_twice"] = sum(count - 1 for count in received.values())

        movement = lambda value, _: json.loads(value)["movement"]
        dead = self.once("dead.letter", lambda value, headers: headers.get("reason"))
        dead_events = {headers.get("event-id") for _, _, headers in dead}
        if acknowledged:
            ids = {line.split()[0] for line in open(acknowledged) if line.strip()}
            lost = [event for event in ids if event not in received and event not in dead_events]
            self.demand(not lost, f"{len(lost)} acknowledged events are lost: {lost[:5]}")
            self.counts["acknowledged"] = len(ids)

        wanted = {movement(value, None) for _, value, _ in self.once("payment.validated", movement)}
        rows = self.once("payment.scored", movement)
        told = [(place, json.loads(value)) for place, value, _ in rows]
        scored = [one for _, one in told]
        got = {one["movement"] for one in scored}
        self.demand(wanted == got, f"validated and scored differ: {sorted(wanted ^ got)[:5]}")

        booked = self.ledger()
        refused = {
            movement(value, None) for _, value, headers in dead
            if headers.get("stage") == "ledger"}
        due = {one["movement"] for one in scored if one["kind"] not in NO_ENTRIES} - refused
        unbooked = sorted(due - set(booked))
        self.demand(not unbooked, f"scored but not booked: {self.where(unbooked[:5], told)}")
        self.posted(booked)
        self.told_reviews()

    def where(self, movements, told):
        """Where each was scored, and where the ledger goes on there: beyond it, it has passed it
        over."""
        reads = {
            int(partition): int(offset) for partition, offset in self.sql(
                "SELECT partition, next_offset FROM tillbox.positions "
                "WHERE topic = 'payment.scored'")}
        return [
            f"{one['movement']} at {partition}/{offset}, "
            f"the ledger goes on at {reads.get(partition, 0)}"
            for (partition, offset), one in told if one["movement"] in movements]

    def ledger(self):
        """The number of each movement booked; balance per transaction and currency, unique
        movements."""
        unbalanced = self.sql(
            "SELECT transaction_id, currency, sum(amount) FROM tillbox.entries "
            "GROUP BY 1, 2 HAVING sum(amount) <> 0")
        self.demand(not unbalanced, f"unbalanced transactions: {unbalanced[:5]}")
        rows = self.sql("SELECT movement, id FROM tillbox.transactions ORDER BY id")
        counts = collections.Counter(movement for movement, _ in rows)
        self.demand(all(count == 1 for count in counts.values()), "a movement is booked twice")
        numbers = [int(number) for _, number in rows]
        self.demand(numbers == list(range(1, len(numbers) + 1)), "the ledger's rows have gaps")
        self.counts["ledger"] = len(rows)
        return {movement: int(number) for movement, number in rows}

    def posted(self, booked):
        """Each row of the ledger came out once, and in its order within a partition."""
        seen, last = collections.Counter(), {}
        for place, _, value, _, _ in self.records("ledger.posted"):
            record = json.loads(value)
            number = int(record["id"])
            self.demand(
                booked.get(record["movement"]) == number,
                f"ledger.posted@{place}: no such row {number}")
            self.demand(
                last.get(place[0], 0) < number,
                f"ledger.posted@{place}: row {number} goes back")
            last[place[0]] = number
            seen[number] += 1
        self.demand(all(count == 1 for count in seen.values()), "a row is posted twice")
        missing = set(booked.values()) - set(seen)
        self.demand(
            not missing, f"{len(missing)} rows are not in ledger.posted: {sorted(missing)[:5]}")

    def told_reviews(self):
        """A payment has an open review exactly when its money is held and no person has decided. It is
        the last `opened` one of its payment."""
        seen, last = collections.Counter(), {}
        for place, _, value, headers, _ in self.records("payment.review"):
            row = int(headers.get("source-offset", "-1"))
            if row > 0:
                seen[row] += 1
                self.demand(seen[row] == 1, f"payment.review@{place}: row {row} came twice")
                record = json.loads(value)
                if record["state"] == "opened":
                    last[record["movement"]] = max(last.get(record["movement"], 0), row)
        held = collections.Counter()
        for movement, amount in self.sql(
                "SELECT t.movement, -e.amount FROM tillbox.transactions t "
                "JOIN tillbox.entries e ON e.transaction_id = t.id "
                "JOIN tillbox.accounts a ON a.id = e.account WHERE a.name LIKE 'merchant:%:held'"):
            held[self.payment(movement)] += int(amount)
        held = {movement for movement, amount in held.items() if amount > 0}
        named = {movement: int(review) for movement, review in self.sql(
            "SELECT movement, review FROM tillbox.open_reviews "
            "JOIN tillbox.transactions ON id = transaction_id")}
        kept = set(named)
        wrong = [movement for movement, review in named.items() if last.get(movement) != review]
        self.demand(not wrong, f"open reviews that name another row than the last: {wrong[:5]}")
        self.demand(kept == held, f"open reviews and held money differ: {sorted(kept ^ held)[:5]}")
        self.counts["open_reviews"] = len(kept)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bootstrap")
    parser.add_argument("prefix")
    parser.add_argument("postgres")
    parser.add_argument("--acknowledged")
    arguments = parser.parse_args()
    oracle = CloudOracle(arguments.bootstrap, arguments.prefix, arguments.postgres)
    oracle.run(arguments.acknowledged)
    print(json.dumps({"counts": oracle.counts, "violations": oracle.violations}))
    sys.exit(1 if oracle.violations else 0)


if __name__ == "__main__":
    main()
