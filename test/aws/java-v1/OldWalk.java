// The walk of ../java with the AWS SDK for Java v1, of the days of AWS Query: it posts forms to the queue's own URL and
// reads XML. Arguments: the broker's endpoint and a prefix for its queues. Prints one line of JSON a step, which ../walk.ts
// compares; ends with the reason if a call fails that should not. The SDK checks the digests by itself.
import com.amazonaws.auth.EnvironmentVariableCredentialsProvider;
import com.amazonaws.client.builder.AwsClientBuilder.EndpointConfiguration;
import com.amazonaws.services.sqs.AmazonSQS;
import com.amazonaws.services.sqs.AmazonSQSClientBuilder;
import com.amazonaws.services.sqs.model.*;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.function.IntFunction;
import java.util.stream.IntStream;

public final class OldWalk {
  private static final String BODY = "quote \" & <tag> \r\n \u2603 \ud83d\ude00";
  private static final String TRACE =
      "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
  private static final ObjectMapper JSON = new ObjectMapper();

  private final AmazonSQS client;
  private final String prefix;

  private OldWalk(AmazonSQS client, String prefix) {
    this.client = client;
    this.prefix = prefix;
  }

  public static void main(String[] args) throws Exception {
    AmazonSQS client =
        AmazonSQSClientBuilder.standard()
            .withEndpointConfiguration(new EndpointConfiguration(args[0], "eu-central-1"))
            .withCredentials(new EnvironmentVariableCredentialsProvider())
            .build();
    new OldWalk(client, args[1]).walk();
    client.shutdown();
  }

  private void walk() throws Exception {
    var visibility = Map.of("VisibilityTimeout", "0");
    String work = createQueue("work", visibility, Map.of("team", "a"));
    String fifo =
        createQueue("work.fifo", Map.of("FifoQueue", "true", "ContentBasedDeduplication", "true"), Map.of());
    String found = client.getQueueUrl(prefix + "-work").getQueueUrl();
    String again = createQueue("work", visibility, Map.of());
    show("create", "url", work, "fifoUrl", fifo, "same", found.equals(work) && again.equals(work));
    attributes(work, fifo);
    messages(work);
    batches(work);
    longPoll(work);
    fifoOrder(fifo);
    deadLetter();
    moveTasks();
    tags(work);
    list();
    permissions(work);
    errorTypes(work);
    purgeAndDelete(work);
  }

  private void attributes(String work, String fifo) {
    client.setQueueAttributes(work, Map.of("MaximumMessageSize", "2048", "DelaySeconds", "0"));
    var plain = attributesOf(work);
    var ordered = attributesOf(fifo);
    show(
        "attributes", "arn", plain.get("QueueArn"),
        "plain", pick(plain, "VisibilityTimeout", "MaximumMessageSize", "MessageRetentionPeriod", "FifoQueue"),
        "fifo", pick(ordered, "FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"));
  }

  private void messages(String work) {
    var sent =
        client.sendMessage(
            new SendMessageRequest(work, BODY)
                .addMessageAttributesEntry("color", text("String", "a<b"))
                .addMessageAttributesEntry("count", text("Number", "42"))
                .addMessageAttributesEntry("blob", bytes("Binary", new byte[] {0, 1, -1}))
                .addMessageAttributesEntry("instant", text("Number.java.lang.Long", "1493147359900"))
                .addMessageAttributesEntry("document", bytes("Binary.pdf", "%PDF".getBytes()))
                .addMessageSystemAttributesEntry(
                    "AWSTraceHeader",
                    new MessageSystemAttributeValue().withDataType("String").withStringValue(TRACE)));
    show(
        "send", "body", sent.getMD5OfMessageBody(), "attributes", sent.getMD5OfMessageAttributes(),
        "system", sent.getMD5OfMessageSystemAttributes(), "sequence", sent.getSequenceNumber() != null);
    Message bare = receiveOne(from(work));
    Message some = receiveOne(from(work).withMessageAttributeNames("co.*", "absent"));
    Message all = receiveOne(from(work).withMessageAttributeNames("All").withAttributeNames("All"));
    var blob = new ArrayList<Integer>();
    for (byte each : all.getMessageAttributes().get("blob").getBinaryValue().array()) blob.add(each & 255);
    show(
        "receive", "sameId", all.getMessageId().equals(sent.getMessageId()), "sameBody", all.getBody().equals(BODY),
        "bare", sorted(bare.getMessageAttributes()), "bareSystem", sorted(bare.getAttributes()),
        "some", sorted(some.getMessageAttributes()), "someDigest", some.getMD5OfMessageAttributes(),
        "all", sorted(all.getMessageAttributes()), "allDigest", all.getMD5OfMessageAttributes(),
        "system", sorted(all.getAttributes()), "trace", all.getAttributes().get("AWSTraceHeader"),
        "blob", blob, "type", all.getMessageAttributes().get("instant").getDataType(),
        "receives", all.getAttributes().get("ApproximateReceiveCount"));
    Message held = receiveOne(from(work).withVisibilityTimeout(100));
    int hidden = receive(from(work)).size();
    client.changeMessageVisibility(work, held.getReceiptHandle(), 0);
    Message next = receiveOne(from(work).withVisibilityTimeout(100));
    client.deleteMessage(work, next.getReceiptHandle());
    show(
        "visibility", "hidden", hidden, "again", next.getMessageId().equals(sent.getMessageId()),
        "left", left(work));
  }

