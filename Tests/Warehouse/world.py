"""A small world of payments as `tillbox export` would write it, and what the marts must say of it.

Everything that the models could get wrong happens in it: the last and the first second of a day, a
leap day, days without anything, amounts beyond what a float holds, currencies without decimals,
captures that grow, refunds that fail or were releases, disputes with fees given back, conversions,
connected accounts, reviews, breaks of both sides, files compressed and empty.

What is expected is noted where it happens, payment by payment: no rule of the models is repeated.
"""
import gzip
import hashlib
import json
import random
from collections import Counter, defaultdict
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "deploy/warehouse/schema.json").read_text())["tables"]
TABLES = ("payments", "ledger_entries", "settlements", "reconciliation_breaks", "reviews", "refund",
          "dispute")
DAY = 86_400
#: 2024-02-27, two days before a leap day.
START = 1_708_992_000
#: Nothing at all happens on the fourth of them.
DAYS = (0, 1, 2, 4, 5)
CURRENCIES = ("eur", "usd", "jpy", "kwd")
ACCOUNTS = (None, "acct_a", "acct_b")
#: The payment that shows whether amounts stay exact: one more than a float can hold.
HUGE = 9_007_199_254_740_993


def moment(seconds, thousandths=None):
    text = datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    return text + ("Z" if thousandths is None else f".{thousandths:03d}Z")


def day(seconds):
    return moment(seconds)[:10]


