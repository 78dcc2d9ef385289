"""The three steps without Spark, against the golden stream that the Swift engine answers too."""

import copy
import json
import random

import pytest
from conftest import ROOT

from vectors import events, steps, tables
from vectors.refusal import Refusal


class Vectors(dict):
    put = dict.__setitem__

    def remove(self, movement):
        self.pop(movement, None)


class EngineAlone(steps.MovementStep):
    """The golden stream is the engine's own, which is not asked whether tellings agree."""

    @staticmethod
    def contradicts(known, digest):
        return False


class Chain:
    """All three steps, each with as many sets as asked; state goes through bytes at each batch."""

    def __init__(self, customers, merchants, movements, sets=(1, 1, 1)):
        self.limits, self.sets = (movements, customers, merchants), sets
        self.state, self.vectors = ({}, {}, {}), {}
        self.first = steps.MovementStep

    def batch(self, records):
        """Vectors of one micro-batch, whose rows arrive at each step in any order."""
        rows = self._step(0, records, lambda row: self._set(row, 0))
        rows = self._step(1, rows, lambda row: row["customer_set"])
        rows = self._step(2, rows, lambda row: row["merchant_set"])
        return steps.in_log_order(rows)

    def _set(self, record, at):
        try:
            return events.set_number(json.loads(record["value"])["movement"], self.sets[at])
        except (ValueError, KeyError, TypeError, RecursionError):
            return 0

    def _step(self, at, rows, key):
        groups = {}
        for row in rows:
            groups.setdefault(key(row), []).append({"place": 0, **row})
        made = []
        for number, group in groups.items():
            random.Random(number).shuffle(group)
            data = self.state[at].get(number)
            step = self._made(at, number, data)
            for row in steps.in_log_order(copy.deepcopy(group)):
                made += step.take(row)
            if step.table.is_changed:
                self.state[at][number] = step.table.encoded()
        return made

    def _made(self, at, number, data):
        limit, sets = self.limits[at], self.sets[at]
        if at == 0:
            return self.first(limit, data, sets, self.sets[1:])
        if at == 1:
            return steps.CustomerStep(limit, data, sets)
        return steps.MerchantStep(limit, self.vectors.setdefault(number, Vectors()), data, sets)


def record(offset, event, partition=0):
    return {"partition": partition, "offset": offset, "timestamp": 0, "value": json.dumps(event).encode()}


def golden():
    lines = (ROOT / "model/golden_events.jsonl").read_text().splitlines()
    return json.loads(lines[0])["limits"], [json.loads(line) for line in lines[1:]]


@pytest.mark.parametrize("size", [1, 7, 100, 10_000])
def test_golden_stream_gives_the_engines_vectors_whatever_the_batches(size):
    limits, lines = golden()
    chain = Chain(**limits)
    chain.first = EngineAlone
    found = {}
    for start in range(0, len(lines), size):
        batch = [
            record(start + place, line["event"])
            for place, line in enumerate(lines[start:start + size])]
        for row in chain.batch(batch):
            assert row["op"] == steps.VECTOR
            found[row["offset"]] = row
    expected = {place: line for place, line in enumerate(lines) if line["values"] is not None}
    assert len(expected) > 300
    assert {line["outcome"] for line in lines} >= {"score", "rescore", "already", "missing"}
    again = {place: found.pop(place) for place in set(found) - set(expected)}
    assert {lines[place]["outcome"] for place in again} == {"already"}
    for place, row in again.items():
        tellings = [line["event"] for line in lines[:place]]
        assert row["amount"] > max(
            event["amount"] for event in tellings if event["movement"] == row["movement"])
    assert set(found) == set(expected)
    for place, line in expected.items():
        for number, (ours, theirs) in enumerate(zip(found[place]["values"], line["values"])):
            assert abs(ours - theirs) <= 1e-6 * max(1, abs(theirs)), (place, number, ours, theirs)


def test_what_is_kept_of_movements_stays_within_the_bound():
    limits, lines = golden()
    chain = Chain(**{**limits, "movements": 20})
    chain.batch([record(place, line["event"]) for place, line in enumerate(lines)])
    assert len(json.loads(chain.state[0][0][2:])) == 20
    assert 0 < sum(map(len, chain.vectors.values())) <= 20


def payment(**more):
    return {
        "event_id": "evt_1", "kind": "payment", "object_id": "ch_1", "movement": "charge:ch_1",
        "amount": 1000, "currency": "eur", "created": 1_760_000_000, "livemode": False,
        "account": None, "merchant": "shop", "customer": "cus_1", "card": None,
        "card_country": None, "country": None, "device": None, **more}


