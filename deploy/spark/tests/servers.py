"""A broker, Redis, the daemon and the job, as processes of the tests that end with them."""

import ctypes
import glob
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request

from conftest import ROOT
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

TILLBOX = os.environ.get("TILLBOX", str(ROOT / ".build/release/tillbox"))
JOB = ROOT / "deploy/spark/job.py"
SECRET = "whsec_spark"
LIBC = ctypes.CDLL(None)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(what, holds, seconds=60, process=None):
    end = time.monotonic() + seconds
    while not (found := holds()):
        if process is not None and process.poll() is not None:
            raise AssertionError(f"{what}: it ended by itself: {words(process)}")
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}\n{words(process)}")
        time.sleep(0.05)
    return found


def words(process):
    if process is None:
        return ""
    return pathlib.Path(process.words).read_text(errors="replace")[-4000:]


def die_with_parent():
    os.setpgrp()
    LIBC.prctl(1, signal.SIGKILL)


class Servers:
    """Starts on demand; `stop` ends all of them."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.children = []
        self.kafka_port = self.redis_port = None

    def start(self, name, command, **more):
        path = self.folder / f"{name}.log"
        with open(path, "ab") as output:
            child = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=output,
                stderr=output, preexec_fn=die_with_parent, **more)
        child.words = path
        self.children.append(child)
        return child

    def kafka(self):
        found = [
            path for folder in (ROOT / ".venv", sys.prefix) for path in glob.glob(
                f"{folder}/lib/python3*/site-packages/noida_db/noida-db")]
        assert found, "noida-db is not installed; run `make setup`"
        os.chmod(found[0], 0o755)
        self.broker_port, self.kafka_port, self.control_port = (
            free_port(), free_port(), free_port())
        child = self.start("noida", [
            found[0], "start", "--only", "kafka", "--data-dir", self.folder / "kafka",
            "--kafka-port", self.broker_port])
        until("the broker listens", lambda: listens(self.broker_port), process=child)
        self.proxy()

    def proxy(self):
        # Where noida-db answers otherwise than Apache Kafka, the proxy sets it right: without it, a
        # reader that begins behind an aborted transaction is shown nothing of that producer's.
        child = self.start("proxy", [
            sys.executable, ROOT / "Tests/Support/Servers/kafka_proxy.py", self.kafka_port,
            self.broker_port, self.control_port])
        until("the proxy listens", lambda: listens(self.kafka_port), process=child)
        return child

    def redis(self):
        assert shutil.which("redis-server"), "redis-server is not installed; run `make setup`"
        self.redis_port = self.redis_port or free_port()
        child = self.start("redis", [
            "redis-server", "--port", self.redis_port, "--bind", "127.0.0.1", "--save", "",
            "--appendonly", "no", "--dir", self.folder])
        until("Redis listens", lambda: listens(self.redis_port), process=child)
        return child

    def stop(self):
        for child in self.children:
            end(child)

    # The job

    def environment(self, prefix):
        return {
            **{name: os.environ[name] for name in ("PATH", "HOME", "JAVA_HOME")
               if name in os.environ},
            "TILLBOX_KAFKA_BOOTSTRAP": f"127.0.0.1:{self.kafka_port}",
            "TILLBOX_KAFKA_TOPIC_PREFIX": prefix,
            "TILLBOX_REDIS_URL": f"redis://127.0.0.1:{self.redis_port}",
            "TILLBOX_REDIS_PREFIX": prefix or "tillbox:",
        }

    def job(self, prefix, checkpoint, *arguments, name="job", script=JOB, **environment):
        return self.start(
            name, [sys.executable, script, "--checkpoint", checkpoint, "--master", "local[2]",
                   *arguments],
            env={**self.environment(prefix), **environment})

    # Kafka

    def admin(self):
        return AdminClient({"bootstrap.servers": f"127.0.0.1:{self.kafka_port}"})

    def topics(self, prefix, partitions=1):
        # Its futures end with it.
        admin = self.admin()
        made = admin.create_topics([
            NewTopic(prefix + name, partitions, 1, config={"retention.ms": "-1"})
            for name in ("payment.validated", "payment.features")])
        for future in made.values():
            future.result(10)

    def producer(self, **more):
        return Producer({
            "bootstrap.servers": f"127.0.0.1:{self.kafka_port}", "partitioner": "murmur2",
            **more})

    def follow(self, topic, is_over):
        """Records as they come, until `is_over` is set and no more come."""
        consumer = Consumer({
            "bootstrap.servers": f"127.0.0.1:{self.kafka_port}", "group.id": "tests",
            "enable.auto.commit": False, "isolation.level": "read_committed"})
        consumer.assign([TopicPartition(topic, 0, 0)])
        while True:
            message = consumer.poll(0.2)
            if message is not None and message.error() is None:
                yield message
            elif message is None and is_over.is_set():
                break
        consumer.close()

    def read(self, topic, partitions=1):
        """Every record under read_committed, to the end that is there now."""
        consumer = Consumer({
            "bootstrap.servers": f"127.0.0.1:{self.kafka_port}", "group.id": "tests",
            "enable.auto.commit": False, "enable.partition.eof": True,
            "isolation.level": "read_committed", "auto.offset.reset": "error"})
        consumer.assign([TopicPartition(topic, at, 0) for at in range(partitions)])
        records, ended = [], set()
        deadline = time.monotonic() + 30
        while len(ended) < partitions:
            assert time.monotonic() < deadline, f"{topic} has no end"
            message = consumer.poll(1)
            if message is None:
                continue
            if message.error() is None:
                records.append(message)
                continue
            assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
            ended.add(message.partition())
        consumer.close()
        return records


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def end(child, seconds=120):
    """SIGTERM, and the exit code; a busy machine may take long to end a virtual machine."""
    if child.poll() is None:
        child.send_signal(signal.SIGTERM)
    try:
        return child.wait(seconds)
    except subprocess.TimeoutExpired:
        kill(child)
        return None


def kill(child):
    """SIGKILL to the job and to what it has started: its own process group."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    child.wait()