  private void batches(String work) {
    var sent =
        client.sendMessageBatch(
            work,
            List.of(
                new SendMessageBatchRequestEntry("a", "1"),
                new SendMessageBatchRequestEntry("b", "\u0000"),
                new SendMessageBatchRequestEntry("c", "3")
                    .addMessageAttributesEntry("color", text("String", "red"))));
    var got = receive(from(work).withMaxNumberOfMessages(10).withVisibilityTimeout(100));
    var changes = new ArrayList<ChangeMessageVisibilityBatchRequestEntry>();
    var deletes = new ArrayList<DeleteMessageBatchRequestEntry>();
    changes.add(new ChangeMessageVisibilityBatchRequestEntry("bad", "nonsense").withVisibilityTimeout(0));
    for (int i = 0; i < got.size(); i++) {
      String id = Integer.toString(i);
      String handle = got.get(i).getReceiptHandle();
      changes.add(new ChangeMessageVisibilityBatchRequestEntry(id, handle).withVisibilityTimeout(60));
      deletes.add(new DeleteMessageBatchRequestEntry(id, handle));
    }
    var changed = client.changeMessageVisibilityBatch(work, changes);
    var deleted = client.deleteMessageBatch(work, deletes);
    show(
        "batch", "successful", sent.getSuccessful().stream().map(SendMessageBatchResultEntry::getId).toList(),
        "failed", failures(sent.getFailed()), "bodies", bodies(got),
        "changed",
        changed.getSuccessful().stream().map(ChangeMessageVisibilityBatchResultEntry::getId).toList(),
        "unchanged", failures(changed.getFailed()),
        "deleted", deleted.getSuccessful().stream().map(DeleteMessageBatchResultEntry::getId).toList(),
        "undeleted", failures(deleted.getFailed()), "left", left(work));
  }

  private void longPoll(String work) throws Exception {
    long started = System.nanoTime();
    var waiting = CompletableFuture.supplyAsync(() -> receive(from(work).withWaitTimeSeconds(20)));
    Thread.sleep(200);
    client.sendMessage(work, "now");
    Message got = waiting.get().get(0);
    client.deleteMessage(work, got.getReceiptHandle());
    show("long poll", "body", got.getBody(), "early", System.nanoTime() - started < 15_000_000_000L);
  }

  private void fifoOrder(String fifo) {
    var ids = new ArrayList<String>();
    var sequences = new ArrayList<String>();
    for (String each : List.of("g1 a", "g2 a", "g1 b", "g1 a")) {
      var sent =
          client.sendMessage(new SendMessageRequest(fifo, each).withMessageGroupId(each.substring(0, 2)));
      ids.add(sent.getMessageId());
      sequences.add(sent.getSequenceNumber());
    }
    var first = from(fifo).withMaxNumberOfMessages(10).withReceiveRequestAttemptId("attempt-1");
    var got = receive(first.withAttributeNames("All"));
    client.sendMessage(
        new SendMessageRequest(fifo, "g1 c").withMessageGroupId("g1").withMessageDeduplicationId("own"));
    int locked = receive(from(fifo)).size();
    for (Message each : got) client.deleteMessage(fifo, each.getReceiptHandle());
    Message next = receiveOne(from(fifo).withAttributeNames("All"));
    var named = next.getAttributes();
    show(
        "fifo", "bodies", bodies(got), "system", sorted(got.get(0).getAttributes()),
        "duplicate", ids.get(3).equals(ids.get(0)) && sequences.get(3).equals(sequences.get(0)),
        "ascending",
        sequences.get(0).compareTo(sequences.get(1)) < 0 && sequences.get(1).compareTo(sequences.get(2)) < 0,
        "locked", locked,
        "next", List.of(next.getBody(), named.get("MessageGroupId"), named.get("MessageDeduplicationId")));
  }

