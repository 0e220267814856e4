"""One walk over the API with boto3. Arguments: the broker's endpoint and a prefix for its queues.

Prints one line of JSON a step, which ../walk.ts compares; ends with a traceback if a call fails that should not.
Runs on a boto3 that speaks AWS JSON and on one that speaks AWS Query.
"""

import json
import sys
import threading
import time

import boto3
from botocore.exceptions import ClientError

BODY = 'quote " & <tag> \r\n \u2603 \U0001f600'
TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"

endpoint, prefix = sys.argv[1:]
sqs = boto3.client("sqs", endpoint_url=endpoint, region_name="eu-central-1")


def walk():
    show("protocol", protocol=sqs.meta.service_model.metadata["protocol"])
    work = create("work", {"VisibilityTimeout": "0"}, {"team": "a"})
    fifo = create("work.fifo", {"FifoQueue": "true", "ContentBasedDeduplication": "true"})
    found = sqs.get_queue_url(QueueName=prefix + "-work")["QueueUrl"]
    again = create("work", {"VisibilityTimeout": "0"})
    show("create", url=work, fifoUrl=fifo, same=found == work == again)
    attributes(work, fifo)
    messages(work)
    batches(work)
    long_poll(work)
    fifo_order(fifo)
    dead_letter()
    move_tasks()
    tags(work)
    list_pages()
    permissions(work)
    error_types(work)
    purge_and_delete(work)


def attributes(work, fifo):
    sqs.set_queue_attributes(QueueUrl=work, Attributes={"MaximumMessageSize": "2048", "DelaySeconds": "0"})
    plain, ordered = attributes_of(work), attributes_of(fifo)
    show(
        "attributes",
        arn=plain["QueueArn"],
        plain=pick(plain, "VisibilityTimeout", "MaximumMessageSize", "MessageRetentionPeriod", "FifoQueue"),
        fifo=pick(ordered, "FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"),
    )


def messages(work):
    sent = sqs.send_message(
        QueueUrl=work,
        MessageBody=BODY,
        MessageAttributes={
            "color": {"DataType": "String", "StringValue": "a<b"},
            "count": {"DataType": "Number", "StringValue": "42"},
            "blob": {"DataType": "Binary", "BinaryValue": b"\x00\x01\xff"},
            "instant": {"DataType": "Number.java.lang.Long", "StringValue": "1493147359900"},
            "document": {"DataType": "Binary.pdf", "BinaryValue": b"%PDF"},
        },
        MessageSystemAttributes={"AWSTraceHeader": {"DataType": "String", "StringValue": TRACE}},
    )
    show(
        "send",
        body=sent["MD5OfMessageBody"],
        attributes=sent["MD5OfMessageAttributes"],
        system=sent["MD5OfMessageSystemAttributes"],
        sequence="SequenceNumber" in sent,
    )
    bare = receive_one(work)
    some = receive_one(work, MessageAttributeNames=["co.*", "absent"])
    everything = receive_one(work, MessageAttributeNames=["All"], AttributeNames=["All"])
    show(
        "receive",
        sameId=everything["MessageId"] == sent["MessageId"],
        sameBody=everything["Body"] == BODY,
        bare=sorted(bare.get("MessageAttributes", {})),
        bareSystem=sorted(bare.get("Attributes", {})),
        some=sorted(some["MessageAttributes"]),
        someDigest=some["MD5OfMessageAttributes"],
        all=sorted(everything["MessageAttributes"]),
        allDigest=everything["MD5OfMessageAttributes"],
        system=sorted(everything["Attributes"]),
        trace=everything["Attributes"]["AWSTraceHeader"],
        blob=list(everything["MessageAttributes"]["blob"]["BinaryValue"]),
        type=everything["MessageAttributes"]["instant"]["DataType"],
        receives=everything["Attributes"]["ApproximateReceiveCount"],
    )
    held = receive_one(work, VisibilityTimeout=100)
    hidden = len(receive(work))
    sqs.change_message_visibility(QueueUrl=work, ReceiptHandle=held["ReceiptHandle"], VisibilityTimeout=0)
    following = receive_one(work, VisibilityTimeout=100)
    delete(work, following)
    show("visibility", hidden=hidden, again=following["MessageId"] == sent["MessageId"], left=left(work))


