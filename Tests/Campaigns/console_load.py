#!/usr/bin/env python3
"""Consoles that are open while the box is busy: what they cost, and what the person sees.

Starts an edge daemon with a folder of its own and paced traffic, and says what docs/BENCHMARKS.md
quotes: answers to webhooks with 20 live pages open and with none, round by round; one overview in
headless Chromium, at rest and under load: bytes over the wire, time to its first picture, frames a
second, the processor time and memory of daemon and browser.

    console_load.py TILLBOX [ROUNDS]     ROUNDS: pairs of runs (default 5)
"""
import json
import os
import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from playwright.sync_api import sync_playwright

TILLBOX = os.path.abspath(sys.argv[1])
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 5
CONSOLES = 20
RATE, SECONDS = 1_000, 15
SECRET = "whsec_console_load"
PLACE = pathlib.Path(tempfile.mkdtemp(prefix="tillbox-console-load-"))
TICKS = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


WEBHOOK, ADMIN = free_port(), free_port()


def until(what, condition, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    sys.exit(f"not within {seconds} s: {what}; see {PLACE}")


def start():
    out = open(PLACE / "daemon.out", "wb")
    daemon = subprocess.Popen(
        [TILLBOX, "run", "--data", str(PLACE / "data")], stdout=out, stderr=out,
        env={**os.environ, "TILLBOX_PROFILE": "dev", "TILLBOX_WEBHOOK_SECRET": SECRET,
             "TILLBOX_WEBHOOK_PORT": str(WEBHOOK), "TILLBOX_ADMIN_PORT": str(ADMIN)})
    link = until("the daemon says where to come in", lambda: re.search(
        r"http\S*/setup\?code=[A-Za-z0-9_-]*", (PLACE / "daemon.out").read_text(errors="replace")))
    return daemon, link.group(0)


def traffic(seed, rate=RATE, count=RATE * SECONDS):
    return subprocess.Popen(
        [TILLBOX, "simulate", "--to", f"http://127.0.0.1:{WEBHOOK}/webhooks/stripe",
         "--secret", SECRET, "--rate", str(rate), "--count", str(count), "--seed", str(seed),
         "--templates", "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def report(run):
    out, _ = run.communicate()
    if run.returncode:
        sys.exit(f"the traffic ended with {run.returncode}; see {PLACE}")
    return json.loads(out)


def cost(pid):
    """Seconds of processor time, and MiB, of a process and all that it started."""
    pids, ticks, pages = {pid}, 0, 0
    while True:
        more = set()
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(words[1]) in pids and int(folder.name) not in pids:
                more.add(int(folder.name))
        if not more:
            break
        pids |= more
    for each in pids:
        try:
            words = pathlib.Path(f"/proc/{each}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        ticks += int(words[11]) + int(words[12])
        for line in pathlib.Path(f"/proc/{each}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                pages += int(line.split()[1])
    return ticks / TICKS, pages / 1024


class Stream:
    """A live page as the port sees it: it takes what comes."""

    def __init__(self):
        self.bytes = 0
        self.socket = socket.create_connection(("127.0.0.1", ADMIN))
        token = (PLACE / "data" / "console" / "token").read_text().strip()
        self.socket.sendall(
            f"GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1:{ADMIN}\r\n"
            f"Authorization: Bearer {token}\r\nAccept: text/event-stream\r\n\r\n".encode())
        first = self.socket.recv(65_536)
        if b" 200 " not in first.split(b"\r\n", 1)[0]:
            sys.exit(f"the stream was refused: {first[:300]!r}")
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        try:
            while piece := self.socket.recv(65_536):
                self.bytes += len(piece)
        except OSError:
            pass

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def percentile(told, name):
    """Of the report of `simulate`, in milliseconds."""
    return told["latency_ms"][name]


def with_and_without(daemon):
    ratios, lines = [], []
    seed = 100
    for number in range(ROUNDS):
        told = {}
        for count in (0, CONSOLES) if number % 2 == 0 else (CONSOLES, 0):
            streams = [Stream() for _ in range(count)]
            seed += 1
            before = cost(daemon.pid)[0]
            told[count] = report(traffic(seed))
            told[count]["cpu"] = cost(daemon.pid)[0] - before
            told[count]["bytes"] = sum(stream.bytes for stream in streams)
            for stream in streams:
                stream.close()
        p99 = [percentile(told[count], "p99") for count in (0, CONSOLES)]
        ratios.append(p99[1] / p99[0])
        lines.append(
            f"round {number + 1}: p99 {p99[0]:.2f} ms without, {p99[1]:.2f} ms with {CONSOLES}; "
            f"daemon {told[0]['cpu']:.1f} and {told[CONSOLES]['cpu']:.1f} s of processor in "
            f"{SECONDS} s; {told[CONSOLES]['bytes'] / CONSOLES / SECONDS / 1024:.0f} KiB/s a page")
        print(lines[-1], flush=True)
    print(f"median of p99 with {CONSOLES} live pages to none: {statistics.median(ratios):.2f} "
          f"(goal at most 1.2)", flush=True)


FRAMES = """() => { window.frames_ = 0; window.longest_ = 0;
  if (window.counts_) return;
  window.counts_ = true; let last = performance.now();
  const step = now => { window.frames_ += 1; window.longest_ = Math.max(window.longest_, now - last);
  last = now; requestAnimationFrame(step); }; requestAnimationFrame(step); }"""
PAINT = """() => performance.getEntriesByType('paint').find(e => e.name ===
  'first-contentful-paint')?.startTime"""


def overview(link, daemon):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"])
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        page = context.new_page()
        page.goto(link)
        origin = f"http://127.0.0.1:{ADMIN}"
        if page.url.startswith(f"{origin}/setup"):
            page.fill("input[name=name]", "ann")
            for field in page.query_selector_all("input[type=password]"):
                field.fill("correct horse battery staple")
            page.click("main button[type=submit], form button")
            page.wait_for_load_state()
        paints, weights = [], []
        for _ in range(5):
            sizes = []
            page.close()
            page = context.new_page()
            wire = context.new_cdp_session(page)
            wire.send("Network.enable")
            wire.send("Network.setCacheDisabled", {"cacheDisabled": True})
            wire.on("Network.loadingFinished", lambda e: sizes.append(e["encodedDataLength"]))
            page.goto(origin + "/", wait_until="load")
            page.wait_for_function(PAINT)
            paints.append(page.evaluate(PAINT))
            weights.append(sum(sizes))
        print(f"overview: {statistics.median(weights) / 1024:.0f} KiB over the wire (goal at most "
              f"150), first picture after {statistics.median(paints):.0f} ms", flush=True)
        chromium = [int(folder.name) for folder in pathlib.Path("/proc").glob("[0-9]*")
                    if is_browser(folder)]
        for name, rate in (("at rest", 0), (f"at {RATE} events/s", RATE)):
            run = traffic(7 + rate) if rate else None
            page.evaluate(FRAMES)
            before = [cost(daemon.pid)[0], sum(cost(pid)[0] for pid in chromium)]
            begun = time.monotonic()
            if run:
                report(run)
            else:
                page.wait_for_timeout(SECONDS * 1_000)
            took = time.monotonic() - begun
            after = [cost(daemon.pid)[0], sum(cost(pid)[0] for pid in chromium)]
            frames, longest = page.evaluate("[window.frames_, window.longest_]")
            memory = sum(cost(pid)[1] for pid in chromium)
            print(f"overview {name}: {frames / took:.0f} frames/s, the longest {longest:.0f} ms; "
                  f"processor: daemon {(after[0] - before[0]) / took:.0%}, browser "
                  f"{(after[1] - before[1]) / took:.0%}; memory: daemon "
                  f"{cost(daemon.pid)[1]:.0f} MiB, browser {memory:.0f} MiB", flush=True)
        browser.close()


def is_browser(folder):
    """The first process of the browser that this run has started."""
    try:
        words = (folder / "cmdline").read_bytes().split(b"\0")
        parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
        is_child = b"--type=" not in b" ".join(words) and b"chromium" in words[0]
        return is_child and b"chromium" not in pathlib.Path(f"/proc/{parent}/cmdline").read_bytes()
    except OSError:
        return False


daemon, link = start()
try:
    report(traffic(1, rate=0, count=5_000))
    overview(link, daemon)
    with_and_without(daemon)
finally:
    daemon.terminate()
    daemon.wait(30)
    shutil.rmtree(PLACE, ignore_errors=True)
