"""Drives the twin with Stripe's own library, unchanged but for its base address.

    stripe_twin.py ADDRESS KEY    prints "ok NAME" for each check; fails on the first that does not hold
"""

import sys

import stripe

address, key = sys.argv[1:3]
client = stripe.StripeClient(key, base_addresses={"api": address}, max_network_retries=0)
api = client.v1


def raises(kind, call):
    try:
        call()
    except kind as error:
        return error
    raise AssertionError("%s was not raised" % kind.__name__)


def intent(amount=2000, currency="usd", method="pm_card_visa", **more):
    return {"amount": amount, "currency": currency, "payment_method": method, "confirm": True,
            "payment_method_types": ["card"], **more}


def pays():
    customer = api.customers.create({"email": "zoe@example.com", "name": "Zoë", "metadata": {"a": "1"}})
    method = api.payment_methods.attach("pm_card_visa", {"customer": customer.id})
    paid = api.payment_intents.create(
        intent(customer=customer.id, method=method.id, expand=["latest_charge.balance_transaction"]))
    assert paid.status == "succeeded" and paid.latest_charge.paid
    transaction = paid.latest_charge.balance_transaction
    assert (transaction.fee, transaction.net) == (88, 1912)
    later = api.payment_intents.create(
        {"amount": 700, "currency": "eur", "payment_method_types": ["card"]})
    assert later.status == "requires_payment_method"
    assert api.payment_intents.confirm(later.id, {"payment_method": "pm_card_mastercard"}).status == "succeeded"
    assert api.payment_intents.retrieve(later.id).amount_received == 700
    assert len(api.charges.list({"customer": customer.id}).data) == 1


def declines():
    error = raises(stripe.CardError, lambda: api.payment_intents.create(
        intent(method="pm_card_visa_chargeDeclinedInsufficientFunds")))
    assert error.http_status == 402 and error.code == "card_declined"
    assert error.error.decline_code == "insufficient_funds"
    assert error.error.payment_intent.status == "requires_payment_method"
    assert error.user_message == "Your card has insufficient funds."


def captures_and_cancels():
    held = api.payment_intents.create(intent(amount=5000, capture_method="manual"))
    assert held.status == "requires_capture"
    assert api.payment_intents.capture(held.id, {"amount_to_capture": 3000}).amount_received == 3000
    other = api.payment_intents.create(intent(capture_method="manual"))
    assert api.payment_intents.cancel(other.id).status == "canceled"


def refunds():
    paid = api.payment_intents.create(intent())
    part = api.refunds.create({"payment_intent": paid.id, "amount": 500, "reason": "requested_by_customer"})
    assert (part.status, part.amount, part.charge) == ("succeeded", 500, paid.latest_charge)
    assert api.refunds.create({"charge": paid.latest_charge}).amount == 1500
    error = raises(stripe.InvalidRequestError, lambda: api.refunds.create({"charge": paid.latest_charge}))
    assert error.code == "charge_already_refunded"
    charge = api.charges.retrieve(paid.latest_charge, {"expand": ["refunds"]})
    assert charge.refunded and [r.amount for r in charge.refunds.data] == [1500, 500]


def disputes():
    paid = api.payment_intents.create(intent(method="pm_card_createDispute"))
    dispute = api.disputes.list({"payment_intent": paid.id}).data[0]
    assert dispute.status == "needs_response"
    assert dispute.balance_transactions[0].net == -2000 - 1500
    answered = api.disputes.update(
        dispute.id, {"evidence": {"uncategorized_text": "winning_evidence"}, "submit": True})
    assert answered.status == "under_review"
    client.raw_request("post", "/twin/clock", advance=60)
    assert api.disputes.retrieve(dispute.id).status == "won"
    other = api.payment_intents.create(intent(method="pm_card_createDispute"))
    assert api.disputes.close(api.disputes.list({"charge": other.latest_charge}).data[0].id).status == "lost"


def pages():
    made = [api.customers.create({"name": "n%d" % n, "email": "pages@example.com"}).id for n in range(23)]
    listed = api.customers.list({"email": "pages@example.com", "limit": 5})
    assert [c.id for c in listed.auto_paging_iter()] == made[::-1]
    back = api.customers.list({"email": "pages@example.com", "limit": 5, "ending_before": made[0]})
    assert [c.id for c in back.auto_paging_iter()] == made[1:]
    rows = list(api.balance_transactions.list({"limit": 3, "expand": ["data.source"]}).auto_paging_iter())
    assert len({r.id for r in rows}) == len(rows) > 6
    assert all(r.source.object in ("charge", "refund", "dispute", "payout") for r in rows)


def retries():
    body, options = intent(amount=1234), {"idempotency_key": "retry-1"}
    first = api.payment_intents.create(body, options)
    again = api.payment_intents.create(body, options)
    assert first.id == again.id and again.last_response.headers["Idempotent-Replayed"] == "true"
    raises(stripe.IdempotencyError, lambda: api.payment_intents.create(intent(amount=99), options))
    count = len(list(api.customers.list({"limit": 100}).auto_paging_iter()))
    client.raw_request("post", "/twin/faults", count=1, status=500, after=True)
    patient = stripe.StripeClient(key, base_addresses={"api": address}, max_network_retries=2)
    assert patient.v1.customers.create({"name": "once"}).name == "once"
    assert len(list(api.customers.list({"limit": 100}).auto_paging_iter())) == count + 1


