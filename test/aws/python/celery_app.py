"""A Celery application on the broker; what the worker runs and the client calls is the same file.

WASQ_ENDPOINT is the broker, WASQ_DIRECTORY keeps results and what the tasks remember of earlier attempts, WASQ_QUEUES
is `predefined` for queues that exist and are named by their URLs; else it begins the names of those kombu creates.
"""

import os
import pathlib
from urllib.parse import quote, urlsplit

from celery import Celery

endpoint = urlsplit(os.environ["WASQ_ENDPOINT"])
directory = pathlib.Path(os.environ["WASQ_DIRECTORY"])
kind = os.environ["WASQ_QUEUES"]
key_id, secret = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
QUEUES = ["work", "stubborn", "ordered.fifo"]

options = {"region": "us-east-1", "wait_time_seconds": 2, "polling_interval": 0.05, "visibility_timeout": 60}
if kind != "predefined":
    options["queue_name_prefix"] = f"{kind}-"
else:
    options["predefined_queues"] = {
        name: {
            "url": f"{endpoint.geturl()}/000000000000/predefined-{name}",
            "access_key_id": key_id,
            "secret_access_key": secret,
        }
        for name in QUEUES
    }
    # Changes a failed message's visibility instead of leaving it to the queue's timeout.
    options["predefined_queues"]["stubborn"] |= {
        "backoff_policy": {1: 1, 2: 1, 3: 1},
        "backoff_tasks": ["celery_app.stubborn"],
    }

broker_url = f"sqs://{key_id}:{quote(secret, safe='')}@{endpoint.netloc}//"
app = Celery("celery_app", broker=broker_url, backend=f"file://{directory}/results")
app.conf.update(
    broker_transport_options=options | {"is_secure": False},
    broker_connection_retry_on_startup=False,
    task_default_queue="work",
    task_create_missing_queues=True,
    task_routes={"celery_app.stubborn": {"queue": "stubborn"}, "celery_app.note": {"queue": "ordered.fifo"}},
    worker_enable_remote_control=False,
    worker_prefetch_multiplier=4,
    worker_send_task_events=False,
)


@app.task
def add(a, b):
    return a + b


@app.task
def total(numbers):
    return sum(numbers)


@app.task(bind=True, max_retries=3)
def flaky(self):
    """Asks for another try, which is another message, until the third attempt."""
    if self.request.retries < 2:
        raise self.retry(countdown=0.1)
    return self.request.retries


@app.task(bind=True, acks_late=True, acks_on_failure_or_timeout=False)
def stubborn(self, name):
    """Fails, and so leaves its message on the queue, until the third delivery."""
    with open(directory / f"{name}.attempts", "a+") as attempts:
        attempts.write("x")
        attempts.seek(0)
        count = len(attempts.read())
    if count < 3:
        raise RuntimeError(f"attempt {count}")
    return count


@app.task
def note(name, text):
    with open(directory / f"{name}.notes", "a") as notes:
        notes.write(text + "\n")
    return text
