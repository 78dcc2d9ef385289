"""Lets dj-stripe mirror the twin into SQLite and take its webhooks, as a Django project would.

    djstripe_twin.py ADDRESS KEY FOLDER    prints "ok NAME" for each check; fails on the first that does not hold
"""

import json
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import django
from django.conf import settings

address, key, folder = sys.argv[1:4]
settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": folder + "/django.sqlite"}},
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "djstripe"],
    ROOT_URLCONF=__name__, SECRET_KEY="only for this test", USE_TZ=True, ALLOWED_HOSTS=["*"],
    STRIPE_LIVE_MODE=False, STRIPE_TEST_SECRET_KEY=key, DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    # Its tables as they are now: to walk through the migrations of ten years takes a minute.
    MIGRATION_MODULES={"djstripe": None, "auth": None, "contenttypes": None},
    DJSTRIPE_FOREIGN_KEY_TO_FIELD="id", LOGGING_CONFIG=None)
django.setup()

import stripe  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.urls import include, path  # noqa: E402
from djstripe import models  # noqa: E402

urlpatterns = [path("stripe/", include("djstripe.urls", namespace="djstripe"))]
stripe.api_base, stripe.api_key = address, key


class Quiet(WSGIRequestHandler):
    def log_message(self, *arguments):
        pass


def control(name, **fields):
    body = "&".join("%s=%s" % field for field in fields.items()).encode()
    urllib.request.urlopen(urllib.request.Request(address + "/twin/" + name, data=body)).read()


def pay(**more):
    return stripe.PaymentIntent.create(
        **{"amount": 2000, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True,
           "payment_method_types": ["card"], **more})


def prepares():
    call_command("migrate", run_syncdb=True, verbosity=0)


def makes():
    customer = stripe.Customer.create(name="Zoë", email="zoe@example.com", payment_method="pm_card_visa")
    card = stripe.PaymentMethod.list(customer=customer.id).data[0]
    stripe.Customer.modify(customer.id, invoice_settings={"default_payment_method": card.id})
    paid = pay(customer=customer.id, payment_method=card.id)
    stripe.Refund.create(payment_intent=paid.id, amount=500)
    pay(payment_method="pm_card_createDispute")
    try:
        pay(payment_method="pm_card_chargeDeclined")
    except stripe.CardError:
        pass
    pay(payment_method="pm_card_authenticationRequired")
    stripe.PaymentIntent.cancel(pay(capture_method="manual").id)
    pay(amount=100_000)
    control("clock", advance=4 * 86_400)
    stripe.WebhookEndpoint.create(url="http://127.0.0.1:9/", enabled_events=["charge.failed"])


MIRRORED = {
    "BalanceTransaction": stripe.BalanceTransaction, "Charge": stripe.Charge,
    "Customer": stripe.Customer, "Dispute": stripe.Dispute, "Event": stripe.Event,
    "PaymentIntent": stripe.PaymentIntent, "PaymentMethod": stripe.PaymentMethod,
    "Payout": stripe.Payout, "Refund": stripe.Refund, "WebhookEndpoint": stripe.WebhookEndpoint,
}


def mirrors():
    call_command("djstripe_sync_models", "Account", *MIRRORED, api_keys=[key], fail_on_error=True,
                 verbosity=0, stdout=open(folder + "/sync.log", "w"))
    assert models.Account.objects.count() >= 1
    for name, resource in MIRRORED.items():
        listed = {o.id: o for o in resource.list(limit=100).auto_paging_iter()}
        stored = {o.id: o for o in getattr(models, name).objects.all()}
        assert listed and set(listed) <= set(stored), (name, set(listed) - set(stored))
        for id, one in stored.items():
            assert one.livemode in (False, None), (name, id)
    charge, = [c for c in models.Charge.objects.all() if c.stripe_data["amount_refunded"] == 500]
    assert charge.stripe_data["amount"] == 2000 and charge.customer.stripe_data["name"] == "Zoë"
    assert charge.balance_transaction.stripe_data["net"] == 1912
    assert charge.payment_intent.stripe_data["status"] == "succeeded"
    assert models.Payout.objects.first().stripe_data["destination"]


def listens():
    """Its webhook view checks the twin's signature and stores the event; a forged one is refused."""
    server = WSGIServer(("127.0.0.1", 0), Quiet)
    server.set_app(get_wsgi_application())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    name = str(uuid.uuid4())
    url = "http://127.0.0.1:%d/stripe/webhook/%s/" % (server.server_port, name)
    made = stripe.WebhookEndpoint.create(
        url=url, enabled_events=["charge.succeeded", "refund.created"], metadata={"djstripe_uuid": name})
    models.WebhookEndpoint.sync_from_stripe_data(made, api_key=key)
    assert models.WebhookEndpoint.objects.get(djstripe_uuid=name).secret == made.secret
    paid = pay(amount=4321)
    refund = stripe.Refund.create(payment_intent=paid.id, amount=321)
    wanted = {"charge.succeeded": paid.latest_charge, "refund.created": refund.id}
    until = time.monotonic() + 30
    while models.WebhookEventTrigger.objects.filter(processed=True).count() < 2:
        assert time.monotonic() < until, list(models.WebhookEventTrigger.objects.values_list(
            "valid", "processed", "exception", "traceback"))
        time.sleep(0.05)
    for trigger in models.WebhookEventTrigger.objects.all():
        assert trigger.valid and trigger.processed and not trigger.exception, trigger.traceback
        body = json.loads(trigger.body)
        assert wanted[body["type"]] == body["data"]["object"]["id"]
        assert stripe.Event.retrieve(body["id"]).to_dict()["data"]["object"] == body["data"]["object"]
    assert models.Charge.objects.get(id=paid.latest_charge).stripe_data["amount_captured"] == 4321
    # Of a refund dj-stripe keeps the event, and leaves the refund itself to the next sync.
    refunded, = models.WebhookEventTrigger.objects.filter(event__type="refund.created")
    assert refunded.event.stripe_data["data"]["object"]["id"] == refund.id
    request = urllib.request.Request(
        url, data=b'{"id":"evt_1","livemode":false}',
        headers={"Stripe-Signature": "t=%d,v1=%s" % (time.time(), "0" * 64)})
    try:
        urllib.request.urlopen(request)
        raise AssertionError("a forged event was taken")
    except urllib.error.HTTPError as error:
        assert error.code == 400
    server.shutdown()


for check in (prepares, makes, mirrors, listens):
    check()
    print("ok", check.__name__)