  private void deadLetter() {
    String dead = createQueue("dead", Map.of(), Map.of());
    String policy =
        "{\"deadLetterTargetArn\":\"" + attributesOf(dead).get("QueueArn") + "\",\"maxReceiveCount\":1}";
    String source = createQueue("source", Map.of("RedrivePolicy", policy), Map.of());
    var sent = client.sendMessage(source, "poison");
    Message first = receiveOne(from(source).withVisibilityTimeout(100));
    client.changeMessageVisibility(source, first.getReceiptHandle(), 0);
    int again = receive(from(source)).size();
    Message moved = receiveOne(from(dead).withAttributeNames("All"));
    client.changeMessageVisibility(dead, moved.getReceiptHandle(), 0);
    var sources =
        client.listDeadLetterSourceQueues(new ListDeadLetterSourceQueuesRequest().withQueueUrl(dead)).getQueueUrls();
    show(
        "dead letter", "policy", attributesOf(source).get("RedrivePolicy").equals(policy), "again", again,
        "sameId", moved.getMessageId().equals(sent.getMessageId()),
        "receives", moved.getAttributes().get("ApproximateReceiveCount"), "sources", sources,
        "source", moved.getAttributes().get("DeadLetterQueueSourceArn"));
  }

  private void moveTasks() throws Exception {
    String dead = createQueue("dead", Map.of(), Map.of());
    String source = createQueue("source", Map.of(), Map.of());
    String arn = attributesOf(dead).get("QueueArn");
    Message waiting = receiveOne(from(dead).withVisibilityTimeout(100));
    client.changeMessageVisibility(dead, waiting.getReceiptHandle(), 0);
    client.startMessageMoveTask(new StartMessageMoveTaskRequest().withSourceArn(arn));
    var task = ended(arn);
    Message back = receiveOne(from(source).withAttributeNames("All").withWaitTimeSeconds(5));
    show(
        "move", "status", task.getStatus(), "moved", task.getApproximateNumberOfMessagesMoved(),
        "toMove", task.getApproximateNumberOfMessagesToMove(), "handle", task.getTaskHandle() != null,
        "back", back.getBody(), "newId", !back.getMessageId().equals(waiting.getMessageId()),
        "receives", back.getAttributes().get("ApproximateReceiveCount"));

    String rescued = createQueue("rescued", Map.of(), Map.of());
    for (int i = 0; i < 3; i++) client.sendMessage(dead, "x");
    var start = new StartMessageMoveTaskRequest().withSourceArn(arn).withMaxNumberOfMessagesPerSecond(1);
    start.setDestinationArn(attributesOf(rescued).get("QueueArn"));
    var cancel =
        new CancelMessageMoveTaskRequest().withTaskHandle(client.startMessageMoveTask(start).getTaskHandle());
    client.cancelMessageMoveTask(cancel);
    task = ended(arn);
    var unknown = new StartMessageMoveTaskRequest().withSourceArn(arn + "-absent");
    show(
        "cancel", "status", task.getStatus(), "rate", task.getMaxNumberOfMessagesPerSecond(),
        "destination", task.getDestinationArn(), "kept", visible(dead) + visible(rescued),
        "unknown", errorName(() -> client.startMessageMoveTask(unknown)),
        "ended", errorName(() -> client.cancelMessageMoveTask(cancel)));
  }

  /** The newest move task of the queue, once it has come to an end. */
  private ListMessageMoveTasksResultEntry ended(String sourceArn) throws Exception {
    for (int i = 0; i < 200; i++) {
      var list = new ListMessageMoveTasksRequest().withSourceArn(sourceArn);
      var task = client.listMessageMoveTasks(list).getResults().get(0);
      if (!List.of("RUNNING", "CANCELLING").contains(task.getStatus())) return task;
      Thread.sleep(50);
    }
    throw new IllegalStateException("a move task does not end");
  }

  private void tags(String work) {
    client.tagQueue(work, Map.of("cost", "1", "empty", ""));
    client.untagQueue(work, List.of("cost", "absent"));
    show("tags", "tags", client.listQueueTags(work).getTags());
  }

  private void list() {
    for (int i = 0; i < 5; i++) createQueue("page-" + i, Map.of(), Map.of());
    var names = new ArrayList<String>();
    var pages = new ArrayList<Integer>();
    var request = new ListQueuesRequest(prefix + "-page-").withMaxResults(2);
    ListQueuesResult page;
    do {
      page = client.listQueues(request);
      pages.add(page.getQueueUrls().size());
      for (String url : page.getQueueUrls()) names.add(url.substring(url.lastIndexOf('-') + 1));
      request.setNextToken(page.getNextToken());
    } while (page.getNextToken() != null);
    show("list", "names", names, "pages", pages);
  }

  private void permissions(String work) throws Exception {
    client.addPermission(work, "share", List.of("111122223333"), List.of("SendMessage"));
    var statement = JSON.readTree(attributesOf(work).get("Policy")).path("Statement").path(0);
    client.removePermission(work, "share");
    show(
        "permissions", "sid", statement.path("Sid").asText(), "action", statement.path("Action").asText(),
        "remains", attributesOf(work).containsKey("Policy"));
  }