def batches(work):
    sent = sqs.send_message_batch(
        QueueUrl=work,
        Entries=[
            {"Id": "a", "MessageBody": "1"},
            {"Id": "b", "MessageBody": "\x00"},
            {
                "Id": "c",
                "MessageBody": "3",
                "MessageAttributes": {"color": {"DataType": "String", "StringValue": "red"}},
            },
        ],
    )
    got = receive(work, MaxNumberOfMessages=10, VisibilityTimeout=100)
    handles = [{"Id": str(i), "ReceiptHandle": each["ReceiptHandle"]} for i, each in enumerate(got)]
    changed = sqs.change_message_visibility_batch(
        QueueUrl=work,
        Entries=[{"Id": "bad", "ReceiptHandle": "nonsense", "VisibilityTimeout": 0}]
        + [{**each, "VisibilityTimeout": 60} for each in handles],
    )
    deleted = sqs.delete_message_batch(QueueUrl=work, Entries=handles)
    show(
        "batch",
        successful=ids(sent),
        failed=failures(sent),
        bodies=bodies(got),
        changed=ids(changed),
        unchanged=failures(changed),
        deleted=ids(deleted),
        undeleted=failures(deleted),
        left=left(work),
    )


def long_poll(work):
    started = time.monotonic()
    got = []
    waiting = threading.Thread(target=lambda: got.extend(receive(work, WaitTimeSeconds=20)))
    waiting.start()
    time.sleep(0.2)
    sqs.send_message(QueueUrl=work, MessageBody="now")
    waiting.join()
    delete(work, got[0])
    show("long poll", body=got[0]["Body"], early=time.monotonic() - started < 15)


def fifo_order(fifo):
    sent = [
        sqs.send_message(QueueUrl=fifo, MessageBody=each, MessageGroupId=each[:2])
        for each in ["g1 a", "g2 a", "g1 b", "g1 a"]
    ]
    sequences = [each["SequenceNumber"] for each in sent]
    got = receive(fifo, MaxNumberOfMessages=10, ReceiveRequestAttemptId="attempt-1", AttributeNames=["All"])
    sqs.send_message(QueueUrl=fifo, MessageBody="g1 c", MessageGroupId="g1", MessageDeduplicationId="own")
    locked = len(receive(fifo))
    for each in got:
        delete(fifo, each)
    following = receive_one(fifo, AttributeNames=["All"])
    named = following["Attributes"]
    show(
        "fifo",
        bodies=bodies(got),
        system=sorted(got[0]["Attributes"]),
        duplicate=sent[3]["MessageId"] == sent[0]["MessageId"] and sequences[3] == sequences[0],
        ascending=sequences[0] < sequences[1] < sequences[2],
        locked=locked,
        next=[following["Body"], named["MessageGroupId"], named["MessageDeduplicationId"]],
    )


def dead_letter():
    dead = create("dead")
    policy = '{"deadLetterTargetArn":"%s","maxReceiveCount":1}' % attributes_of(dead)["QueueArn"]
    source = create("source", {"RedrivePolicy": policy})
    sent = sqs.send_message(QueueUrl=source, MessageBody="poison")
    first = receive_one(source, VisibilityTimeout=100)
    sqs.change_message_visibility(QueueUrl=source, ReceiptHandle=first["ReceiptHandle"], VisibilityTimeout=0)
    again = len(receive(source))
    moved = receive_one(dead, AttributeNames=["All"])
    sqs.change_message_visibility(QueueUrl=dead, ReceiptHandle=moved["ReceiptHandle"], VisibilityTimeout=0)
    show(
        "dead letter",
        policy=attributes_of(source)["RedrivePolicy"] == policy,
        again=again,
        sameId=moved["MessageId"] == sent["MessageId"],
        receives=moved["Attributes"]["ApproximateReceiveCount"],
        sources=sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"],
        source=moved["Attributes"]["DeadLetterQueueSourceArn"],
    )


def move_tasks():
    dead, source = create("dead"), create("source")
    arn = attributes_of(dead)["QueueArn"]
    waiting = receive_one(dead, VisibilityTimeout=100)
    sqs.change_message_visibility(QueueUrl=dead, ReceiptHandle=waiting["ReceiptHandle"], VisibilityTimeout=0)
    sqs.start_message_move_task(SourceArn=arn)
    task = ended(arn)
    back = receive_one(source, AttributeNames=["All"], WaitTimeSeconds=5)
    show(
        "move",
        status=task["Status"],
        moved=task["ApproximateNumberOfMessagesMoved"],
        toMove=task["ApproximateNumberOfMessagesToMove"],
        handle="TaskHandle" in task,
        back=back["Body"],
        newId=back["MessageId"] != waiting["MessageId"],
        receives=back["Attributes"]["ApproximateReceiveCount"],
    )

    rescued = create("rescued")
    for _ in range(3):
        sqs.send_message(QueueUrl=dead, MessageBody="x")
    handle = sqs.start_message_move_task(
        SourceArn=arn, DestinationArn=attributes_of(rescued)["QueueArn"], MaxNumberOfMessagesPerSecond=1
    )["TaskHandle"]
    sqs.cancel_message_move_task(TaskHandle=handle)
    task = ended(arn)
    show(
        "cancel",
        status=task["Status"],
        rate=task["MaxNumberOfMessagesPerSecond"],
        destination=task["DestinationArn"],
        kept=sum(int(attributes_of(url)["ApproximateNumberOfMessages"]) for url in [dead, rescued]),
        unknown=error_name(lambda: sqs.start_message_move_task(SourceArn=arn + "-absent")),
        ended=error_name(lambda: sqs.cancel_message_move_task(TaskHandle=handle)),
    )


