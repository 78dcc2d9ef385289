"""Runs in the guest: does what the test outside asks, a line of JSON for each command and each
answer, over a port of the virtual machine. Its first line says that the guest has come up."""

import json
import subprocess

PORT = "/dev/virtio-ports/agent"


def answer(asked: dict) -> dict:
    try:
        done = subprocess.run(
            ["bash", "-c", asked["command"]], input=asked["input"], capture_output=True,
            text=True, errors="replace", timeout=asked["seconds"])
        return {"code": done.returncode, "output": done.stdout, "error": done.stderr}
    except subprocess.TimeoutExpired:
        return {"code": -1, "output": "", "error": f"no end within {asked['seconds']} s"}


def main() -> None:
    with open(PORT, "r+b", buffering=0) as port:
        def say(words: dict) -> None:
            port.write(json.dumps(words).encode() + b"\n")

        with open("/proc/sys/kernel/random/boot_id") as boot:
            say({"boot": boot.read().strip()})
        waiting = b""
        while True:
            waiting += port.read(65536)
            while b"\n" in waiting:
                line, _, waiting = waiting.partition(b"\n")
                say(answer(json.loads(line)))


if __name__ == "__main__":
    main()
