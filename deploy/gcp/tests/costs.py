#!/usr/bin/env python3
"""What each size of deploy/gcp costs a month, as docs/GCP.md has it: an estimate.

    .venv-deploy/bin/python3 deploy/gcp/tests/costs.py

Sizes are those of sizes.tf; bytes a payment are measured (docs/scale.json). Prices are list prices
of us-central1 in dollars, without discounts; other regions differ by up to half.
"""
import json

from module import ROOT, worked_out

HOURS = 730
GIB = 1 << 30
#: Payments a month that the storage and requests of a size are counted for.
PAYMENTS = {"small": 1_000_000, "medium": 20_000_000, "large": 200_000_000}
#: Deliveries a payment brings, and bytes of one with its headers.
DELIVERIES, DELIVERY_BYTES = 3, 4_096
#: What lz4 leaves of the records: a guess, as in docs/SCALE.md.
COMPRESSED_SHARE = 0.35

#: Seen on Google's price pages, or on pages that quote them, in November 2026.
SEEN = {
    "Cloud Run, vCPU second": 0.000018, "Cloud Run, GiB second": 0.000002,
    "Kafka, DCU hour (0.6 a vCPU, 0.1 a GiB)": 0.09,
    "Cloud SQL Enterprise, vCPU hour": 0.0413, "Cloud SQL Enterprise, GiB hour": 0.007,
    "Filestore Basic HDD, GiB hour": 0.000274,
    "forwarding rule, hour": 0.025, "load balancer, GiB": 0.008,
}
#: Not found in what could be looked up: from memory of earlier lists.
ASSUMED = {
    "Kafka, local disk, GiB month (100 GiB a vCPU)": 0.17, "Kafka, remote storage, GiB month": 0.10,
    "Cloud SQL, SSD, GiB month": 0.17,
    "Memorystore Basic 1 to 4 GiB, GiB hour": 0.049,
    "Memorystore Standard 5 to 10 GiB, GiB hour": 0.054,
    "Memorystore Standard 36 to 100 GiB, GiB hour": 0.038,
    "Cloud Armor, policy with two rules, month": 7.0, "Cloud Armor, million requests": 0.75,
}
PRICE = {**SEEN, **ASSUMED}


def redis_hour(size):
    if size["redis_tier"] == "BASIC":
        return PRICE["Memorystore Basic 1 to 4 GiB, GiB hour"]
    large = size["redis_gib"] > 35
    return PRICE["Memorystore Standard 36 to 100 GiB, GiB hour" if large else
                 "Memorystore Standard 5 to 10 GiB, GiB hour"]


def month(name):
    size, payments = worked_out()["sizes"][name], PAYMENTS[name]
    with open(ROOT / "docs/scale.json") as file:
        stored = json.load(file)[0]["paced"]["bytes_a_payment"]
    # vCPU and GiB of an instance with the collector beside it.
    run = [
        (size["webhook_instances"], 2, 1), (size["console_instances"], 2, 1.5),
        (size["score_instances"] + size["ledger_instances"], 2, 1.5), (1, 1, 1),
    ]
    _, _, vcpu, mib = size["sql_tier"].split("-")
    copies = 2 if size["sql_availability"] == "REGIONAL" else 1
    records = payments * stored["records"] * COMPRESSED_SHARE / GIB
    rows = payments * stored["rows"] / GIB
    return {
        "Cloud Run": sum(
            count * HOURS * 3600 * (cpu * PRICE["Cloud Run, vCPU second"]
                                    + gib * PRICE["Cloud Run, GiB second"])
            for count, cpu, gib in run),
        "Kafka": HOURS * PRICE["Kafka, DCU hour (0.6 a vCPU, 0.1 a GiB)"] * (
            0.6 * size["kafka_vcpu"] + 0.1 * size["kafka_memory_gib"])
        + 100 * size["kafka_vcpu"] * PRICE["Kafka, local disk, GiB month (100 GiB a vCPU)"],
        "Cloud SQL": copies * (
            HOURS * (int(vcpu) * PRICE["Cloud SQL Enterprise, vCPU hour"]
                     + int(mib) / 1024 * PRICE["Cloud SQL Enterprise, GiB hour"])
            + size["sql_disk_gib"] * PRICE["Cloud SQL, SSD, GiB month"]),
        "Memorystore": HOURS * size["redis_gib"] * redis_hour(size),
        "Filestore": HOURS * size["export_disk_gib"] * PRICE["Filestore Basic HDD, GiB hour"],
        "load balancer, Cloud Armor": HOURS * PRICE["forwarding rule, hour"]
        + payments * DELIVERIES * DELIVERY_BYTES / GIB * PRICE["load balancer, GiB"]
        + PRICE["Cloud Armor, policy with two rules, month"]
        + payments * DELIVERIES / 1e6 * PRICE["Cloud Armor, million requests"],
        "each month more: records": records * PRICE["Kafka, remote storage, GiB month"],
        "each month more: rows": copies * rows * PRICE["Cloud SQL, SSD, GiB month"],
    }


def table():
    months = {name: month(name) for name in PAYMENTS}
    lines = [
        "| dollars a month | " + " | ".join(PAYMENTS) + " |", "| --- | ---: | ---: | ---: |",
        "| payments a month | " + " | ".join(f"{one:,}" for one in PAYMENTS.values()) + " |"]
    growing = [part for part in months["small"] if part.startswith("each month more")]
    for part in [part for part in months["small"] if part not in growing]:
        lines.append(f"| {part} | " + " | ".join(
            f"{months[name][part]:,.0f}" for name in PAYMENTS) + " |")
    lines.append("| **together** | " + " | ".join(
        f"**{sum(cost for part, cost in months[name].items() if part not in growing):,.0f}**"
        for name in PAYMENTS) + " |")
    for part in growing:
        lines.append(f"| {part} | " + " | ".join(
            f"{months[name][part]:,.2f}" for name in PAYMENTS) + " |")
    return "\n".join(lines)


def prices():
    return "\n".join(
        f"| {name} | {price:.6f} | {'seen' if name in SEEN else 'assumed'} |".replace(
            f"{price:.6f}", f"{price:.6f}".rstrip("0").rstrip("."))
        for name, price in PRICE.items())


if __name__ == "__main__":
    print(table(), prices(), sep="\n\n")