class Edge:
    """What the daemon of the profile edge makes of simulated traffic: the Swift engine's word."""

    def __init__(self, servers, count, seed):
        assert os.access(TILLBOX, os.X_OK), f"there is no {TILLBOX}; run `make build`"
        data = servers.folder / "edge"
        port, admin = free_port(), free_port()
        self.environment = {
            "PATH": os.environ["PATH"], "TILLBOX_PROFILE": "edge", "TILLBOX_DATA": str(data),
            "TILLBOX_WEBHOOK_SECRET": SECRET, "TILLBOX_WEBHOOK_LIVEMODE": "any",
            "TILLBOX_WEBHOOK_PORT": str(port), "TILLBOX_ADMIN_PORT": str(admin)}
        daemon = servers.start("edge", [TILLBOX, "run"], env=self.environment)
        until("the daemon is ready", lambda: answers(admin), process=daemon)
        subprocess.run(
            [TILLBOX, "simulate", "--to", f"http://127.0.0.1:{port}/webhooks/stripe", "--secret",
             SECRET, "--count", str(count), "--rate", "0", "--seed", str(seed), "--duplicates",
             "0.05", "--reorder", "0.2", "--fraud", "0.1", "--prove", str(data), "--events",
             "charge.succeeded,charge.captured,charge.failed,payment_intent.succeeded,"
             "payment_intent.payment_failed,charge.dispute.created,charge.refunded"],
            check=True, capture_output=True, env=self.environment)
        assert end(daemon) == 0
        self.validated = self.cat("payment.validated")
        self.features = self.cat("payment.features")

    def cat(self, topic):
        ran = subprocess.run(
            [TILLBOX, "log", "cat", topic], check=True, capture_output=True, text=True,
            env=self.environment)
        return [json.loads(line) for line in ran.stdout.splitlines()]


def answers(port, path="/readyz"):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False
