"""Calls the tasks of celery_app.py and prints what came of them as JSON."""

import json
import pathlib
import time

from celery import chord, group
from celery_app import add, directory, flaky, kind, note, stubborn, total

started = time.monotonic()
sums = group(add.s(i, i) for i in range(30)).apply_async()
tries = flaky.delay()
later = add.apply_async((1, 2), countdown=1)
notes = [
    note.apply_async(("ordered", f"{group_name} {i}"), MessageGroupId=group_name)
    for i in range(10)
    for group_name in ["a", "b"]
]
seen = {
    "sums": sums.get(timeout=60),
    "chord": chord([add.s(i, 1) for i in range(5)])(total.s()).get(timeout=60),
    "tries": tries.get(timeout=60),
    "later": later.get(timeout=60),
    "countdown": time.monotonic() - started >= 1,
    "notes": len([each.get(timeout=60) for each in notes]),
}
if kind == "predefined":
    # Each failure is a result as well, and an AsyncResult keeps the first that it sees.
    task = stubborn.delay("stubborn")
    deadline = time.monotonic() + 60
    while (last := stubborn.AsyncResult(task.id)).state != "SUCCESS" and time.monotonic() < deadline:
        time.sleep(0.1)
    seen["attempts"] = last.result
written = pathlib.Path(directory / "ordered.notes").read_text().split("\n")[:-1]
seen["order"] = [[line for line in written if line.startswith(name)] for name in ["a", "b"]]
print(json.dumps(seen))
