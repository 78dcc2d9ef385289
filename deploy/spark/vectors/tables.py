"""State in tables that forget: a set of names, the least recently used first, as bytes.

A checkpoint holds these bytes. The first two are the version of the form; a later version of the
job reads every earlier one, and refuses a form that it does not know.

    b"1\\n" and a JSON array of rows, the least recently used first; a row is [name, ...]

| table | a row |
| --- | --- |
| movements | name, rank, counted for its customer, for its merchant, knows device, knows countries, amount, parties, set of its merchant |
| customers | name, last attempt or null, device or null, attempts (second t, or −1−t if it failed), amounts [currency, count, mean, squares] |
| merchants | name, days [number, disputes, payments] |
"""

import json
from collections import OrderedDict, deque

from features import MERCHANT_DAYS_KEPT, Customer, Merchant

from vectors.refusal import Refusal

_FORM = b"1\n"


class Table:
    """One set's names and what is remembered of them, bounded.

    The whole table of an engine is cut into sets by a hash of the name, and each set forgets its
    least recently used name when it is full: so the bound holds for the whole, the same events in
    the same order forget the same names, and no set needs to know of the others.
    """

    def __init__(self, codec, ways, data=None):
        """`ways`: how many names the set may hold, at least 1. `data`: what `encoded` gave."""
        self.codec = codec
        self.ways = max(1, ways)
        self.entries = OrderedDict()
        #: Whether anything has been admitted or used since it was read.
        self.is_changed = False
        if data is not None:
            self._decode(data)

    def _decode(self, data):
        data = bytes(data)
        if data[:2] != _FORM:
            raise Refusal(
                f"the checkpoint's state has a form that begins with {data[:2]!r}, which this "
                "version does not know: run the version that wrote it, or a later one")
        try:
            for row in json.loads(data[2:]):
                self.entries[row[0]] = self.codec.decoded(row)
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise Refusal(
                f"the checkpoint's state says that it has the form {_FORM[:1].decode()}, and has "
                f"not ({error}): begin a new checkpoint, which computes all of it again") from None

    def encoded(self):
        rows = [self.codec.row(name, value) for name, value in self.entries.items()]
        return _FORM + json.dumps(rows, separators=(",", ":")).encode()

    def find(self, name):
        """What is remembered of a name, without counting this as a use; None for nothing."""
        return self.entries.get(name)

    def admit(self, name, fresh):
        """What is remembered of a name, now the last one used.

        Returns it, whether it is new, and what gave way for it as (name, value) pairs: more than
        one where the bound was lowered since.
        """
        self.is_changed = True
        if name in self.entries:
            self.entries.move_to_end(name)
            return self.entries[name], False, []
        gone = []
        while len(self.entries) >= self.ways:
            gone.append(self.entries.popitem(last=False))
        self.entries[name] = fresh()
        return self.entries[name], True, gone


class Movement:
    """What is remembered of one movement, so that it is counted once."""

    __slots__ = (
        "rank", "is_counted", "is_counted_for_merchant", "knows_device", "knows_countries",
        "amount", "parties", "merchant_set")

    def __init__(self, rank):
        self.rank = rank
        self.is_counted = self.is_counted_for_merchant = False
        self.knows_device = self.knows_countries = False
        #: The largest amount that any event has told.
        self.amount = 0
        #: None until a payment has told who is involved.
        self.parties = None
        #: The set that keeps its vector; -1 for none.
        self.merchant_set = -1


class MovementCodec:
    @staticmethod
    def row(name, movement):
        return [name] + [
            int(value) if isinstance(value, bool) else value
            for value in (getattr(movement, slot) for slot in Movement.__slots__)]

    @staticmethod
    def decoded(row):
        movement = Movement(row[1])
        for slot, value in zip(Movement.__slots__, row[1:], strict=True):
            is_flag = isinstance(getattr(movement, slot), bool)
            setattr(movement, slot, bool(value) if is_flag else value)
        return movement


class CustomerCodec:
    @staticmethod
    def row(name, customer):
        attempts = [-1 - time if failed else time for time, failed in customer.attempts]
        amounts = [[currency, *spread] for currency, spread in customer.amounts.items()]
        return [name, customer.last_time, customer.device, attempts, amounts]

    @staticmethod
    def decoded(row):
        customer = Customer()
        _, customer.last_time, customer.device, attempts, amounts = row
        customer.attempts = deque(
            (-1 - time, True) if time < 0 else (time, False) for time in attempts)
        for currency, *spread in amounts:
            customer.amounts[currency] = spread
        return customer


class MerchantCodec:
    @staticmethod
    def row(name, merchant):
        return [name, list(merchant.days.values())]

    @staticmethod
    def decoded(row):
        merchant = Merchant()
        merchant.days = {day[0] % MERCHANT_DAYS_KEPT: day for day in row[1]}
        return merchant
