"""Commands of the program, run by a task."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from dataclasses import dataclass
from typing import Any, Mapping, Sequence

OUTPUT_CHARACTERS_MAX = 4000


class CommandRetry(Exception):
    """It could not do its work now (exit code 3, a signal, a time-out)."""


class CommandWrong(Exception):
    """It was called wrongly, or found what no further attempt changes (exit codes 1 and 2)."""


@dataclass(frozen=True)
class Ended:
    """How a command ended that did what it should."""

    code: int
    output: str

    def json(self) -> Any:
        """Its one JSON document. Raises CommandWrong where it is none."""
        try:
            return json.loads(self.output)
        except ValueError:
            raise CommandWrong(f"the answer is no JSON: {self.output[:200]}") from None


def words(variable: str, default: str) -> list[str]:
    """A command as a variable of the environment names it, in a shell's words."""
    found = shlex.split(os.environ.get(variable) or default)
    if not found:
        raise CommandWrong(f"{variable} names no command")
    return found


def dbt_build(project: str) -> str:
    """How the models of a dbt project are built in BigQuery, in a shell's words: from the datasets
    that `tillbox warehouse load` fills, by the same variables of the environment."""
    datasets = {
        "tillbox_schema": os.environ.get("TILLBOX_BIGQUERY_DATASET") or "tillbox",
        "stripe_schema": os.environ.get("TILLBOX_BIGQUERY_STRIPE_DATASET") or "stripe",
    }
    return shlex.join(
        ["dbt", "build", "--project-dir", project, "--profiles-dir", project]
        + ["--target", "bigquery", "--vars", json.dumps(datasets)]
    )


def run(
    command: Sequence[str],
    *,
    allowed: Sequence[int] = (0,),
    wrong: Sequence[int] = (1, 2),
    seconds_max: float = 7200,
    environment: Mapping[str, str] | None = None,
) -> Ended:
    """Runs a command to its end, never through a shell.

    allowed: exit codes that are well. wrong: those that no further attempt changes. Any other code
    raises CommandRetry. What it says on standard error is in the message: our commands name what to
    do next there, and no secret.
    """
    try:
        ended = subprocess.run(
            list(command),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds_max,
            env=None if environment is None else dict(environment),
            check=False,
        )
    except FileNotFoundError:
        raise CommandWrong(
            f"there is no program {command[0]}; put it into PATH, or name another with "
            "TILLBOX_COMMAND (for dbt TILLBOX_DBT_COMMAND)"
        ) from None
    except subprocess.TimeoutExpired:
        raise CommandRetry(f"{_named(command)} has not ended after {seconds_max:.0f} s") from None
    if ended.stderr.strip():
        print(ended.stderr.strip()[-OUTPUT_CHARACTERS_MAX:])
    if ended.returncode in allowed:
        return Ended(ended.returncode, ended.stdout)
    said = (ended.stderr.strip() or ended.stdout.strip())[-OUTPUT_CHARACTERS_MAX:]
    sentence = f"{_named(command)} ended with {ended.returncode}: {said}"
    raise (CommandWrong if ended.returncode in wrong else CommandRetry)(sentence)


def _named(command: Sequence[str]) -> str:
    return shlex.join(command[:4])
