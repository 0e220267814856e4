// One walk over the API with the AWS SDK for Go v2. Arguments: the broker's endpoint and a prefix for its queues.
// Prints one line of JSON a step, which ../walk.ts compares; ends with the reason if a call fails that should not.
// The SDK checks the bodies' digests by itself.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
)

const body = "quote \" & <tag> \r\n \u2603 \U0001f600"
const trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"

var (
	ctx    = context.Background()
	client *sqs.Client
	prefix string
)

func main() {
	prefix = os.Args[2]
	id, secret := os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY")
	client = sqs.New(sqs.Options{
		BaseEndpoint: aws.String(os.Args[1]),
		Region:       "eu-central-1",
		Credentials:  credentials.NewStaticCredentialsProvider(id, secret, ""),
	})
	work := createQueue("work", map[string]string{"VisibilityTimeout": "0"}, map[string]string{"team": "a"})
	fifo := createQueue("work.fifo", map[string]string{"FifoQueue": "true", "ContentBasedDeduplication": "true"}, nil)
	found := must(client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: aws.String(prefix + "-work")}))
	again := createQueue("work", map[string]string{"VisibilityTimeout": "0"}, nil)
	show("create", map[string]any{"url": *work, "fifoUrl": *fifo, "same": *found.QueueUrl == *work && *again == *work})
	attributes(work, fifo)
	messages(work)
	batches(work)
	longPoll(work)
	fifoOrder(fifo)
	deadLetter()
	moveTasks()
	tags(work)
	list()
	permissions(work)
	errorTypes(work)
	purgeAndDelete(work)
}

func attributes(work, fifo *string) {
	set(work, map[string]string{"MaximumMessageSize": "2048", "DelaySeconds": "0"})
	plain, ordered := attributesOf(work), attributesOf(fifo)
	show("attributes", map[string]any{
		"arn":   plain["QueueArn"],
		"plain": pick(plain, "VisibilityTimeout", "MaximumMessageSize", "MessageRetentionPeriod", "FifoQueue"),
		"fifo":  pick(ordered, "FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"),
	})
}

func messages(work *string) {
	sent := must(client.SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl:    work,
		MessageBody: aws.String(body),
		MessageAttributes: map[string]types.MessageAttributeValue{
			"color":    {DataType: aws.String("String"), StringValue: aws.String("a<b")},
			"count":    {DataType: aws.String("Number"), StringValue: aws.String("42")},
			"blob":     {DataType: aws.String("Binary"), BinaryValue: []byte{0, 1, 255}},
			"instant":  {DataType: aws.String("Number.java.lang.Long"), StringValue: aws.String("1493147359900")},
			"document": {DataType: aws.String("Binary.pdf"), BinaryValue: []byte("%PDF")},
		},
		MessageSystemAttributes: map[string]types.MessageSystemAttributeValue{
			"AWSTraceHeader": {DataType: aws.String("String"), StringValue: aws.String(trace)},
		},
	}))
	show("send", map[string]any{
		"body": *sent.MD5OfMessageBody, "attributes": *sent.MD5OfMessageAttributes,
		"system": *sent.MD5OfMessageSystemAttributes, "sequence": sent.SequenceNumber != nil,
	})
	bare := receiveOne(&sqs.ReceiveMessageInput{QueueUrl: work})
	some := receiveOne(&sqs.ReceiveMessageInput{QueueUrl: work, MessageAttributeNames: []string{"co.*", "absent"}})
	all := receiveOne(&sqs.ReceiveMessageInput{
		QueueUrl: work, MessageAttributeNames: []string{"All"}, AttributeNames: []types.QueueAttributeName{"All"},
	})
	blob := []int{}
	for _, each := range all.MessageAttributes["blob"].BinaryValue {
		blob = append(blob, int(each))
	}
	show("receive", map[string]any{
		"sameId": *all.MessageId == *sent.MessageId, "sameBody": *all.Body == body,
		"bare": keys(bare.MessageAttributes), "bareSystem": keys(bare.Attributes),
		"some": keys(some.MessageAttributes), "someDigest": *some.MD5OfMessageAttributes,
		"all": keys(all.MessageAttributes), "allDigest": *all.MD5OfMessageAttributes,
		"system": keys(all.Attributes), "trace": all.Attributes["AWSTraceHeader"],
		"blob": blob, "type": *all.MessageAttributes["instant"].DataType,
		"receives": all.Attributes["ApproximateReceiveCount"],
	})
	held := receiveOne(&sqs.ReceiveMessageInput{QueueUrl: work, VisibilityTimeout: 100})
	hidden := len(receive(&sqs.ReceiveMessageInput{QueueUrl: work}))
	change(work, held.ReceiptHandle, 0)
	next := receiveOne(&sqs.ReceiveMessageInput{QueueUrl: work, VisibilityTimeout: 100})
	must(client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: work, ReceiptHandle: next.ReceiptHandle}))
	show("visibility", map[string]any{"hidden": hidden, "again": *next.MessageId == *sent.MessageId, "left": left(work)})
}

