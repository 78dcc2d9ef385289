"""What no repetition mends."""

#: In the texts of exceptions, which come back from Spark's workers as texts alone.
_MARK = "tillbox-refusal: "


class Refusal(Exception):
    """One sentence with what to do."""

    def __init__(self, sentence):
        super().__init__(_MARK + sentence)


def refused(text):
    """The sentence of a refusal in an exception's text; None where it was none."""
    if _MARK not in text:
        return None
    return text.split(_MARK, 1)[1].splitlines()[0].strip()