def test_a_larger_amount_tells_the_vector_again_and_a_conflict_tells_nothing():
    chain = Chain(100, 100, 100)
    rows = chain.batch([
        record(0, payment()), record(1, payment()),
        record(2, payment(event_id="evt_2", amount=2000)),
        record(3, payment(event_id="evt_3", currency="usd", card="card_1")),
        record(4, payment(event_id="evt_4", card="card_1", card_country="DE", country="FR")),
    ])
    assert [(row["offset"], row["event_id"]) for row in rows] == [
        (0, "evt_1"), (2, "evt_2"), (4, "evt_4")]
    assert rows[0]["values"] == rows[1]["values"]
    assert rows[2]["values"][steps.MISMATCH] == 1
    assert rows[2]["rank"] == 4 << 1 | 1


@pytest.mark.parametrize("value", [
    None, "", "{", "[]", "7", "null", "[" * 100_000, json.dumps(payment(amount=-1)),
    json.dumps(payment(amount=1.5)), json.dumps(payment(amount=True)),
    json.dumps(payment(created=2**63)), json.dumps(payment(customer=7)),
    json.dumps(payment(kind="gift")), json.dumps(payment(merchant=None)),
    json.dumps(payment(customer="\ud800")), b"\xff\xfe{}",
])
def test_what_is_no_event_is_counted_and_passed_over(value):
    chain = Chain(100, 100, 100)
    value = value.encode() if isinstance(value, str) else value
    rows = chain.batch([{"partition": 0, "offset": 5, "timestamp": 0, "value": value}])
    assert [row["op"] for row in rows] == [steps.UNREADABLE]


def test_state_of_a_later_form_is_refused_with_what_to_do():
    with pytest.raises(Refusal, match="run the version that wrote it"):
        tables.Table(tables.CustomerCodec, 10, b"2\nwhatever")


@pytest.mark.parametrize("codec, data", [
    (tables.MovementCodec, b'1\n[["charge:ch_1",3,1,0,1,0,1000,"abcd"]]'),
    (tables.MovementCodec, b'1\n[["charge:ch_1",3,1,0,1,0,1000,"abcd",7,8]]'),
    (tables.CustomerCodec, b'1\n[["cus_1",1760000000,"dev"]]'),
    (tables.MerchantCodec, b'1\n[["shop"]]'), (tables.MerchantCodec, b'1\n[["shop",['),
    (tables.MerchantCodec, b"1\n7"),
])
def test_state_that_has_not_its_forms_rows_is_refused_with_what_to_do(codec, data):
    with pytest.raises(Refusal, match="begin a new checkpoint"):
        tables.Table(codec, 10, data)


def test_state_of_the_first_form_is_read():
    """Bytes that version 1 wrote: later versions go on with them."""
    data = (
        b'1\n[["cus_1",1760000000,"dev",[1759999990,-1760000001],[["eur",3,1000.0,200.5]]]]')
    table = tables.Table(tables.CustomerCodec, 10, data)
    customer = table.find("cus_1")
    assert list(customer.attempts) == [(1759999990, False), (1760000000, True)]
    assert customer.amounts["eur"] == [3, 1000.0, 200.5]
    assert table.encoded() == data
    row = ["charge:ch_1", 3, 1, 0, 1, 0, 1000, "abcd", 7]
    movement = tables.Table(tables.MovementCodec, 10, b"1\n" + json.dumps([row]).encode())
    assert movement.find("charge:ch_1").is_counted is True
    assert movement.find("charge:ch_1").is_counted_for_merchant is False
    assert movement.encoded() == b"1\n" + json.dumps([row], separators=(",", ":")).encode()
    merchant = tables.Table(tables.MerchantCodec, 10, b'1\n[["shop",[[20000,1,2]]]]')
    assert merchant.find("shop").risk(20000) == 2 / 202
    assert merchant.encoded() == b'1\n[["shop",[[20000,1,2]]]]'


def test_a_lowered_bound_is_kept_from_the_next_name_on():
    chain = Chain(100, 100, 100)
    chain.batch([record(at, payment(movement=f"charge:{at}")) for at in range(50)])
    chain.limits = (10, 100, 100)
    chain.batch([record(50, payment(movement="charge:new"))])
    assert len(json.loads(chain.state[0][0][2:])) == 10
    assert len(chain.vectors[0]) == 10
