"""Which day a night is about."""

from datetime import date, datetime, timedelta, timezone


def yesterday_utc(logical_date: datetime | None, run_after: datetime | None) -> date:
    """The UTC day before the moment that a run stands for.

    In Airflow 3 a cron schedule means an instant, not an interval: `data_interval_start` equals
    `data_interval_end`, and both are the instant at which the night's run was due. A run that a
    person starts has no logical date; it stands for the moment at which it may begin.

    Raises ValueError where neither is known, or a time names no zone: a day guessed wrong would be
    reconciled and loaded in another one's place.
    """
    moment = logical_date or run_after
    if moment is None:
        raise ValueError("the run has neither a logical date nor a moment at which it may begin")
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise ValueError(f"{moment} names no time zone")
    return moment.astimezone(timezone.utc).date() - timedelta(days=1)


def bounds(day: date, now: float) -> tuple[int, int]:
    """A UTC day's first second and the first one behind it, in Unix seconds; of a day that is not
    over, as far as it has come.

    Raises ValueError for a day that has not begun.
    """
    start = datetime(day.year, day.month, day.day, tzinfo=timezone.utc)
    end = min(int((start + timedelta(days=1)).timestamp()), int(now))
    if end <= start.timestamp():
        raise ValueError(f"{day} has not begun in UTC")
    return int(start.timestamp()), end