func batches(work *string) {
	sent := must(client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{
		QueueUrl: work,
		Entries: []types.SendMessageBatchRequestEntry{
			{Id: aws.String("a"), MessageBody: aws.String("1")},
			{Id: aws.String("b"), MessageBody: aws.String("\x00")},
			{Id: aws.String("c"), MessageBody: aws.String("3"), MessageAttributes: map[string]types.MessageAttributeValue{
				"color": {DataType: aws.String("String"), StringValue: aws.String("red")},
			}},
		},
	}))
	got := receive(&sqs.ReceiveMessageInput{QueueUrl: work, MaxNumberOfMessages: 10, VisibilityTimeout: 100})
	bodies := []string{}
	changes := []types.ChangeMessageVisibilityBatchRequestEntry{
		{Id: aws.String("bad"), ReceiptHandle: aws.String("nonsense")},
	}
	deletes := []types.DeleteMessageBatchRequestEntry{}
	for i, each := range got {
		id := aws.String(strconv.Itoa(i))
		bodies = append(bodies, *each.Body)
		changes = append(changes, types.ChangeMessageVisibilityBatchRequestEntry{
			Id: id, ReceiptHandle: each.ReceiptHandle, VisibilityTimeout: 60,
		})
		deletes = append(deletes, types.DeleteMessageBatchRequestEntry{Id: id, ReceiptHandle: each.ReceiptHandle})
	}
	changed := must(client.ChangeMessageVisibilityBatch(ctx, &sqs.ChangeMessageVisibilityBatchInput{
		QueueUrl: work, Entries: changes,
	}))
	deleted := must(client.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: work, Entries: deletes}))
	successful, changedIds, deletedIds := []string{}, []string{}, []string{}
	for _, each := range sent.Successful {
		successful = append(successful, *each.Id)
	}
	for _, each := range changed.Successful {
		changedIds = append(changedIds, *each.Id)
	}
	for _, each := range deleted.Successful {
		deletedIds = append(deletedIds, *each.Id)
	}
	show("batch", map[string]any{
		"successful": successful, "failed": failures(sent.Failed), "bodies": bodies, "changed": changedIds,
		"unchanged": failures(changed.Failed), "deleted": deletedIds, "undeleted": failures(deleted.Failed),
		"left": left(work),
	})
}

func longPoll(work *string) {
	started := time.Now()
	waiting := make(chan []types.Message)
	go func() { waiting <- receive(&sqs.ReceiveMessageInput{QueueUrl: work, WaitTimeSeconds: 20}) }()
	time.Sleep(200 * time.Millisecond)
	must(client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: work, MessageBody: aws.String("now")}))
	got := <-waiting
	must(client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: work, ReceiptHandle: got[0].ReceiptHandle}))
	show("long poll", map[string]any{"body": *got[0].Body, "early": time.Since(started) < 15*time.Second})
}

