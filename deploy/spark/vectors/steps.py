"""The three steps from a payment event to its vector, each over one set's state. Without Spark.

    payment.validated ─▶ MovementStep ─▶ CustomerStep ─▶ MerchantStep ─▶ vectors
                         counts once,    attempts, gap,   risk; keeps the
                         informedness    amounts, device  movement's vector

Each takes a micro-batch's rows of one set in log order and gives rows for the next. Together they
do what `EmbeddedFeatures` of the Swift engine does with one event after the other; the features'
own definitions are those of `model/features.py`.

A row is a dictionary with the names of `ROW`; `values` are the eight numbers, None for one that the
row does not tell.
"""

import struct

from features import DAY, Customer, Merchant, clamp, knows_countries, mismatch, rank, single

from vectors import events
from vectors.tables import CustomerCodec, MerchantCodec, Movement, MovementCodec, Table

#: How many sets each table is cut into. Part of every checkpoint: never change them.
MOVEMENT_SETS = 1024
CUSTOMER_SETS = 4096
MERCHANT_SETS = 64
#: In place of a set, for rows that a step hands on as they are.
NO_SET = -1

RISK, SWITCH, MISMATCH = 3, 4, 5

ROW = """
    partition int, offset bigint, place int, timestamp bigint, op string,
    customer_set int, merchant_set int, movement string, identity string, merchant string,
    key string, event_id string, object_id string, rank int, amount bigint, currency string,
    created bigint, device string, counts boolean, values array<double>, told_movement string
"""
NAMES = [column.split()[0] for column in ROW.replace("\n", " ").split(",")]

# What a row is.
COUNT = "count"  # a payment, counted for its customer now
REFINE = "refine"  # a better informed event of a payment that is counted
AGAIN = "again"  # a larger amount of a payment that is counted: its vector is told again
NOBODY = "nobody"  # a payment that says neither customer nor card
FAILURE = "failure"
DISPUTE = "dispute"
FORGET = "forget"  # a movement has given way to another
UNREADABLE = "unreadable"
VECTOR = "vector"

_OF_CUSTOMER = frozenset((COUNT, REFINE, FAILURE))


def in_log_order(rows):
    """Rows of one key come in any order within a micro-batch; what is defined is log order.

    Between two partitions there is none. Rows of one record keep theirs by `place`.
    """
    return sorted(rows, key=lambda row: (row["offset"], row["partition"], row["place"]))