  private void errorTypes(String work) {
    IntFunction<SendMessageBatchRequestEntry> numbered = i -> new SendMessageBatchRequestEntry("" + i, "x");
    var twice = new SendMessageBatchRequestEntry("a", "x");
    show(
        "errors",
        "absent", errorName(() -> client.getQueueUrl(prefix + "-absent")),
        "exists", errorName(() -> createQueue("work", Map.of("VisibilityTimeout", "6"), Map.of())),
        "attribute", errorName(() -> createQueue("bad", Map.of("Nonsense", "6"), Map.of())),
        "handle", errorName(() -> client.deleteMessage(work, "nonsense")),
        "contents", errorName(() -> client.sendMessage(work, "\u0001")),
        "empty", errorName(() -> client.sendMessageBatch(work, List.of())),
        "many", errorName(() -> client.sendMessageBatch(work, IntStream.range(0, 11).mapToObj(numbered).toList())),
        "twice", errorName(() -> client.sendMessageBatch(work, List.of(twice, twice))),
        "id", errorName(() -> client.sendMessageBatch(work, List.of(new SendMessageBatchRequestEntry("a b", "x")))),
        "value", errorName(() -> client.sendMessage(new SendMessageRequest(work, "x").withDelaySeconds(901))));
  }

  private void purgeAndDelete(String work) {
    for (int i = 0; i < 3; i++) client.sendMessage(work, "x");
    String before = left(work);
    client.purgeQueue(new PurgeQueueRequest(work));
    String after = left(work);
    client.deleteQueue(work);
    show("purge, delete", "before", before, "after", after, "gone", errorName(() -> attributesOf(work)));
  }

  /** The name of the SDK's own type for the error, or the code of one it has no type for. */
  private static String errorName(Runnable call) {
    try {
      call.run();
    } catch (AmazonSQSException error) {
      return error.getClass() == AmazonSQSException.class
          ? error.getErrorCode()
          : error.getClass().getSimpleName().replaceFirst("Exception$", "");
    }
    throw new IllegalStateException("an error of the service was expected");
  }

  private String createQueue(String name, Map<String, String> attributes, Map<String, String> tags) {
    var request = new CreateQueueRequest(prefix + "-" + name).withAttributes(attributes).withTags(tags);
    return client.createQueue(request).getQueueUrl();
  }

  private Map<String, String> attributesOf(String url) {
    return client.getQueueAttributes(url, List.of("All")).getAttributes();
  }

  private int visible(String url) {
    return Integer.parseInt(attributesOf(url).get("ApproximateNumberOfMessages"));
  }

  /** How many messages are visible, in flight and delayed. */
  private String left(String url) {
    var all = attributesOf(url);
    return all.get("ApproximateNumberOfMessages")
        + " " + all.get("ApproximateNumberOfMessagesNotVisible")
        + " " + all.get("ApproximateNumberOfMessagesDelayed");
  }

  private static ReceiveMessageRequest from(String url) {
    return new ReceiveMessageRequest(url);
  }

  private List<Message> receive(ReceiveMessageRequest request) {
    return client.receiveMessage(request).getMessages();
  }

  private Message receiveOne(ReceiveMessageRequest request) {
    var got = receive(request);
    if (got.size() != 1) throw new IllegalStateException("one message was expected, " + got.size() + " came");
    return got.get(0);
  }

  private static MessageAttributeValue text(String type, String value) {
    return new MessageAttributeValue().withDataType(type).withStringValue(value);
  }

  private static MessageAttributeValue bytes(String type, byte[] value) {
    return new MessageAttributeValue().withDataType(type).withBinaryValue(ByteBuffer.wrap(value));
  }

  private static List<String> bodies(List<Message> messages) {
    return messages.stream().map(Message::getBody).toList();
  }

  private static List<String> failures(List<BatchResultErrorEntry> entries) {
    return entries.stream().map(each -> each.getId() + " " + each.getCode() + " " + each.getSenderFault()).toList();
  }

  private static List<String> sorted(Map<String, ?> all) {
    return List.copyOf(new TreeSet<>(all.keySet()));
  }

  private static Map<String, String> pick(Map<String, String> all, String... names) {
    var picked = new LinkedHashMap<String, String>();
    for (String name : names) if (all.containsKey(name)) picked.put(name, all.get(name));
    return picked;
  }

  /** Prints a step; `fields` are names and values in turn. */
  private static void show(String step, Object... fields) {
    var line = new LinkedHashMap<String, Object>();
    line.put("step", step);
    for (int i = 0; i < fields.length; i += 2) line.put((String) fields[i], fields[i + 1]);
    System.out.println(JSON.valueToTree(line).toString());
  }
}
