#!/usr/bin/env python3
"""The Spark job that computes the feature vectors of payments; see docs/SPARK.md.

    deploy/spark/job.py --checkpoint DIR [--master 'local[2]'] [--help]
"""

import json
import logging
import os
import pathlib
import signal
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
#: Where the job's own modules are, here and in Spark's workers on this machine. On a cluster they
#: come with --py-files.
PATHS = [str(HERE), str(HERE.parents[1] / "model")]
sys.path[:0] = PATHS
os.environ["PYTHONPATH"] = os.pathsep.join(
    [*PATHS, *filter(None, [os.environ.get("PYTHONPATH")])])
os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)

from pyspark.errors import StreamingQueryException  # noqa: E402
from pyspark.sql import SparkSession  # noqa: E402
from pyspark.sql import functions as F  # noqa: E402

from vectors import checkpoint, kafka_client, processors, settings, sink, steps  # noqa: E402
from vectors.kafka_source import KafkaLog  # noqa: E402
from vectors.refusal import Refusal, refused  # noqa: E402
from vectors.settings import BadSetting  # noqa: E402

log = logging.getLogger("tillbox.features")

#: Between two attempts, while what is outside does not answer.
PAUSE_SECONDS_MAX = 30.0
ROCKSDB = "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider"


def session(chosen):
    builder = SparkSession.builder.appName("tillbox-features")
    if chosen.master:
        builder = builder.master(chosen.master)
    conf = {
        "spark.sql.streaming.stateStore.providerClass": ROCKSDB,
        # A commit writes what has changed instead of all files.
        "spark.sql.streaming.stateStore.rocksdb.changelogCheckpointing.enabled": "true",
        "spark.sql.shuffle.partitions": str(chosen.shuffle_partitions),
        # Asked of Kafka while nothing comes; the default asks a hundred times a second.
        "spark.sql.streaming.pollingDelay": "50ms",
        # Micro-batches that could be gone back to. Redis and Kafka never go back.
        "spark.sql.streaming.minBatchesToRetain": "10",
        "spark.sql.streaming.numRecentProgressUpdates": "10",
        "spark.sql.adaptive.enabled": "false",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.python.worker.reuse": "true",
        # Tasks and their Python workers are on one machine.
        "spark.python.unix.domain.socket.enabled": "true",
        "spark.driver.bindAddress": "127.0.0.1" if _is_local(chosen) else "0.0.0.0",
    }
    for key, value in conf.items():
        # What spark-submit was told wins.
        if os.environ.get("SPARK_ENV_LOADED") is None or key.startswith("spark.sql.streaming"):
            builder = builder.config(key, value)
    made = builder.getOrCreate()
    made.sparkContext.setLogLevel("ERROR")
    return made


def _is_local(chosen):
    return (chosen.master or "").startswith("local")


def records(spark, chosen):
    """`payment.validated`, as either source reads it."""
    topic = _topic(chosen)
    client = kafka_client.options(chosen)
    if chosen.source == "python":
        spark.dataSource.register(KafkaLog)
        return spark.readStream.format(KafkaLog.name()).options(
            topic=topic, client=json.dumps(client), recordsMax=chosen.records_max).load()
    made = {
        f"kafka.{key}": str(value)
        for key, value in kafka_client.java_configuration(client).items()}
    read = spark.readStream.format("kafka").options(
        subscribe=topic, startingOffsets="earliest", failOnDataLoss="true",
        maxOffsetsPerTrigger=chosen.records_max, **made).load()
    return read.select(
        "key", "value", "partition", "offset", F.unix_millis("timestamp").alias("timestamp"))


def _topic(chosen):
    return chosen.topic_prefix + "payment.validated"


