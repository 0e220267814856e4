"""Run by python-client.test.ts: one pass over the API with a boto3 that is given by its environment. Prints what it saw as JSON."""
import json
import sys

import boto3
import botocore
from botocore.exceptions import ClientError

endpoint = sys.argv[1]
sqs = boto3.client(
    "sqs", endpoint_url=endpoint, region_name="ap-south-1", aws_access_key_id="x", aws_secret_access_key="y"
)
seen = {"protocol": sqs.meta.service_model.metadata["protocol"], "botocore": botocore.__version__}
prefix = "py-" + seen["protocol"]

url = sqs.create_queue(QueueName=prefix, Attributes={"VisibilityTimeout": "5"}, tags={"k": "v"})["QueueUrl"]
seen["url"] = url
seen["tags"] = sqs.list_queue_tags(QueueUrl=url)["Tags"]
seen["listed"] = sqs.list_queues(QueueNamePrefix=prefix)["QueueUrls"]
body = 'quote " & <tag> \r\n \u2603'
sent = sqs.send_message(
    QueueUrl=url,
    MessageBody=body,
    MessageAttributes={
        "text": {"DataType": "String", "StringValue": "a<b"},
        "blob": {"DataType": "Binary", "BinaryValue": b"\x00\x01"},
    },
)
got = sqs.receive_message(
    QueueUrl=url, MessageAttributeNames=["All"], AttributeNames=["All"], WaitTimeSeconds=2
)["Messages"][0]
seen["same_id"] = got["MessageId"] == sent["MessageId"]
seen["same_body"] = got["Body"] == body
seen["attributes_md5"] = got["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
seen["blob"] = list(got["MessageAttributes"]["blob"]["BinaryValue"])
seen["receives"] = got["Attributes"]["ApproximateReceiveCount"]
sqs.delete_message(QueueUrl=url, ReceiptHandle=got["ReceiptHandle"])
batch = sqs.send_message_batch(
    QueueUrl=url, Entries=[{"Id": "a", "MessageBody": "1"}, {"Id": "b", "MessageBody": "\x00"}]
)
seen["successful"] = [each["Id"] for each in batch.get("Successful", [])]
seen["failed"] = [[each["Id"], each["Code"]] for each in batch.get("Failed", [])]
fifo = sqs.create_queue(
    QueueName=prefix + ".fifo", Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "true"}
)["QueueUrl"]
first = sqs.send_message(QueueUrl=fifo, MessageBody="same", MessageGroupId="g")
second = sqs.send_message(QueueUrl=fifo, MessageBody="same", MessageGroupId="g")
seen["deduplicated"] = first["MessageId"] == second["MessageId"]
try:
    sqs.get_queue_url(QueueName="absent")
except ClientError as error:
    seen["error"] = [error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]]
    seen["exception"] = isinstance(error, sqs.exceptions.QueueDoesNotExist)
sqs.delete_queue(QueueUrl=url)
print(json.dumps(seen))
