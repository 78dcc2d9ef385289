#!/usr/bin/env python3
"""The box of compose.edge.yaml in the image, on a broker, a Redis and a Postgres of this machine.

Its settings are those of the compose file; what is of another place is put in: ports of loopback,
servers without TLS and passwords, the console without a certificate. It takes payments, copies them
by its bridges, and `bridge verify` compares both sides. Run it with .venv's Python, as .ci/cloud.
"""

import importlib.machinery
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent.parent
sys.path[:0] = [str(HERE.parent.parent / "debian/tests")]
from deliveries import SECRET, Stripe, charge, free_port  # noqa: E402

IMAGE = os.environ.get("TILLBOX_IMAGE", "localhost/tillbox:latest")
BRIDGES = ["kafka", "redis", "postgres"]
USER = 65532
EVENTS = 40
ENGINE = ["podman", "--runtime", "runc", "--cgroup-manager=cgroupfs"]


def cloud_script():
    """.ci/cloud starts these servers; it is a program, and a module without the name of one."""
    loader = importlib.machinery.SourceFileLoader("cloud", str(ROOT / ".ci/cloud"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("cloud", loader))
    loader.exec_module(module)
    return module


def settings_of(compose: str) -> dict[str, str]:
    """The environment of the compose file's one service, in the lines below `environment:`."""
    lines = compose.split("    environment:\n", 1)[1].splitlines()
    found = {}
    for line in lines:
        if not line.startswith("      "):
            break
        name, value = line.strip().split(": ", 1)
        found[name] = value
    return found


def settings(servers, webhook: int) -> dict[str, str]:
    environment = settings_of((HERE.parent / "compose.edge.yaml").read_text())
    elsewhere = ["TILLBOX_ADMIN_", "TILLBOX_KAFKA_", "TILLBOX_REDIS_", "TILLBOX_POSTGRES_",
                 "TILLBOX_STRIPE_"]
    kept = {name: value for name, value in environment.items()
            if not name.startswith(tuple(elsewhere))}
    own = {name: servers.environment[name] for name in [
        "TILLBOX_KAFKA_BOOTSTRAP", "TILLBOX_KAFKA_PARTITIONS", "TILLBOX_REDIS_URL",
        "TILLBOX_POSTGRES_URL"]}
    return {**kept, **own, "TILLBOX_WEBHOOK_PORT": str(webhook),
            "TILLBOX_ADMIN_PORT": str(webhook + 1)}


def main() -> None:
    cloud = cloud_script()
    with tempfile.TemporaryDirectory(prefix="tillbox-edge") as folder:
        os.chmod(folder, 0o755)
        servers = cloud.Cloud(folder, 4)
        name = f"tillbox-edge-{os.getpid()}"
        try:
            servers.servers()
            box(servers, Path(folder), name)
        finally:
            subprocess.run([*ENGINE, "rm", "-f", "-t", "15", name], capture_output=True)
            servers.stop()


def box(servers, folder: Path, name: str) -> None:
    webhook = free_port()
    data, secret = folder / "box", folder / "webhook"
    data.mkdir(0o700)
    os.chown(data, USER, USER)
    secret.write_text(SECRET + "\n")
    os.chown(secret, 0, USER)
    secret.chmod(0o440)
    environment = settings(servers, webhook)
    if environment.get("TILLBOX_BRIDGES") != ",".join(BRIDGES):
        sys.exit("compose.edge.yaml names other bridges than this test looks at")
    words = [word for pair in environment.items() for word in ("--env", "=".join(pair))]
    subprocess.run(
        [*ENGINE, "run", "-d", "--name", name, "--read-only", "--cap-drop=all",
         "--security-opt=no-new-privileges", "--network=host", "--no-healthcheck", "--ulimit",
         "nofile=1024:1024", "--ulimit", "nproc=1024:1024", "-v", f"{data}:/data", "-v",
         f"{secret}:/run/secrets/webhook:ro", "-v", f"{folder}:{folder}", *words, IMAGE],
        check=True, stdout=subprocess.DEVNULL)
    stripe = Stripe(webhook)
    for number in range(EVENTS):
        stripe.deliver(charge(number, "edge"))
    for bridge in BRIDGES:
        print(f"{bridge}:\n{verified(name, bridge)}")


def verified(name: str, bridge: str) -> str:
    """What `bridge verify` says once both sides are equal; it waits for what is under way."""
    deadline = time.monotonic() + 60
    while True:
        done = subprocess.run(
            [*ENGINE, "exec", name, "/usr/bin/tillbox", "bridge", "verify", bridge],
            capture_output=True, text=True)
        listed = subprocess.run(
            [*ENGINE, "exec", name, "/usr/bin/tillbox", "status"], capture_output=True, text=True)
        is_booked = f"{EVENTS} booked" in listed.stdout
        if done.returncode == 0 and is_booked:
            return done.stdout.strip()
        if time.monotonic() > deadline:
            sys.exit(f"{bridge}: {done.stdout}{done.stderr}{listed.stdout}{listed.stderr}")
        time.sleep(0.2)


if __name__ == "__main__":
    main()