class Job:
    """One query, begun again from its checkpoint when what is outside had failed it."""

    def __init__(self, chosen):
        self.chosen = chosen
        self.stopping = threading.Event()
        self.sink = sink.Sink(chosen)
        self.sink.is_stopping = self.stopping.is_set
        self.spark = session(chosen)
        self.query = None
        self.has_worked = False

    def run(self):
        """Returns the exit code."""
        try:
            self._check()
        except Refusal as error:
            print(f"tillbox features: {refused(str(error))}", file=sys.stderr)
            return 3
        pause = 1.0
        while not self.stopping.is_set():
            try:
                self._start()
                self._wait()
                if self.chosen.is_once:
                    return 0
            except Exception as error:
                if self.stopping.is_set():
                    break
                sentence = refused(str(error)) or checkpoint.unfit(
                    str(error), self.chosen.checkpoint)
                if sentence is not None:
                    print(f"tillbox features: {sentence}", file=sys.stderr)
                    return 3
                if not isinstance(error, StreamingQueryException) or self.chosen.is_once:
                    raise
                log.warning("begins again in %.0f s: %s", pause, _first_line(error))
                pause = 1.0 if self.has_worked else min(pause * 2, PAUSE_SECONDS_MAX)
                self.has_worked = False
                self.stopping.wait(pause)
        return 0

    def _check(self):
        """Whether the checkpoint may be gone on with. Before the first start alone."""
        checkpoint.check(
            checkpoint.Folder(self.spark, self.chosen.checkpoint),
            checkpoint.note(_topic(self.chosen), self.chosen.source))

    def _start(self):
        told = processors.vectors(
            records(self.spark, self.chosen), self.chosen.customers_max,
            self.chosen.movements_max, self.chosen.merchants_max)
        writer = told.writeStream.outputMode("append").foreachBatch(self._take).option(
            "checkpointLocation", self.chosen.checkpoint).queryName("features")
        if self.chosen.is_once:
            writer = writer.trigger(availableNow=True)
        elif self.chosen.trigger_seconds:
            writer = writer.trigger(
                processingTime=f"{int(self.chosen.trigger_seconds * 1000)} milliseconds")
        self.query = writer.start()

    def _wait(self):
        while not self.query.awaitTermination(0.5):
            if self.stopping.is_set():
                self.query.stop()
                return

    def _take(self, batch, number):
        """A micro-batch: its vectors are few and small beside what they are computed from."""
        began = time.monotonic()
        found = [row.asDict() for row in batch.collect()]
        computed = time.monotonic()
        rows = steps.in_log_order([row for row in found if row["op"] == steps.VECTOR])
        unreadable = [row for row in found if row["op"] == steps.UNREADABLE]
        for row in unreadable[:10]:
            log.warning(
                "payment.validated/%s/%s cannot be read: the field %s is missing or wrong",
                row["partition"], row["offset"], row["key"])
        told = self.sink.write(rows)
        self.has_worked = True
        log.info("%s", json.dumps({
            "batch": number, "vectors": len(rows), "told": told, "unreadable": len(unreadable),
            "compute_ms": round((computed - began) * 1000),
            "write_ms": round((time.monotonic() - computed) * 1000)}))

    def stop(self, *_):
        self.stopping.set()

    def close(self):
        self.sink.topic.close()
        self.spark.stop()


def _first_line(error):
    lines = [line for line in str(error).splitlines() if line.strip()]
    # Spark's own first line says that a query has ended; the cause is the last exception named.
    causes = [line for line in lines if "Error" in line or "Exception" in line]
    return (causes or lines or [repr(error)])[-1].strip()[:500]


def main():
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for noisy in ("py4j", "py4j.clientserver"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    try:
        chosen = settings.read()
        job = Job(chosen)
    except (BadSetting, OSError) as error:
        print(f"tillbox features: {error}", file=sys.stderr)
        return 3
    signal.signal(signal.SIGTERM, job.stop)
    signal.signal(signal.SIGINT, job.stop)
    try:
        return job.run()
    finally:
        job.close()


if __name__ == "__main__":
    sys.exit(main())