func fifoOrder(fifo *string) {
	ids, sequences := []string{}, []string{}
	for _, each := range []string{"g1 a", "g2 a", "g1 b", "g1 a"} {
		sent := must(client.SendMessage(ctx, &sqs.SendMessageInput{
			QueueUrl: fifo, MessageBody: aws.String(each), MessageGroupId: aws.String(each[:2]),
		}))
		ids, sequences = append(ids, *sent.MessageId), append(sequences, *sent.SequenceNumber)
	}
	got := receive(&sqs.ReceiveMessageInput{
		QueueUrl: fifo, MaxNumberOfMessages: 10, ReceiveRequestAttemptId: aws.String("attempt-1"),
		AttributeNames: []types.QueueAttributeName{"All"},
	})
	bodies := []string{}
	for _, each := range got {
		bodies = append(bodies, *each.Body)
	}
	must(client.SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl: fifo, MessageBody: aws.String("g1 c"), MessageGroupId: aws.String("g1"),
		MessageDeduplicationId: aws.String("own"),
	}))
	locked := len(receive(&sqs.ReceiveMessageInput{QueueUrl: fifo}))
	for _, each := range got {
		must(client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: fifo, ReceiptHandle: each.ReceiptHandle}))
	}
	next := receiveOne(&sqs.ReceiveMessageInput{QueueUrl: fifo, AttributeNames: []types.QueueAttributeName{"All"}})
	show("fifo", map[string]any{
		"bodies": bodies, "system": keys(got[0].Attributes), "duplicate": ids[3] == ids[0] && sequences[3] == sequences[0],
		"ascending": sequences[0] < sequences[1] && sequences[1] < sequences[2], "locked": locked,
		"next": []string{*next.Body, next.Attributes["MessageGroupId"], next.Attributes["MessageDeduplicationId"]},
	})
}

func deadLetter() {
	dead := createQueue("dead", nil, nil)
	policy := fmt.Sprintf(`{"deadLetterTargetArn":"%s","maxReceiveCount":1}`, attributesOf(dead)["QueueArn"])
	source := createQueue("source", map[string]string{"RedrivePolicy": policy}, nil)
	sent := must(client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: source, MessageBody: aws.String("poison")}))
	first := receiveOne(&sqs.ReceiveMessageInput{QueueUrl: source, VisibilityTimeout: 100})
	change(source, first.ReceiptHandle, 0)
	again := len(receive(&sqs.ReceiveMessageInput{QueueUrl: source}))
	moved := receiveOne(&sqs.ReceiveMessageInput{QueueUrl: dead, AttributeNames: []types.QueueAttributeName{"All"}})
	change(dead, moved.ReceiptHandle, 0)
	sources := must(client.ListDeadLetterSourceQueues(ctx, &sqs.ListDeadLetterSourceQueuesInput{QueueUrl: dead}))
	show("dead letter", map[string]any{
		"policy": attributesOf(source)["RedrivePolicy"] == policy, "again": again,
		"sameId":   *moved.MessageId == *sent.MessageId,
		"receives": moved.Attributes["ApproximateReceiveCount"], "sources": sources.QueueUrls,
		"source": moved.Attributes["DeadLetterQueueSourceArn"],
	})
}

func moveTasks() {
	dead, source := createQueue("dead", nil, nil), createQueue("source", nil, nil)
	arn := aws.String(attributesOf(dead)["QueueArn"])
	waiting := receiveOne(&sqs.ReceiveMessageInput{QueueUrl: dead, VisibilityTimeout: 100})
	change(dead, waiting.ReceiptHandle, 0)
	must(client.StartMessageMoveTask(ctx, &sqs.StartMessageMoveTaskInput{SourceArn: arn}))
	task := ended(arn)
	back := receiveOne(&sqs.ReceiveMessageInput{
		QueueUrl: source, AttributeNames: []types.QueueAttributeName{"All"}, WaitTimeSeconds: 5,
	})
	show("move", map[string]any{
		"status": *task.Status, "moved": task.ApproximateNumberOfMessagesMoved,
		"toMove": *task.ApproximateNumberOfMessagesToMove, "handle": task.TaskHandle != nil, "back": *back.Body,
		"newId": *back.MessageId != *waiting.MessageId, "receives": back.Attributes["ApproximateReceiveCount"],
	})

	rescued := createQueue("rescued", nil, nil)
	for range 3 {
		must(client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: dead, MessageBody: aws.String("x")}))
	}
	started := must(client.StartMessageMoveTask(ctx, &sqs.StartMessageMoveTaskInput{
		SourceArn: arn, DestinationArn: aws.String(attributesOf(rescued)["QueueArn"]),
		MaxNumberOfMessagesPerSecond: aws.Int32(1),
	}))
	cancel := &sqs.CancelMessageMoveTaskInput{TaskHandle: started.TaskHandle}
	must(client.CancelMessageMoveTask(ctx, cancel))
	task = ended(arn)
	_, over := client.CancelMessageMoveTask(ctx, cancel)
	_, unknown := client.StartMessageMoveTask(ctx, &sqs.StartMessageMoveTaskInput{SourceArn: aws.String(*arn + "-absent")})
	show("cancel", map[string]any{
		"status": *task.Status, "rate": *task.MaxNumberOfMessagesPerSecond, "destination": *task.DestinationArn,
		"kept": visible(dead) + visible(rescued), "unknown": errorName(unknown), "ended": errorName(over),
	})
}

