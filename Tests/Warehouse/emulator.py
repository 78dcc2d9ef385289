"""A BigQuery that runs here: bqemulator from .venv-bqemu, and the exported files loaded into it.

It takes anything (floats into INT64, null into REQUIRED, unknown fields), so that it proves the
models' SQL and nothing of loading; docs/DBT.md says what only Google's own can show.
"""
import argparse
import gzip
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROJECT = "tillbox"
#: The emulator spends most of it in importing itself.
START_SECONDS = 90


def free_port():
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Emulator:
    """Runs from `with` to its end; `base` is its address.

    - folder: a place of its own, for what it writes and for its log, `emulator.log`.
    - port: where it listens; any free one by default.
    """

    def __init__(self, folder, environment=ROOT / ".venv-bqemu", port=None):
        self.folder = Path(folder)
        self.port = port
        self.environment = environment
        self.process = None

    def __enter__(self):
        self._place_extension()
        port, log = self.port or free_port(), open(self.folder / "emulator.log", "wb")
        self.base = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [self.environment / "bin/bqemulator", "start", "--rest-port", str(port),
             "--grpc-port", str(free_port()), "--project", PROJECT, "--log-level", "warning"],
            stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            # What is uploaded stays in the temporary folder, extensions are looked for at home.
            env={**os.environ, "HOME": str(self.folder), "TMPDIR": str(self.folder)})
        log.close()
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def _place_extension(self):
        """Where DuckDB looks for it; else the emulator asks the network for it, and ends."""
        found = list(self.environment.glob("lib/*/site-packages/duckdb_extension_spatial/extensions"
                                           "/*/spatial.duckdb_extension"))
        if not found:
            raise SystemExit(f"{self.environment} lacks duckdb-extension-spatial; run `make setup`")
        place = self.folder / ".duckdb/extensions" / found[0].parent.name / "linux_amd64"
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(found[0], place)

    def _wait(self):
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                urllib.request.urlopen(
                    f"{self.base}/bigquery/v2/projects/{PROJECT}/datasets", timeout=5).close()
                return
            except OSError:
                said = (self.folder / "emulator.log").read_text()[-800:]
                if self.process.poll() is not None:
                    raise SystemExit(f"the emulator ended by itself: {said}") from None
                if time.monotonic() > end:
                    raise SystemExit(f"no emulator within {START_SECONDS} s: {said}") from None
                time.sleep(0.1)

    def client(self):
        from google.api_core.client_options import ClientOptions
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import bigquery

        return bigquery.Client(
            project=PROJECT, credentials=AnonymousCredentials(),
            client_options=ClientOptions(api_endpoint=self.base))

    def load(self, warehouse, tables):
        """Makes `tables` of the schema as they are in BigQuery, and loads every file of theirs."""
        from google.cloud import bigquery

        client = self.client()
        described = json.loads((ROOT / "deploy/warehouse/schema.json").read_text())["tables"]
        for dataset in {described[name]["dataset"] for name in tables}:
            client.create_dataset(bigquery.Dataset(f"{PROJECT}.{dataset}"), exists_ok=True)
        for name in tables:
            told = described[name]
            schema = [bigquery.SchemaField(
                column["name"], column["type"], mode=column["mode"],
                description=column["description"]) for column in told["columns"]]
            place = f"{PROJECT}.{told['dataset']}.{name}"
            table = bigquery.Table(place, schema=schema)
            table.time_partitioning = bigquery.TimePartitioning(field="dt")
            client.create_table(table)
            for file in sorted(Path(warehouse).glob(f"{told['path']}/dt=*/{name}.ndjson*")):
                # BigQuery reads compressed files; the emulator does not.
                rows = (gzip.open if file.suffix == ".gz" else open)(file, "rb").read()
                if rows:
                    client.load_table_from_file(
                        io.BytesIO(rows), place, job_config=bigquery.LoadJobConfig(
                            schema=schema, write_disposition="WRITE_APPEND",
                            source_format="NEWLINE_DELIMITED_JSON")).result()


def main():
    """Runs one for a person, until Ctrl-C or SIGTERM."""
    options = argparse.ArgumentParser(description="A BigQuery that runs here, in memory.")
    options.add_argument("--port", type=int, default=9050, metavar="N",
                         help="where it listens on 127.0.0.1 (default: %(default)s)")
    given = options.parse_args()
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", given.port)) == 0:
            raise SystemExit(f"port {given.port} is taken; name another with --port")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with tempfile.TemporaryDirectory(prefix="tillbox-bigquery-") as folder:
        with Emulator(folder, port=given.port) as emulator:
            print(f"export TILLBOX_BIGQUERY_PROJECT={PROJECT} "
                  f"TILLBOX_BIGQUERY_API_BASE={emulator.base}", flush=True)
            try:
                emulator.process.wait()
            except KeyboardInterrupt:
                return


if __name__ == "__main__":
    main()
