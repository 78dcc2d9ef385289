"""Tells people. An alert that cannot be sent never fails what it is about."""

from __future__ import annotations

import json
import os
import urllib.request

ALERT_URL = "TILLBOX_ALERT_URL"
SECONDS_PER_REQUEST = 10
TEXT_CHARACTERS_MAX = 3000


def send(text: str) -> bool:
    """Posts `{"text": …}` to the address in TILLBOX_ALERT_URL, the form that chat rooms' incoming
    webhooks take; writes it to the task's log in any case. Returns whether it was sent."""
    print(text)
    url = os.environ.get(ALERT_URL)
    if not url:
        return False
    body = json.dumps({"text": text[:TEXT_CHARACTERS_MAX]}).encode()
    request = urllib.request.Request(
        url, data=body, headers={"Content-Type": "application/json"}, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=SECONDS_PER_REQUEST):
            return True
    except (OSError, ValueError) as error:
        # The address is a secret in itself: whoever has it may write into the room.
        print(f"the alert could not be sent: {type(error).__name__}")
        return False


def failed(context) -> None:
    """For `on_failure_callback`: a task that has used up its attempts."""
    task = context.get("task_instance") or context.get("ti")
    run = context.get("dag_run")
    error = context.get("exception")
    send(
        f"Tillbox: {getattr(task, 'task_id', 'a task')} of {getattr(run, 'run_id', 'a run')} "
        f"failed after {getattr(task, 'try_number', '?')} attempts: {str(error)[:1000]}"
    )
