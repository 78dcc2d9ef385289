"""Values of `payment.validated`, and the names in them. Without Spark."""

import hashlib
import json
import zlib

#: Names up to here are kept as they are; longer ones by their length and SHA-256, as the Swift
#: engine does, so that a name cannot make state large.
NAME_BYTES_MAX = 47

INT64 = range(-(2**63), 2**63)

KINDS = frozenset(
    "payment payment_failed refund refund_failed dispute_withdrawn dispute_reinstated "
    "dispute_opened dispute_closed payout payout_failed fee payment_reversed payout_debit "
    "payout_debit_failed transfer transfer_reversed transfer_payment application_fee "
    "application_fee_refunded topup topup_reversed refund_noted refunds_told release_told".split())

_REQUIRED = ("event_id", "object_id", "movement", "currency", "merchant")
_OPTIONAL = ("account", "customer", "card", "card_country", "country", "device")


class Unreadable(ValueError):
    """A record that is no payment event; `field` is the first that is missing or wrong."""

    def __init__(self, field):
        super().__init__(f"the field {field} is missing or wrong")
        self.field = field


def read(value):
    """The event in a record's value, which is bytes.

    Raises Unreadable as the Swift codec refuses: no vector comes of such a record anywhere.
    """
    try:
        event = json.loads(bytes(value).decode())
    except (TypeError, ValueError, RecursionError):
        raise Unreadable("value") from None
    if not isinstance(event, dict):
        raise Unreadable("value")
    for name in _REQUIRED:
        if not _is_text(event.get(name)):
            raise Unreadable(name)
    for name in _OPTIONAL:
        if event.get(name) is not None and not _is_text(event[name]):
            raise Unreadable(name)
    if event.get("kind") not in KINDS:
        raise Unreadable("kind")
    for name in ("amount", "created"):
        # Neither true nor 1.0.
        if type(event.get(name)) is not int or event[name] not in INT64:
            raise Unreadable(name)
    if event["amount"] < 0:
        raise Unreadable("amount")
    return event


def _is_text(value):
    """Half a surrogate pair is no text: nothing could be written of it."""
    return isinstance(value, str) and not any("\ud800" <= letter <= "\udfff" for letter in value)


def name_key(name):
    """The name under which state is kept."""
    encoded = name.encode()
    if len(encoded) <= NAME_BYTES_MAX:
        return name
    return f"{len(encoded)}:{hashlib.sha256(encoded).hexdigest()}"


def set_number(name, sets):
    """Which of so many sets a name belongs to: for ever the same, since checkpoints hold it."""
    return zlib.crc32(name.encode()) % sets


def parties(event):
    """A digest of what all tellings of a movement agree on: currency, Stripe account, merchant."""
    told = "\xff".join((event["currency"], event.get("account") or "", event["merchant"]))
    return hashlib.blake2b(told.encode(), digest_size=8).hexdigest()


def identity(event):
    """Whose habits the features describe: the customer, else the card; None for nobody."""
    return event.get("customer") or event.get("card") or None


def ordering_key(event):
    """The key of every record derived from the event."""
    for name in ("customer", "card"):
        if event.get(name) is not None:
            return event[name]
    return event["object_id"]
