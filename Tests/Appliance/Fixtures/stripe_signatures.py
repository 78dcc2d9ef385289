"""Signs and verifies webhooks with Stripe's own library.

    stripe_signatures.py sign    reads lines {"body","secret","timestamp"}, prints a header each
    stripe_signatures.py verify  reads lines {"body","secret","header"}, prints "ok" or the error

Bodies travel as base64. A negative timestamp means now.
"""

import base64
import json
import sys
import time

import stripe
from stripe import WebhookSignature


def sign(case, body):
    timestamp = case["timestamp"] if case["timestamp"] >= 0 else int(time.time())
    payload = "%d.%s" % (timestamp, body)
    signature = WebhookSignature._compute_signature(payload, case["secret"])
    return "t=%d,v1=%s" % (timestamp, signature)


def verify(case, body):
    try:
        WebhookSignature.verify_header(body, case["header"], case["secret"], tolerance=None)
    except stripe.SignatureVerificationError as error:
        return str(error)
    return "ok"


act = {"sign": sign, "verify": verify}[sys.argv[1]]
for line in sys.stdin:
    case = json.loads(line)
    print(act(case, base64.b64decode(case["body"]).decode("utf-8")), flush=True)
