"""Floats of 32 bits as text."""

import numpy


def shortest(value):
    """The shortest decimal that reads back as the same float; integers without a point."""
    if value == int(value) and abs(value) < 1_000_000:
        return str(int(value)) if value != 0 or str(value)[0] != "-" else "-0.0"
    return str(numpy.float32(value))