class World:
    """Rows by table, and `expected_*`: what the models must make of them."""

    def __init__(self, seed=11, payments=160):
        self.random = random.Random(seed)
        self.rows = {name: [] for name in TABLES}
        self.number = self.lines = 0
        # By (day, merchant, currency): the words of the reports.
        self.expected_revenue = defaultdict(Counter)
        self.expected_chargebacks = defaultdict(Counter)
        # By (day, Stripe account, currency).
        self.expected_reconciliation = defaultdict(Counter)
        # By payment.
        self.expected_payments = {}
        # By (transaction, currency): payment, merchant, moved, fees.
        self.expected_movements = {}
        for index in range(payments):
            self._payment(index)
        self._money_of_nobody()
        self._breaks()

    # What is written

    def _row(self, table, seconds, **values):
        told = [column["name"] for column in SCHEMA[table]["columns"]]
        unknown = set(values) - set(told)
        assert not unknown, f"{table} has no {unknown}"
        self.rows[table].append(
            {name: {"dt": day(seconds), **values}.get(name) for name in told})

    def _post(self, kind, movement, at, entries, payment=None, merchant="(none)"):
        """A transaction; an entry: account, class, merchant, Stripe account, currency, amount."""
        self.number += 1
        sums = Counter()
        for seq, (account, word, owner, stripe, currency, amount) in enumerate(entries, 1):
            sums[currency] += amount
            self._row(
                "ledger_entries", at, transaction_id=self.number, seq=seq, movement=movement,
                kind=kind, event_id=f"evt_{self.number}", account=account, account_class=word,
                merchant=owner, stripe_account=stripe, currency=currency, amount=amount,
                effective_at=moment(at), posted_at=moment(at + self.random.choice((1, 3 * DAY)), 7),
                hash=hashlib.sha256(str(self.number).encode()).hexdigest())
            if word == "processor":
                place = (day(at), stripe or "(platform)", currency)
                self.expected_reconciliation[place]["ledger_change"] += amount
                self.expected_reconciliation[place]["movements"] += 1
            if word == "fees":
                self.expected_revenue[day(at), merchant, currency]["fees"] += amount
        assert not any(sums.values()), f"{movement} does not balance: {sums}"
        for currency in sums:
            apart = [e for e in entries if e[4] == currency]
            others = [e for e in apart if e[1] not in ("processor", "fees")]
            self.expected_movements[self.number, currency] = (
                payment, merchant,
                max(sum(e[5] for e in others if e[5] > 0), -sum(e[5] for e in others if e[5] < 0)),
                sum(e[5] for e in apart if e[1] == "fees"))
        return self.number

    def _line(self, word, at, stripe, currency, gross, fee=0, source=None, **values):
        """A line of the statement; returns its id."""
        self.lines += 1
        name = values.pop("id", f"txn_{self.lines}")
        values = {"transaction_id": None, "finding": "matched", "fee_state": "none", **values}
        self._row(
            "settlements", at, id=name, type=word, source=source, stripe_account=stripe,
            currency=currency, amount=gross, fee=fee, net=gross - fee, created=moment(at),
            available_on=moment(at + 2 * DAY), converted=values.pop("converted", False), **values)
        sums = self.expected_reconciliation[day(at), stripe or "(platform)", currency]
        sums["lines"] += 1
        sums["matched"] += values["finding"] == "matched"
        sums["statement_change"] += gross - fee
        sums["statement_fees"] += fee
        return name

    # What happens

    def _moment(self):
        within = self.random.choice((0, DAY - 1, self.random.randrange(DAY)))
        return START + self.random.choice(DAYS) * DAY + within

    def _payment(self, index):
        at, stripe = self._moment(), self.random.choice(ACCOUNTS)
        merchant = stripe or "default"
        currency = self.random.choice(CURRENCIES)
        amount = HUGE if index == 0 else self.random.choice(
            (1, self.random.randrange(50, 90_000), 10**15))
        charge = f"{self.random.choice(('ch', 'py'))}_{index}"
        failed = index and self.random.random() < 0.1
        key = f"charge_failed:{charge}" if failed else f"charge:{charge}"
        self.expected_payments[key] = truth = dict(
            captured=0, refunded=0, disputed=0, reversed=0, held=0, refund_due=0,
            foreign_movements=0, place="failed" if failed else "payable", settlement_lines=0,
            settled_gross=None, settled_fee=None, settled_net=None, review_state=None,
            decided_by=None)
        told = dict(
            movement=key, charge_id=charge, kind="payment_failed" if failed else "payment",
            event_id=f"evt_{charge}", amount=amount, currency=currency, created=moment(at),
            received_at=moment(at + 1, 250), livemode=False, stripe_account=stripe,
            merchant=merchant, customer=self.random.choice((None, f"cus_{index % 20}")),
            verdict="approve", score=self.random.choice((None, 0.25, 0.875)), reasons="[]")
        if failed or index % 40 == 7:
            # One that succeeded and is not booked yet.
            truth["place"] = "failed" if failed else "unbooked"
            return self._row("payments", at, **told)
        self.at, self.stripe, self.merchant, self.currency = at, stripe, merchant, currency
        self.charge, self.key, self.truth = charge, key, truth
        self.where = "held" if self.random.random() < 0.3 else "payable"
        self._booked(amount, index)
        self._row("payments", at, **told)

    def _mine(self, place):
        return (f"merchant:{self.merchant}:{place}", place, self.merchant, None, self.currency)

    def _of_stripe(self, name, word, currency=None):
        account = f"{name}:stripe" + (f":{self.stripe}" if self.stripe else "")
        return (account, word, None, self.stripe, currency or self.currency)

    def _move(self, kind, movement, at, *lines):
        return self._post(
            kind, movement, at, [(*account, amount) for account, amount in lines if amount],
            self.key, self.merchant)

    def _booked(self, amount, index):
        processor, first = self._of_stripe("processor", "processor"), amount
        if index % 9 == 1 and amount > 10:
            first = amount - 7
        number = self._move("payment", self.key, self.at, (processor, first),
                            (self._mine(self.where), -first))
        revenue = self.expected_revenue[day(self.at), self.merchant, self.currency]
        revenue["payments"] += 1
        revenue["volume"] += first
        self.expected_chargebacks[day(self.at), self.merchant, self.currency]["payments"] += 1
        self.truth["captured"] = amount
        parts = [(first, number, self.at)]
        if first < amount:
            later = self.at + DAY
            parts.append((amount - first, self._move(
                "capture_grown", f"capture_grown:{self.key}#{amount}", later,
                (processor, amount - first), (self._mine(self.where), first - amount)), later))
            self.expected_revenue[day(later), self.merchant, self.currency]["volume"] += 7
        for part, settles, at in parts:
            self._settled(part, settles, at)
        if self.where == "held":
            self._reviewed(amount)
        for what in (self._refund, self._dispute, self._reverse, self._convert):
            if amount > 1_000 and self.random.random() < 0.25:
                what(amount, self.at + self.random.choice((1, DAY - 1, 3 * DAY)))
                break
        if self.truth["place"] == "payable" and self.where == "held":
            self.truth.update(place="held", held=amount)

    def _settled(self, part, settles, at):
        fee = part // 50
        line = self._line("charge", at, self.stripe, self.currency, part, fee, self.charge,
                          transaction_id=settles, fee_state="booked" if fee else "none")
        truth = self.truth
        truth["settlement_lines"] += 1
        for name, value in (("gross", part), ("fee", fee), ("net", part - fee)):
            truth[f"settled_{name}"] = (truth[f"settled_{name}"] or 0) + value
        if fee:
            self._move("fee", f"fee:{line}", at, (self._of_stripe("fees", "fees"), fee),
                       (self._of_stripe("processor", "processor"), -fee))

    def _reviewed(self, amount):
        """Held; a person or a better informed scoring may decide, and a later word not count."""
        ident, opened = self.charge, self.at + 1

        def change(name, state, at, by="scoring", counts=True):
            self._row("reviews", at, id=name, movement=self.key, state=state, by=by,
                      is_decision=by != "scoring", took_effect=counts, score=0.875, reasons="[]",
                      at=moment(at))

        change(f"review:{ident}", "opened", opened)
        self.truth["review_state"] = "opened"
        end = self.random.choice(("approved", "declined", "released", "open", "open"))
        if end == "released":
            change(f"review:{ident}-2", "approved", opened)
            self._move("released", f"released:{self.key}", opened,
                       (self._mine("held"), amount), (self._mine("payable"), -amount))
            self.truth["review_state"], self.where = "approved", "payable"
        elif end != "open":
            later = opened + 2 * DAY
            change(f"decision:0:{ident}", end, later, by="ana")
            change(f"decision:0:{ident}-2", "approved", later + 5, by="bo", counts=False)
            place = "payable" if end == "approved" else "refund_due"
            self._move(f"review_{end}", f"review_{end}:{self.key}", later,
                       (self._mine("held"), amount), (self._mine(place), -amount))
            self.truth.update(review_state=end, decided_by="ana")
            self.where = place
            if end == "declined":
                self.truth.update(place="refund_due", refund_due=amount)

    def _refund(self, amount, at):
        part, refund = amount // 3, f"re_{self.charge}"
        ways = {"stands": 1, "failed": 0, "released": 0, "restored": 1}
        way = self.random.choice(list(ways))
        told = {} if self.random.random() < 0.8 else {"payment": self.charge}
        processor, payable = self._of_stripe("processor", "processor"), self._mine("payable")
        steps = [("refund", f"refund:{refund}", 1)]
        if way == "failed":
            steps.append(("refund_failed", f"refund_failed:{refund}", -1))
        if way in ("released", "restored"):
            steps.append(("refund_released", f"refund_released:{refund}#1", -1))
        if way == "restored":
            steps.append(("refund_restored", f"refund_restored:{refund}#2", 1))
        for kind, movement, sign in steps:
            number = self._move(kind, movement, at, (payable, sign * part),
                                (processor, -sign * part))
            self._line("refund", at, self.stripe, self.currency, -sign * part, source=refund,
                       transaction_id=number, **told)
            self.expected_revenue[day(at), self.merchant, self.currency]["refunded"] += sign * part
            at += DAY
        self.truth["refunded"] = part * ways[way]
        self._row("refund", self.at, id=refund, amount=part, charge_id=self.charge,
                  created=moment(self.at), currency=self.currency, status="succeeded",
                  _fivetran_synced=moment(self.at))

    def _dispute(self, amount, at):
        dispute, status = f"dp_{self.charge}", self.random.choice(
            ("won", "lost", "under_review", "warning_closed"))
        place = (day(at), self.merchant, self.currency)
        opened = self.expected_chargebacks[place]
        opened["opened"] += 1
        opened["opened_amount"] += amount
        opened["inquiries"] += status == "warning_closed"
        opened["won"] += status == "won"
        opened["lost"] += status == "lost"
        self._row("dispute", at, id=dispute, charge_id=self.charge, amount=amount,
                  currency=self.currency, created=moment(at), reason="fraudulent", status=status,
                  livemode=False, connected_account_id=self.stripe, _fivetran_synced=moment(at))
        if status == "warning_closed":
            return
        self._disputed("dispute_withdrawn", dispute, amount, 15, at + 60)
        if status == "won":
            self._disputed("dispute_reinstated", dispute, -amount, -15, at + 2 * DAY)
        else:
            self.truth["disputed"] = amount

    def _disputed(self, kind, dispute, amount, fee, at):
        line = self._line("adjustment", at, self.stripe, self.currency, -amount, fee, dispute,
                          transaction_id=self.number + 1)
        self._move(kind, f"dispute:{line}", at, (self._mine("disputed"), amount),
                   (self._of_stripe("fees", "fees"), fee),
                   (self._of_stripe("processor", "processor"), -amount - fee))
        place = (day(at), self.merchant, self.currency)
        self.expected_revenue[place]["disputed"] += amount
        word = kind.removeprefix("dispute_")
        self.expected_chargebacks[place][word] += 1
        self.expected_chargebacks[place][f"{word}_amount"] += abs(amount)
        self.expected_chargebacks[place]["fees"] += fee

    def _reverse(self, amount, at):
        if self.where != "payable":
            return
        line = self._line("payment_reversal", at, self.stripe, self.currency, -amount,
                          source=f"pyr_{self.charge}", payment=self.charge,
                          transaction_id=self.number + 1)
        self._move("payment_reversed", f"charge_reversed:{line}", at,
                   (self._mine("payable"), amount),
                   (self._of_stripe("processor", "processor"), -amount))
        self.expected_revenue[day(at), self.merchant, self.currency]["reversed"] += amount
        self.truth.update(reversed=amount, place="reversed")

    def _convert(self, amount, at):
        """Part of the balance becomes another currency; the line is in the one it becomes."""
        into, brings = ("usd" if self.currency != "usd" else "jpy"), amount // 2
        line = self._line("charge", at, self.stripe, into, brings, source=f"tr_{self.charge}",
                          payment=self.charge, converted=True, transaction_id=self.number + 2)
        for kind, currency, change in (("fx_out", self.currency, -amount), ("fx_in", into, brings)):
            self._post("fee", f"{kind}:{line}", at, [
                (*self._of_stripe("processor", "processor", currency), change),
                (*self._of_stripe("exchange", "exchange", currency), -change)],
                self.key, self.merchant)
        # The other currency's line takes the amount out of the balance it came from.
        self._line("adjustment", at, self.stripe, self.currency, -amount,
                   transaction_id=self.number - 1)
        self.truth["foreign_movements"] += 1

    def _money_of_nobody(self):
        """Payouts, their failure, a fee of Stripe's own, and a transfer with both its sides."""
        at = START + 5 * DAY
        own = ("processor:stripe", "processor", None, None, "eur")
        seller = ("processor:stripe:acct_a", "processor", None, "acct_a", "eur")
        between = ("connect:acct_a:transfers", "transfers", None, "acct_a", "eur")
        bank = ("bank:eur", "bank", None, None, "eur")
        fees = ("fees:stripe", "fees", None, None, "eur")
        for kind, movement, word, stripe, entries in (
                ("payout", "payout:po_1", "payout", None, [(*bank, 700), (*own, -700)]),
                ("payout_failed", "payout_failed:po_1", "payout_failure", None,
                 [(*own, 700), (*bank, -700)]),
                ("transfer", "transfer:tr_1", "transfer", None, [(*between, 90), (*own, -90)]),
                ("transfer_payment", "charge:py_seller", "payment", "acct_a",
                 [(*seller, 90), (*between, -90)])):
            sold = kind == "transfer_payment"
            number = self._post(kind, movement, at, entries, movement if sold else None,
                                "acct_a" if sold else "(none)")
            moved = next(e[5] for e in entries if e[1] == "processor")
            self._line(word, at, stripe, "eur", moved, source=movement.split(":")[1],
                       transaction_id=number)
        self._row("payments", at, movement="charge:py_seller", charge_id="py_seller",
                  kind="payment", event_id="evt_seller", amount=90, currency="eur", created=moment(at),
                  received_at=moment(at, 1), livemode=False, stripe_account="acct_a",
                  merchant="acct_a", verdict="not_scored", reasons="[]")
        self.expected_payments["charge:py_seller"] = dict(
            captured=90, place="payable", settlement_lines=1, settled_gross=90)
        # What the bank kept of a payout is none of Stripe's fees.
        self._post("fee", "bank_charge:payout:po_1", at,
                   [("charges:bank", "charges", None, None, "eur", 4), (*bank, -4)])
        line = self._line("stripe_fee", at, None, "eur", -25, transaction_id=self.number + 1)
        self._post("fee", f"fee:{line}", at, [(*fees, 25), (*own, -25)])
        # A dispute of a charge that is not in the payments: of its account's merchant, or nobody's.
        for account, merchant in (("acct_b", "acct_b"), (None, "(none)")):
            self._row("dispute", at, id=f"dp_lost_{merchant}", charge_id="ch_lost", amount=50,
                      currency="eur", created=moment(at), status="needs_response", livemode=False,
                      connected_account_id=account, _fivetran_synced=moment(at))
            place = self.expected_chargebacks[day(at), merchant, "eur"]
            place["opened"] += 1
            place["opened_amount"] += 50

    def _breaks(self):
        at, sums = START + 2 * DAY, self.expected_reconciliation
        lone = self._line("charge", at, None, "usd", 500, source="ch_unknown", finding="missing")
        self._post("topup", "topup:tu_1", at, [
            ("processor:stripe:acct_b", "processor", None, "acct_b", "kwd", 300),
            ("bank:kwd:acct_b", "bank", None, "acct_b", "kwd", -300)])
        for number, (kind, stripe, currency, ledger, statement, opened) in enumerate((
                ("missing_in_ledger", None, "usd", None, 500, True),
                ("missing_at_stripe", "acct_b", "kwd", 300, None, True),
                ("amount_mismatch", None, "eur", 12, 10, False),
                ("late", "acct_a", "eur", None, -9, False)), 1):
            self._row(
                "reconciliation_breaks", at, id=number, kind=kind, subject=f"{lone}-{number}",
                stripe_account=stripe, stripe_currency=currency if statement else None,
                stripe_amount=statement, ledger_currency=currency if ledger else None,
                ledger_amount=ledger, occurred_at=moment(at), first_run=1, is_open=opened,
                resolved_run=None if opened else 2)
            place = sums[day(at), stripe or "(platform)", currency]
            place["breaks"] += kind != "late"
            place["open_breaks"] += kind != "late" and opened
            place["late"] += kind == "late" and opened
            place["explained"] += ((ledger or 0) - (statement or 0)) if opened else 0

    # Files

    def write(self, folder, written_at="2024-03-04T00:05:00Z"):
        """The files and their manifests, as docs/WAREHOUSE.md has them; every third compressed."""
        count = 0
        for table, rows in self.rows.items():
            days = defaultdict(list)
            for row in rows:
                days[row["dt"]].append(row)
            # A day that had rows once and has none now.
            days.setdefault("2024-02-26", [])
            for when, found in days.items():
                count += 1
                write_day(folder, table, when, found, written_at, compressed=count % 3 == 0)