// The newest move task of the queue, once it has come to an end.
func ended(source *string) types.ListMessageMoveTasksResultEntry {
	for range 200 {
		task := must(client.ListMessageMoveTasks(ctx, &sqs.ListMessageMoveTasksInput{SourceArn: source})).Results[0]
		if *task.Status != "RUNNING" && *task.Status != "CANCELLING" {
			return task
		}
		time.Sleep(50 * time.Millisecond)
	}
	fail("a move task does not end", nil)
	return types.ListMessageMoveTasksResultEntry{}
}

func tags(work *string) {
	must(client.TagQueue(ctx, &sqs.TagQueueInput{QueueUrl: work, Tags: map[string]string{"cost": "1", "empty": ""}}))
	must(client.UntagQueue(ctx, &sqs.UntagQueueInput{QueueUrl: work, TagKeys: []string{"cost", "absent"}}))
	show("tags", map[string]any{"tags": must(client.ListQueueTags(ctx, &sqs.ListQueueTagsInput{QueueUrl: work})).Tags})
}

func list() {
	for i := range 5 {
		createQueue("page-"+strconv.Itoa(i), nil, nil)
	}
	names, pageSizes := []string{}, []int{}
	pages := sqs.NewListQueuesPaginator(client, &sqs.ListQueuesInput{
		QueueNamePrefix: aws.String(prefix + "-page-"), MaxResults: aws.Int32(2),
	})
	for pages.HasMorePages() {
		page := must(pages.NextPage(ctx))
		pageSizes = append(pageSizes, len(page.QueueUrls))
		for _, each := range page.QueueUrls {
			names = append(names, each[strings.LastIndex(each, "-")+1:])
		}
	}
	show("list", map[string]any{"names": names, "pages": pageSizes})
}

func permissions(work *string) {
	must(client.AddPermission(ctx, &sqs.AddPermissionInput{
		QueueUrl: work, Label: aws.String("share"), AWSAccountIds: []string{"111122223333"}, Actions: []string{"SendMessage"},
	}))
	var policy struct {
		Statement []struct{ Sid, Action string }
	}
	if err := json.Unmarshal([]byte(attributesOf(work)["Policy"]), &policy); err != nil {
		fail("the policy is no JSON", err)
	}
	must(client.RemovePermission(ctx, &sqs.RemovePermissionInput{QueueUrl: work, Label: aws.String("share")}))
	_, remains := attributesOf(work)["Policy"]
	statement := policy.Statement[0]
	show("permissions", map[string]any{"sid": statement.Sid, "action": statement.Action, "remains": remains})
}

func errorTypes(work *string) {
	entry := func(id string) types.SendMessageBatchRequestEntry {
		return types.SendMessageBatchRequestEntry{Id: aws.String(id), MessageBody: aws.String("x")}
	}
	batch := func(entries ...types.SendMessageBatchRequestEntry) string {
		_, err := client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: work, Entries: entries})
		return errorName(err)
	}
	_, absent := client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: aws.String(prefix + "-absent")})
	_, exists := client.CreateQueue(ctx, &sqs.CreateQueueInput{
		QueueName: aws.String(prefix + "-work"), Attributes: map[string]string{"VisibilityTimeout": "6"},
	})
	_, name := client.CreateQueue(ctx, &sqs.CreateQueueInput{
		QueueName: aws.String(prefix + "-bad"), Attributes: map[string]string{"Nonsense": "6"},
	})
	_, handle := client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: work, ReceiptHandle: aws.String("nonsense")})
	_, contents := client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: work, MessageBody: aws.String("\x01")})
	_, value := client.SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl: work, MessageBody: aws.String("x"), DelaySeconds: 901,
	})
	eleven := []types.SendMessageBatchRequestEntry{}
	for i := range 11 {
		eleven = append(eleven, entry(strconv.Itoa(i)))
	}
	show("errors", map[string]any{
		"absent": errorName(absent), "exists": errorName(exists), "attribute": errorName(name), "handle": errorName(handle),
		"contents": errorName(contents), "empty": batch([]types.SendMessageBatchRequestEntry{}...),
		"many": batch(eleven...), "twice": batch(entry("a"), entry("a")), "id": batch(entry("a b")),
		"value": errorName(value),
	})
}

