"""Runs in the guest, as the data folder's user: what is in the log, and what is booked."""

import json
import re
import subprocess

CONFIGURATION = ["--config", "/etc/tillbox/tillbox.conf"]


def tillbox(*words: str) -> str:
    return subprocess.run(["tillbox", *words, *CONFIGURATION], check=True, text=True,
                          stdout=subprocess.PIPE).stdout


def main() -> None:
    lines = tillbox("log", "cat", "webhook.received", "--from", "0", "--json").splitlines()
    export = tillbox("ledger", "export", "--format", "json")
    transactions: dict[str, set[str]] = {}
    for number, movement in re.findall(
            r'"id"\s*:\s*(\d+).*?"movement"\s*:\s*"charge:ch_([^"]+)"', export):
        transactions.setdefault(movement, set()).add(number)
    tillbox("ledger", "verify")
    tillbox("log", "verify")
    print(json.dumps({
        "received": [json.loads(line)["value"]["id"] for line in lines],
        "booked": sorted(f"evt_{movement}" for movement in transactions),
        "twice": [movement for movement, numbers in transactions.items() if len(numbers) > 1]}))


if __name__ == "__main__":
    main()
