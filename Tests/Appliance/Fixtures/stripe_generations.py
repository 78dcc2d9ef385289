"""Drives the twin with whichever generation of Stripe's library the interpreter has, in the way that
all of them share: the module's own key and base address.

    stripe_generations.py ADDRESS KEY    prints the library's version, then "ok NAME" for each check
"""

import sys

import stripe

stripe.api_base, stripe.api_key = sys.argv[1:3]
stripe.max_network_retries = 0
# Before 13 the errors had a module of their own.
errors = getattr(stripe, "error", stripe)


def pay(amount=2000, method="pm_card_visa", **more):
    return stripe.PaymentIntent.create(
        amount=amount, currency="usd", payment_method=method, confirm=True,
        payment_method_types=["card"], **more)


def raises(kind, call):
    try:
        call()
    except kind as error:
        return error
    raise AssertionError("%s was not raised" % kind.__name__)


def booleans():
    """`True` and `False` as Python spells them, in forms and in queries."""
    assert pay(off_session=True).status == "succeeded"
    held = stripe.Charge.create(amount=700, currency="usd", source="tok_visa", capture=False)
    assert held.captured is False
    hook = stripe.WebhookEndpoint.create(url="http://127.0.0.1:9/", enabled_events=["charge.failed"])
    assert stripe.WebhookEndpoint.modify(hook.id, disabled=True).status == "disabled"
    assert stripe.WebhookEndpoint.modify(hook.id, disabled=False).status == "enabled"
    assert stripe.WebhookEndpoint.delete(hook.id).deleted
    assert stripe.Event.list(delivery_success=True).object == "list"


def expands():
    customer = stripe.Customer.create(name="Zoë", payment_method="pm_card_visa")
    card = stripe.PaymentMethod.list(customer=customer.id, type="card").data[0]
    paid = pay(customer=customer.id, method=card.id,
               expand=["latest_charge.balance_transaction", "customer", "review"])
    assert paid.latest_charge.balance_transaction.net == 1912
    assert paid.customer.name == "Zoë" and paid["review"] is None
    again = stripe.Customer.retrieve(customer.id, expand=["default_source", "sources"])
    assert again.default_source is None and list(again.sources.data) == []
    charges = stripe.Charge.list(customer=customer.id, expand=["data.payment_intent.payment_method"])
    assert charges.data[0].payment_intent.payment_method.id == card.id


def authentication():
    for more, decline in (({"off_session": True}, "authentication_required"),
                          ({"error_on_requires_action": True}, "authentication_not_handled")):
        error = raises(errors.CardError, lambda: pay(method="pm_card_authenticationRequired", **more))
        assert error.http_status == 402 and error.code == "authentication_required"
        assert error.json_body["error"]["decline_code"] == decline
    assert pay(method="pm_card_authenticationRequired").status == "requires_action"


def refusals():
    error = raises(errors.InvalidRequestError, lambda: pay(colour="red"))
    assert error.code == "parameter_unknown" and error.param == "colour"
    assert error.request_id.startswith("req_")
    error = raises(errors.InvalidRequestError, lambda: stripe.Charge.retrieve("search"))
    assert error.http_status == 404 and "Unrecognized request URL" in str(error)
    raises(errors.InvalidRequestError, lambda: stripe.WebhookEndpoint.create(
        url="http://127.0.0.1:9/", enabled_events=["charge.suceeded"]))


def unattached_once():
    method = stripe.PaymentMethod.create(
        type="card", card={"number": "4242424242424242", "exp_month": 8, "exp_year": 2034, "cvc": "314"})
    assert pay(method=method.id).status == "succeeded"
    error = raises(errors.InvalidRequestError, lambda: pay(method=method.id))
    assert "may not be used again" in str(error)


def pages():
    for _ in range(4):
        pay()
    listed = [charge.id for charge in stripe.Charge.list(limit=3).auto_paging_iter()]
    assert len(listed) == len(set(listed)) > 6


version = getattr(stripe, "VERSION", None) or stripe.version.VERSION
print("version", version)
for check in (booleans, expands, authentication, refusals, unattached_once, pages):
    check()
    print("ok", check.__name__)
