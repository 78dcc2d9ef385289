"""Which checkpoints the job goes on with."""

import json

import pytest

from vectors import checkpoint, events, processors, steps, tables
from vectors.refusal import Refusal, refused

WANTED = checkpoint.note("payment.validated", "python")


class Memory(dict):
    """A folder."""

    path = "/checkpoint"

    def has(self, name):
        return name in self

    def read(self, name):
        return self.get(name)

    def write(self, name, data):
        self[name] = data


def noted(**more):
    return Memory({checkpoint.NOTE: json.dumps({**WANTED, **more}).encode()})


def refusal(folder, wanted=WANTED):
    before = dict(folder)
    with pytest.raises(Refusal) as caught:
        checkpoint.check(folder, wanted)
    assert folder == before
    return refused(str(caught.value))


def test_a_new_folder_gets_its_note_and_is_gone_on_with():
    folder = Memory()
    checkpoint.check(folder, WANTED)
    assert json.loads(folder[checkpoint.NOTE]) == {
        "layout": 1, "topic": "payment.validated", "source": "python"}
    before = dict(folder)
    checkpoint.check(folder, WANTED)
    assert folder == before


def test_one_that_a_release_without_notes_began_is_gone_on_with_while_its_layout_is_read(
        monkeypatch):
    folder = Memory({"metadata": b"{}"})
    checkpoint.check(folder, WANTED)
    assert json.loads(folder[checkpoint.NOTE])["layout"] == 1
    monkeypatch.setattr(checkpoint, "LAYOUT", 2)
    monkeypatch.setattr(checkpoint, "READABLE", frozenset((2,)))
    later = checkpoint.note("payment.validated", "python")
    for earlier in (folder, Memory({"metadata": b"{}"})):
        sentence = refusal(earlier, later)
        assert "written by an earlier release (layout 1)" in sentence
        assert "begin a new checkpoint in an empty folder" in sentence
    monkeypatch.setattr(checkpoint, "READABLE", frozenset((1, 2)))
    checkpoint.check(folder, later)
    # From here on the earlier release refuses it.
    assert json.loads(folder[checkpoint.NOTE])["layout"] == 2


@pytest.mark.parametrize("more, told", [
    ({"layout": 2}, "written by a later release (layout 2; this one knows 1): run that release"),
    ({"layout": 0}, "written by an earlier release (layout 0)"),
    ({"topic": "test.payment.validated"},
     "is of the topic test.payment.validated, and the settings name payment.validated"),
    ({"source": "jar"}, "was begun with --source jar"),
    ({"layout": "1"}, "is no note of this job's"), ({"topic": None}, "is no note of this job's"),
])
def test_another_checkpoint_is_refused_with_what_to_do(more, told):
    assert told in refusal(noted(**more))


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"7", b"\xff"])
def test_a_note_that_cannot_be_read_is_refused(text):
    assert "begin a new checkpoint" in refusal(Memory({checkpoint.NOTE: text}))


def test_what_spark_says_of_an_unfit_checkpoint_becomes_a_sentence():
    text = (
        "[STREAM_FAILED] Query [id = 1] terminated with exception: "
        "[STATE_STORE_VALUE_SCHEMA_NOT_COMPATIBLE] Provided value schema does not match")
    sentence = checkpoint.unfit(text, "/checkpoint")
    assert sentence.startswith(
        "Spark cannot go on with the checkpoint /checkpoint "
        "(STATE_STORE_VALUE_SCHEMA_NOT_COMPATIBLE)")
    assert "docs/SPARK.md, Upgrade" in sentence
    passing = "[CANNOT_LOAD_STATE_STORE.UNCATEGORIZED] java.io.IOException"
    assert checkpoint.unfit(passing, "/checkpoint") is None


def test_what_the_layout_is_of_has_not_changed_without_its_number():
    """Whoever changes one of these raises `LAYOUT`, and says in `READABLE` what is still read."""
    assert checkpoint.LAYOUT == 1
    assert tables._FORM == b"1\n"
    assert (steps.MOVEMENT_SETS, steps.CUSTOMER_SETS, steps.MERCHANT_SETS) == (1024, 4096, 64)
    assert steps._VECTOR.size == 40
    assert processors.Stage.STATE == "set"
    assert events.set_number("cus_1", 4096) == 3462
    assert events.set_number("charge:ch_1", 1024) == 298
    assert events.name_key("a" * 48) == (
        "48:97daac0ee9998dfcad6c9c0970da5ca411c86233a944c25b47566f6a7bc1ddd5")
    assert tables.Movement.__slots__ == (
        "rank", "is_counted", "is_counted_for_merchant", "knows_device", "knows_countries",
        "amount", "parties", "merchant_set")
