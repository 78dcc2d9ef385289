"""From webhook to Postgres with the cloud roles, whose vectors come late: from the Spark job."""

import importlib.machinery
import importlib.util
import json
import shutil
import tempfile

import pytest
import servers as processes
from conftest import ROOT


def cloud_module():
    loader = importlib.machinery.SourceFileLoader("cloud", str(ROOT / ".ci/cloud"))
    spec = importlib.util.spec_from_loader("cloud", loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def cloud():
    module = cloud_module()

    class WithoutVectors(module.Cloud):
        """Nobody computes vectors until the test says so."""

        is_computing = False

        def features(self):
            return super().features() if self.is_computing else None

    # A path to Postgres's socket may have 107 bytes.
    folder = tempfile.mkdtemp(prefix="tillbox-spark-", dir="/tmp")
    made = WithoutVectors(folder, partitions=3, computes_with="spark")
    made.module = module
    try:
        made.servers()
        made.roles()
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


def send(cloud, number, count, rate=0):
    child = cloud.traffic(number, count, rate, "--duplicates", "0.05", "--reorder", "0.1",
                          "--fraud", "0.05")
    output, errors = child.communicate(timeout=120)
    assert child.returncode == 0, errors
    return json.loads(output)


def without_vectors(cloud):
    """The payments that are held since their vectors are missing."""
    return {
        review["movement"] for review in cloud.reviews()
        if any(reason.get("rule") == "features_missing" for reason in review["reasons"])}


def test_reviews_that_late_vectors_opened_close_by_themselves(cloud):
    report = send(cloud, 1, 400)
    cloud.module.rest(cloud, report["answers"]["accepted"])
    late = without_vectors(cloud)
    assert len(late) > 50

    cloud.is_computing = True
    job = cloud.features()
    processes.until("late vectors close their reviews",
                    lambda: not without_vectors(cloud), 180, job)

    # And with the job running: each vector is a micro-batch late.
    report = send(cloud, 2, 300, rate=60)
    cloud.module.rest(cloud, report["answers"]["accepted"])
    processes.until("so do those that come while it runs",
                    lambda: not without_vectors(cloud), 120, job)

    closed = late - {review["movement"] for review in cloud.reviews()}
    # The others scored badly, or are too much to go unseen: they are a person's.
    assert len(closed) > len(late) / 2
    for review in cloud.reviews():
        assert review["reasons"], review
    assert "sound" in cloud.tillbox("ledger", "verify")
    assert processes.end(job) == 0, processes.words(job)