def errors():
    wrong = stripe.StripeClient("sk_test_wrong", base_addresses={"api": address}, max_network_retries=0)
    raises(stripe.AuthenticationError, lambda: wrong.v1.balance.retrieve())
    error = raises(stripe.InvalidRequestError, lambda: api.charges.retrieve("ch_none"))
    assert error.http_status == 404 and error.code == "resource_missing"
    assert raises(stripe.InvalidRequestError, lambda: api.payment_intents.create(
        {"currency": "usd"})).param == "amount"
    client.raw_request("post", "/twin/faults", count=1, status=429, retry_after=1)
    limited = raises(stripe.RateLimitError, lambda: api.charges.list())
    assert limited.headers["Retry-After"] == "1"
    client.raw_request("post", "/twin/faults", count=1, status=500)
    raises(stripe.APIError, lambda: api.charges.list())


def pays_out():
    client.raw_request("post", "/twin/clock", advance=4 * 86400)
    payouts = [p for p in api.payouts.list().auto_paging_iter() if p.automatic]
    assert payouts
    for payout in payouts:
        rows = list(api.balance_transactions.list({"payout": payout.id}).auto_paging_iter())
        assert sum(r.net for r in rows if r.type != "payout") == payout.amount
    types = {e.type for e in api.events.list({"types": ["payout.created", "payout.paid"]}).data}
    assert "payout.created" in types
    totals = {}
    for row in api.balance_transactions.list({"limit": 100}).auto_paging_iter():
        totals[row.currency] = totals.get(row.currency, 0) + row.net
    balance = api.balance.retrieve()
    for line in list(balance.available) + list(balance.pending):
        totals[line.currency] = totals.get(line.currency, 0) - line.amount
    assert not any(totals.values()), totals


def listens():
    made = api.webhook_endpoints.create(
        {"url": "http://127.0.0.1:1/hook", "enabled_events": ["charge.succeeded"]})
    assert made.secret.startswith("whsec_")
    assert [e.id for e in api.webhook_endpoints.list().data] == [made.id]
    assert api.webhook_endpoints.delete(made.id).deleted
    event = api.events.list({"type": "charge.succeeded", "limit": 1}).data[0]
    assert api.events.retrieve(event.id).data.object.object == "charge"


def connects():
    seller = api.accounts.create({"type": "express", "email": "seller@example.com"})
    assert api.accounts.retrieve(seller.id).email == "seller@example.com"
    assert seller.id in [a.id for a in api.accounts.list({"limit": 100}).auto_paging_iter()]
    as_seller = {"stripe_account": seller.id}
    paid = api.payment_intents.create(intent(
        amount=10000, payment_method_types=["card"], application_fee_amount=1000,
        transfer_data={"destination": seller.id},
        expand=["latest_charge.transfer", "latest_charge.application_fee"]))
    charge = paid.latest_charge
    assert (charge.transfer.amount, charge.application_fee.amount) == (10000, 1000)
    payment = api.charges.retrieve(charge.transfer.destination_payment, options=as_seller)
    assert payment.source_transfer == charge.transfer.id
    back = api.refunds.create({"charge": charge.id, "amount": 5000, "reverse_transfer": True,
                               "refund_application_fee": True, "expand": ["transfer_reversal"]})
    assert back.transfer_reversal.amount == 5000
    assert api.application_fees.retrieve(charge.application_fee.id).amount_refunded == 500
    api.transfers.reversals.create(charge.transfer.id, {"amount": 1000})
    assert [r.amount for r in api.transfers.reversals.list(charge.transfer.id).data] == [1000, 5000]
    api.application_fees.refunds.create(charge.application_fee.id, {"amount": 100})
    direct = api.payment_intents.create(
        intent(amount=3000, payment_method_types=["card"], application_fee_amount=300), as_seller)
    assert api.refunds.create({"payment_intent": direct.id, "refund_application_fee": True},
                              as_seller).status == "succeeded"
    error = raises(stripe.InvalidRequestError, lambda: api.transfers.create(
        {"amount": 10**7, "currency": "usd", "destination": seller.id}))
    assert error.code == "balance_insufficient"
    for options in ({}, as_seller):
        sums = sum(r.net for r in api.balance_transactions.list({"currency": "usd", "limit": 100}, options)
                   .auto_paging_iter())
        balance = api.balance.retrieve(options=options)
        held = [line.amount for line in list(balance.available) + list(balance.pending)
                if line.currency == "usd"]
        assert sums == sum(held), (sums, held)


def banks():
    made = api.topups.create({"amount": 7000, "currency": "usd", "description": "More"})
    debit = api.payment_intents.create(intent(
        amount=5000, method="pm_usBankAccount_success", payment_method_types=["us_bank_account"]))
    assert (made.status, debit.status) == ("pending", "processing")
    client.raw_request("post", "/twin/clock", advance=5)
    assert api.topups.retrieve(made.id).status == "succeeded"
    assert api.payment_intents.retrieve(debit.id).status == "succeeded"
    client.raw_request("post", "/twin/charges/%s/fail" % debit.latest_charge)
    failed = api.charges.retrieve(debit.latest_charge, {"expand": ["failure_balance_transaction"]})
    assert failed.failure_balance_transaction.amount == -5000
    payout = api.payouts.create({"amount": 700, "currency": "usd"})
    client.raw_request("post", "/twin/payouts/%s/paid" % payout.id)
    assert api.payouts.reverse(payout.id).amount == -700


for check in (pays, declines, captures_and_cancels, refunds, disputes, pages, retries, errors,
              pays_out, listens, connects, banks):
    check()
    print("ok", check.__name__)
