"""The daemon's admin API, asked with a token. Standard library only: there is no provider to
install, and none to keep in step with Airflow."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from typing import Any, Callable

ANSWER_BYTES_MAX = 32 << 20
SECONDS_PER_REQUEST = 60


class TillboxUnavailable(Exception):
    """No answer, or one that says "later": worth another attempt."""


class TillboxRefused(Exception):
    """The request cannot be fulfilled as it is: another attempt would be refused alike."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirection: the token would be shown to whoever it leads to."""

    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)


@dataclass(frozen=True)
class TillboxHook:
    """One daemon.

    base: its address without a slash at the end, `http://127.0.0.1:9090`.
    token: of `tillbox token add NAME --role admin`; reconciling needs that role.
    sleep, clock: handed in, so that tests wait for nothing.
    """

    base: str
    token: str = field(repr=False)
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    @classmethod
    def from_connection(cls, name: str = "tillbox") -> TillboxHook:
        """By Airflow's connection: host, port, schema (http or https) and the token as password.

        As a variable of the environment: AIRFLOW_CONN_TILLBOX='http://:TOKEN@127.0.0.1:9090'.
        """
        from airflow.sdk import BaseHook

        connection = BaseHook.get_connection(name)
        if not connection.host or not connection.password:
            raise TillboxRefused(
                f"the connection {name} names no host or no password; give it the daemon's address "
                "and a token of `tillbox token add`"
            )
        # In Airflow's own form of an address its scheme is the connection's type.
        scheme = connection.schema or connection.conn_type or "http"
        if scheme not in ("http", "https"):
            scheme = "http"
        port = f":{connection.port}" if connection.port else ""
        return cls(base=f"{scheme}://{connection.host}{port}", token=connection.password)

    def get(self, path: str, **query: Any) -> Any:
        """The JSON of a GET. Raises TillboxUnavailable or TillboxRefused."""
        given = {name: value for name, value in query.items() if value is not None}
        return self._ask("GET", path + ("?" + urllib.parse.urlencode(given) if given else ""))

    def post(self, path: str, body: Any) -> Any:
        """The JSON of a POST. Raises TillboxUnavailable or TillboxRefused."""
        return self._ask("POST", path, json.dumps(body).encode())

    def _ask(self, method: str, path: str, body: bytes | None = None) -> Any:
        request = urllib.request.Request(self.base + path, data=body, method=method)
        request.add_header("Authorization", f"Bearer {self.token}")
        if body is not None:
            request.add_header("Content-Type", "application/json")
        try:
            with _OPENER.open(request, timeout=SECONDS_PER_REQUEST) as answer:
                return self._json(path, answer.read(ANSWER_BYTES_MAX + 1))
        except urllib.error.HTTPError as error:
            sentence = f"{method} {path}: {error.code} {self._detail(error)}"
            # 409: another run goes on, or another daemon answers. 401 and the like stay.
            if error.code in (409, 429) or error.code >= 500:
                raise TillboxUnavailable(sentence) from None
            raise TillboxRefused(sentence) from None
        except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
            reason = getattr(error, "reason", error)
            raise TillboxUnavailable(
                f"{method} {path}: {self.base} does not answer ({reason})"
            ) from None

    @staticmethod
    def _json(path: str, body: bytes) -> Any:
        if len(body) > ANSWER_BYTES_MAX:
            raise TillboxRefused(f"{path} answers with more than {ANSWER_BYTES_MAX} bytes")
        try:
            return json.loads(body)
        except ValueError:
            raise TillboxRefused(f"{path} answers with what is no JSON") from None

    @staticmethod
    def _detail(error: urllib.error.HTTPError) -> str:
        try:
            return str(json.loads(error.read(65536)).get("detail", ""))[:500]
        except (ValueError, AttributeError, OSError):
            return ""

    def reconcile(self, start: int, end: int, seconds_max: float = 3600) -> dict[str, Any]:
        """Reconciles a period (Unix seconds, the end excluded) and waits for the run's end.

        Reconciling twice books nothing twice, so an attempt after a lost answer just runs again.
        Raises TillboxUnavailable where it fails or takes longer.
        """
        run = self.post("/api/v1/reconciliations", {"from": start, "to": end})["id"]
        path = f"/api/v1/reconciliations/{urllib.parse.quote(run)}"
        deadline = self.clock() + seconds_max
        pause = 0.1
        while True:
            found = self.get(path, limit=1)["reconciliation"]
            if found["state"] == "finished":
                return found
            if found["state"] == "failed":
                raise TillboxUnavailable(f"the run {run} failed: {found.get('failure')}")
            if self.clock() > deadline:
                raise TillboxUnavailable(f"the run {run} has not ended after {seconds_max:.0f} s")
            self.sleep(pause)
            pause = min(pause * 2, 5)

    def findings(self, run: str) -> list[dict[str, Any]]:
        """Every break that is open after the run, whichever period it is of."""
        found: list[dict[str, Any]] = []
        after = None
        while True:
            page = self.get(
                f"/api/v1/reconciliations/{urllib.parse.quote(run)}", limit=1000, after=after
            )
            found += page["findings"]
            after = page["next"]
            if after is None:
                return [item for item in found if item["status"] == "open"]

    def report(self, name: str, day: str) -> Any:
        """One of the daemon's reports for a UTC day, as it answers."""
        return self.get(f"/api/v1/reports/{name}", **{"from": day, "to": day})