def write_day(folder, table, when, rows, written_at, compressed=False):
    """One day's file and manifest."""
    told = SCHEMA[table]
    place = Path(folder) / told["path"] / f"dt={when}"
    place.mkdir(parents=True, exist_ok=True)
    content = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows).encode()
    stored = gzip.compress(content) if compressed else content
    name = f"{table}.ndjson" + (".gz" if compressed else "")
    (place / name).write_bytes(stored)
    sums = []
    for money in told["sums"]:
        found = defaultdict(list)
        for row in rows:
            if row[money["column"]] is not None:
                found[row[money["currency"]]].append(row[money["column"]])
        sums += [{"column": money["column"], "currency": currency, "rows": len(amounts),
                  "sum": str(sum(amounts))} for currency, amounts in sorted(found.items())]
    (place / "manifest.json").write_text(json.dumps({
        "format": "tillbox-warehouse/1", "dataset": told["dataset"], "table": table, "dt": when,
        "schema_version": 1, "file": name, "compression": "gzip" if compressed else "none",
        "file_bytes": len(stored), "file_sha256": hashlib.sha256(stored).hexdigest(),
        "rows": len(rows), "content_bytes": len(content),
        "content_sha256": hashlib.sha256(content).hexdigest(), "sums": sums, "revision": 1,
        "replaces": None, "complete": True, "written_at": written_at}, separators=(",", ":")))