def ended(source_arn):
    """The newest move task of the queue, once it has come to an end."""
    for _ in range(200):
        task = sqs.list_message_move_tasks(SourceArn=source_arn)["Results"][0]
        if task["Status"] not in ["RUNNING", "CANCELLING"]:
            return task
        time.sleep(0.05)
    raise AssertionError("a move task does not end")


def tags(work):
    sqs.tag_queue(QueueUrl=work, Tags={"cost": "1", "empty": ""})
    sqs.untag_queue(QueueUrl=work, TagKeys=["cost", "absent"])
    show("tags", tags=sqs.list_queue_tags(QueueUrl=work)["Tags"])


def list_pages():
    for i in range(5):
        create(f"page-{i}")
    pages = sqs.get_paginator("list_queues").paginate(
        QueueNamePrefix=prefix + "-page-", PaginationConfig={"PageSize": 2}
    )
    urls = [page["QueueUrls"] for page in pages]
    show("list", names=[url.rsplit("-", 1)[1] for page in urls for url in page], pages=[len(page) for page in urls])


def permissions(work):
    sqs.add_permission(QueueUrl=work, Label="share", AWSAccountIds=["111122223333"], Actions=["SendMessage"])
    statement = json.loads(attributes_of(work)["Policy"])["Statement"][0]
    sqs.remove_permission(QueueUrl=work, Label="share")
    show("permissions", sid=statement["Sid"], action=statement["Action"], remains="Policy" in attributes_of(work))


def error_types(work):
    def batch(*names):
        entries = [{"Id": name, "MessageBody": "x"} for name in names]
        return error_name(lambda: sqs.send_message_batch(QueueUrl=work, Entries=entries))

    show(
        "errors",
        absent=error_name(lambda: sqs.get_queue_url(QueueName=prefix + "-absent")),
        exists=error_name(lambda: create("work", {"VisibilityTimeout": "6"})),
        attribute=error_name(lambda: create("bad", {"Nonsense": "6"})),
        handle=error_name(lambda: sqs.delete_message(QueueUrl=work, ReceiptHandle="nonsense")),
        contents=error_name(lambda: sqs.send_message(QueueUrl=work, MessageBody="\x01")),
        empty=batch(),
        many=batch(*map(str, range(11))),
        twice=batch("a", "a"),
        id=batch("a b"),
        value=error_name(lambda: sqs.send_message(QueueUrl=work, MessageBody="x", DelaySeconds=901)),
    )


def purge_and_delete(work):
    for _ in range(3):
        sqs.send_message(QueueUrl=work, MessageBody="x")
    before = left(work)
    sqs.purge_queue(QueueUrl=work)
    after = left(work)
    sqs.delete_queue(QueueUrl=work)
    show("purge, delete", before=before, after=after, gone=error_name(lambda: attributes_of(work)))


def error_name(call):
    """The name of boto3's own type for the error, or the code of one it has no type for."""
    try:
        call()
    except ClientError as error:
        name = error.response["Error"]["Code"] if type(error) is ClientError else type(error).__name__
        return name.removesuffix("Exception")
    raise AssertionError("an error of the service was expected")


def create(name, attributes={}, tags={}):
    return sqs.create_queue(QueueName=f"{prefix}-{name}", Attributes=attributes, tags=tags)["QueueUrl"]


def attributes_of(url):
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]


def left(url):
    """How many messages are visible, in flight and delayed."""
    counts = attributes_of(url)
    return " ".join(counts["ApproximateNumberOfMessages" + which] for which in ["", "NotVisible", "Delayed"])


def receive(url, **options):
    return sqs.receive_message(QueueUrl=url, **options).get("Messages", [])


def receive_one(url, **options):
    (message,) = receive(url, **options)
    return message


def delete(url, message):
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def bodies(received):
    return [each["Body"] for each in received]


def ids(result):
    return [each["Id"] for each in result.get("Successful", [])]


def failures(result):
    return [
        f"{each['Id']} {each['Code']} {str(each['SenderFault']).lower()}" for each in result.get("Failed", [])
    ]


def pick(values, *names):
    return {name: values[name] for name in names if name in values}


def show(step, **fields):
    print(json.dumps({"step": step, **fields}))


walk()
