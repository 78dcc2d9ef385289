"""Paths of the job's modules, as `job.py` sets them."""

import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path[:0] = [str(HERE), str(HERE.parent), str(ROOT / "model")]


@pytest.fixture(scope="session")
def servers(tmp_path_factory):
    """A broker and Redis, for all tests."""
    from servers import Servers

    made = Servers(tmp_path_factory.mktemp("servers"))
    try:
        made.kafka()
        made.redis()
        yield made
    finally:
        made.stop()
