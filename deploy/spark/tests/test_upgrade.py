"""A checkpoint under a topic that grows, and under other releases of the job."""

import json
import shutil

import servers as processes
from conftest import ROOT
from confluent_kafka.admin import NewPartitions
from test_steps import payment

PREFIX = "upgrade."
TOPIC = PREFIX + "payment.validated"


def send(servers, numbers, partition):
    producer = servers.producer()
    for number in numbers:
        event = payment(
            event_id=f"evt_{number}", movement=f"charge:ch_{number}", object_id=f"ch_{number}",
            created=1_760_000_000 + number)
        producer.produce(
            TOPIC, key=event["customer"], value=json.dumps(event), partition=partition)
    assert producer.flush(30) == 0


def grow(servers, partitions):
    admin = servers.admin()
    for made in admin.create_partitions([NewPartitions(TOPIC, partitions)]).values():
        made.result(10)


def told(servers):
    return [json.loads(record.value()) for record in servers.read(PREFIX + "payment.features")]


def another_release(folder):
    """The job with state of another schema, whose author forgot to raise the layout's number."""
    shutil.copytree(ROOT / "deploy/spark/vectors", folder / "deploy/spark/vectors")
    shutil.copytree(ROOT / "model", folder / "model")
    shutil.copy(processes.JOB, folder / "deploy/spark/job.py")
    path = folder / "deploy/spark/vectors/processors.py"
    text = path.read_text()
    assert text.count('self.STATE, "data binary"') == 1
    path.write_text(text.replace('self.STATE, "data binary"', 'self.STATE, "data long"'))
    return folder / "deploy/spark/job.py"


def test_goes_on_under_a_topic_that_has_grown_and_refuses_what_it_cannot_go_on_with(
        servers, tmp_path):
    servers.topics(PREFIX)
    checkpoint = tmp_path / "checkpoint"

    def outcome(name, script=processes.JOB):
        job = servers.job(PREFIX, checkpoint, "--once", name=name, script=script)
        return job.wait(300), processes.words(job)

    send(servers, range(1, 4), 0)
    code, words = outcome("before")
    assert code == 0, words
    assert len(told(servers)) == 3
    note = checkpoint / "tillbox.json"
    assert json.loads(note.read_text()) == {"layout": 1, "topic": TOPIC, "source": "python"}

    # The customer's key moves to another partition; what is in the former one comes first.
    send(servers, range(4, 6), 0)
    grow(servers, 3)
    send(servers, range(6, 9), 2)
    code, words = outcome("grown")
    assert code == 0, words
    found = told(servers)
    assert [one["event_id"] for one in found] == [f"evt_{number}" for number in range(1, 9)]
    assert [one["values"][1] for one in found] == list(range(1, 9))

    send(servers, [9], 2)
    code, words = outcome("other", another_release(tmp_path / "release"))
    assert code == 3, words
    assert f"tillbox features: Spark cannot go on with the checkpoint {checkpoint} (" in words
    note.write_text(note.read_text().replace('"layout": 1', '"layout": 2'))
    code, words = outcome("changed")
    assert code == 3, words
    assert f"tillbox features: {note} is no note of this job's" in words
    (checkpoint / ".tillbox.json.crc").unlink()
    code, words = outcome("later")
    assert code == 3, words
    assert "was written by a later release (layout 2; this one knows 1)" in words
    assert len(told(servers)) == 8