func purgeAndDelete(work *string) {
	for range 3 {
		must(client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: work, MessageBody: aws.String("x")}))
	}
	before := left(work)
	must(client.PurgeQueue(ctx, &sqs.PurgeQueueInput{QueueUrl: work}))
	after := left(work)
	must(client.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: work}))
	_, gone := client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: work})
	show("purge, delete", map[string]any{"before": before, "after": after, "gone": errorName(gone)})
}

// The name of the SDK's own type for the error, or the code of one it has no type for.
func errorName(err error) string {
	var known smithy.APIError
	if !errors.As(err, &known) {
		fail("an error of the service was expected", err)
	}
	if _, untyped := known.(*smithy.GenericAPIError); untyped {
		return known.ErrorCode()
	}
	return strings.TrimSuffix(reflect.TypeOf(known).Elem().Name(), "Exception")
}

func createQueue(name string, attributes, tags map[string]string) *string {
	return must(client.CreateQueue(ctx, &sqs.CreateQueueInput{
		QueueName: aws.String(prefix + "-" + name), Attributes: attributes, Tags: tags,
	})).QueueUrl
}

func set(url *string, attributes map[string]string) {
	must(client.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: url, Attributes: attributes}))
}

func attributesOf(url *string) map[string]string {
	return must(client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: url, AttributeNames: []types.QueueAttributeName{"All"},
	})).Attributes
}

func visible(url *string) int {
	count, err := strconv.Atoi(attributesOf(url)["ApproximateNumberOfMessages"])
	if err != nil {
		fail("a count is no number", err)
	}
	return count
}

// How many messages are visible, in flight and delayed.
func left(url *string) string {
	all := attributesOf(url)
	return strings.Join([]string{
		all["ApproximateNumberOfMessages"], all["ApproximateNumberOfMessagesNotVisible"],
		all["ApproximateNumberOfMessagesDelayed"],
	}, " ")
}

func change(url, handle *string, seconds int32) {
	must(client.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
		QueueUrl: url, ReceiptHandle: handle, VisibilityTimeout: seconds,
	}))
}

func receive(input *sqs.ReceiveMessageInput) []types.Message {
	return must(client.ReceiveMessage(ctx, input)).Messages
}

func receiveOne(input *sqs.ReceiveMessageInput) types.Message {
	got := receive(input)
	if len(got) != 1 {
		fail("one message was expected", fmt.Errorf("%d came", len(got)))
	}
	return got[0]
}

func failures(entries []types.BatchResultErrorEntry) []string {
	all := []string{}
	for _, each := range entries {
		all = append(all, fmt.Sprintf("%s %s %t", *each.Id, *each.Code, each.SenderFault))
	}
	return all
}

func keys[Value any](all map[string]Value) []string {
	names := []string{}
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func pick(all map[string]string, names ...string) map[string]string {
	picked := map[string]string{}
	for _, name := range names {
		if value, there := all[name]; there {
			picked[name] = value
		}
	}
	return picked
}

func show(step string, fields map[string]any) {
	fields["step"] = step
	line, err := json.Marshal(fields)
	if err != nil {
		fail("cannot print", err)
	}
	fmt.Println(string(line))
}

func must[Value any](value Value, err error) Value {
	if err != nil {
		fail("a call failed", err)
	}
	return value
}

func fail(what string, err error) {
	fmt.Fprintf(os.Stderr, "%s: %v\n", what, err)
	os.Exit(1)
}