def ways(limit, sets):
    """How many names one of the sets may hold, so that all hold `limit` at most."""
    return max(1, limit // sets)


class MovementStep:
    """Counts each movement once, and lets through what makes a vector or changes one."""

    def __init__(self, limit, data=None, sets=MOVEMENT_SETS, next_sets=None):
        """`next_sets`: how many sets the customers' and the merchants' tables are cut into."""
        self.table = Table(MovementCodec, ways(limit, sets), data)
        self.customer_sets, self.merchant_sets = next_sets or (CUSTOMER_SETS, MERCHANT_SETS)

    def take(self, record):
        """The rows that come of one record with `partition`, `offset`, `timestamp`, `value`."""
        try:
            event = events.read(record["value"])
        except events.Unreadable as error:
            return [self._row(record, UNREADABLE, {"key": error.field})]
        known = self.table.find(events.name_key(event["movement"]))
        kind = event["kind"]
        if kind == "payment":
            return self._payment(record, event, known)
        if kind == "payment_failed":
            return self._failure(record, event)
        if kind == "dispute_opened":
            return self._dispute(record, event)
        return []

    def _payment(self, record, event, known):
        digest = events.parties(event)
        is_larger = False
        if known is not None:
            if self.contradicts(known, digest):
                return []
            is_larger = event["amount"] > known.amount
            known.amount = max(known.amount, event["amount"])
        informed = _rank(event)
        if known is not None and informed <= known.rank:
            self._admit(record, event, known.rank)
            if is_larger and known.is_counted:
                return [self._row(record, AGAIN, event)]
            return []
        movement, is_new, rows = self._admit(record, event, informed)
        if is_new:
            movement.parties, movement.amount = digest, event["amount"]
        movement.rank = informed
        told = {"counts": not movement.is_counted_for_merchant}
        movement.is_counted_for_merchant = True
        if events.identity(event) is None:
            return [*rows, self._row(record, NOBODY, event, told)]
        movement.merchant_set = events.set_number(
            events.name_key(event["merchant"]), self.merchant_sets)
        return [*rows, self._counted(record, event, movement, told)]

    @staticmethod
    def contradicts(known, digest):
        """Whether a telling names other parties than the first: the ledger refuses it."""
        return known.parties != digest

    def _counted(self, record, event, movement, told):
        """The payment's own row: all that is told of it, or what this event newly knows."""
        values = [None] * 8
        if not (movement.is_counted and (movement.knows_countries or not knows_countries(event))):
            values[MISMATCH] = mismatch(event)
        told["values"] = values
        if not movement.is_counted:
            movement.is_counted = True
            movement.knows_device = bool(event.get("device"))
            movement.knows_countries = knows_countries(event)
            return self._row(record, COUNT, event, told)
        # The device of an event is compared only if none was known before.
        told["device"] = None if movement.knows_device else event.get("device")
        movement.knows_device = movement.knows_device or bool(event.get("device"))
        movement.knows_countries = movement.knows_countries or knows_countries(event)
        return self._row(record, REFINE, event, told)

    def _failure(self, record, event):
        movement, _, rows = self._admit(record, event, 0)
        if movement.is_counted or events.identity(event) is None:
            return rows
        movement.is_counted = True
        return [*rows, self._row(record, FAILURE, event)]

    def _dispute(self, record, event):
        movement, _, rows = self._admit(record, event, 0)
        if movement.is_counted_for_merchant:
            return rows
        movement.is_counted_for_merchant = True
        return [*rows, self._row(record, DISPUTE, event)]

    def _admit(self, record, event, informed):
        """The movement, whether it is new, and a row for each that has given way."""
        movement, is_new, gone = self.table.admit(
            events.name_key(event["movement"]), lambda: Movement(informed))
        rows = [
            self._row(record, FORGET, {"movement": name}, {"place": place, "merchant_set": at})
            for place, (name, at) in enumerate(
                (name, old.merchant_set) for name, old in gone if old.merchant_set != NO_SET)]
        return movement, is_new, rows

    def _row(self, record, op, event, more=None):
        row = dict.fromkeys(NAMES)
        row.update(
            {name: event[name] for name in (
                "event_id", "object_id", "amount", "currency", "created", "device")
             if name in event},
            partition=record["partition"], offset=record["offset"],
            timestamp=record["timestamp"], op=op, place=1 << 20, customer_set=NO_SET,
            merchant_set=NO_SET)
        if "merchant" in event:
            who = events.identity(event)
            row.update(
                movement=events.name_key(event["movement"]),
                told_movement=event["movement"], key=events.ordering_key(event),
                merchant=events.name_key(event["merchant"]), rank=_rank(event))
            row["merchant_set"] = events.set_number(row["merchant"], self.merchant_sets)
            if op in _OF_CUSTOMER:
                row["identity"] = events.name_key(who)
                row["customer_set"] = events.set_number(row["identity"], self.customer_sets)
        else:
            row.update(event)
        row.update(more or {})
        return row


def _rank(event):
    """How much an event says, 0 to 11: `Informedness.rank` of the Swift engine."""
    known, is_from_charge = rank(event)
    return known << 1 | is_from_charge


class CustomerStep:
    """What the customer's habits say of a payment."""

    def __init__(self, limit, data=None, sets=CUSTOMER_SETS):
        self.table = Table(CustomerCodec, ways(limit, sets), data)

    def take(self, row):
        """The row with what its customer adds; none for a failure, which ends here."""
        if row["op"] not in _OF_CUSTOMER:
            return [row]
        customer, _, _ = self.table.admit(row["identity"], Customer)
        time = clamp(row["created"])
        device = events.name_key(row["device"]) if row["device"] else None
        if row["op"] == REFINE:
            if device is not None:
                row["values"][SWITCH] = customer.switch(device)
            return [row]
        is_failure = row["op"] == FAILURE
        minute, hour, failed = customer.attempt(time, is_failure)
        gap = customer.gap(time)
        if is_failure:
            customer.switch(device)
            return []
        score = customer.z_score(float(row["amount"]), row["currency"])
        switch = customer.switch(device)
        row["values"] = [
            single(value) if value is not None else None
            for value in (
                minute, hour, score, None, switch, row["values"][MISMATCH], failed, gap)]
        return [row]


class MerchantStep:
    """The merchant's risk; and the vectors of movements, for events that tell more later."""

    def __init__(self, limit, vectors, data=None, sets=MERCHANT_SETS):
        """`vectors`: what is kept by movement: `get`, `put` and `remove` of 40 bytes each."""
        self.table = Table(MerchantCodec, ways(limit, sets), data)
        self.vectors = vectors

    def take(self, row):
        op = row["op"]
        if op == UNREADABLE:
            return [row]
        if op == FORGET:
            self.vectors.remove(row["movement"])
            return []
        if op == AGAIN:
            return [self._told(row, *self._stored(row["movement"]))]
        risk = self._risk(row)
        if op not in (COUNT, REFINE):
            return []
        if op == COUNT:
            as_of, values = row["created"], row["values"]
            values[RISK] = single(risk)
        else:
            as_of, values = self._stored(row["movement"])
            values = [
                old if new is None else single(new) for old, new in zip(values, row["values"])]
        self.vectors.put(row["movement"], _VECTOR.pack(as_of, *values))
        return [self._told(row, as_of, values)]

    def _risk(self, row):
        merchant, _, _ = self.table.admit(row["merchant"], Merchant)
        day = clamp(row["created"]) // DAY
        if row["op"] == DISPUTE:
            merchant.count(day, 1)
        elif row["counts"]:
            merchant.count(day, 2)
        return merchant.risk(day)

    def _stored(self, movement):
        """The moment and numbers of a movement; zeros where no payment was counted."""
        data = self.vectors.get(movement)
        if data is None:
            return 0, [0.0] * 8
        as_of, *values = _VECTOR.unpack(bytes(data))
        return as_of, values

    @staticmethod
    def _told(row, as_of, values):
        return {**row, "op": VECTOR, "created": as_of, "values": list(values)}


#: The moment in seconds and eight floats, little-endian: 40 bytes.
_VECTOR = struct.Struct("<q8f")
