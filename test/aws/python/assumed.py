"""A profile with a role in it, as boto3 reads it. Arguments: a queue's URL. Everything else is in the environment.

Prints who it is, whether it may send, and which errors tell that it may not purge and may not become another role.
"""

import sys

import boto3
from botocore.exceptions import ClientError

queue = sys.argv[1]


def code_of(call, **arguments):
    try:
        call(**arguments)
        return "ok"
    except ClientError as error:
        return error.response["Error"]["Code"]


sts = boto3.client("sts")
try:
    print(sts.get_caller_identity()["Arn"])
except ClientError as error:
    print(error.response["Error"]["Code"])
    sys.exit()
sqs = boto3.client("sqs", region_name="us-east-1")
print(code_of(sqs.send_message, QueueUrl=queue, MessageBody="from Python"))
print(code_of(sqs.purge_queue, QueueUrl=queue))
print(code_of(sts.assume_role, RoleArn="arn:aws:iam::000000000000:role/other", RoleSessionName="s1"))
