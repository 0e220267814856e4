// One walk over the API with the AWS SDK for Java v2. Arguments: the broker's endpoint and a prefix for its queues.
// Prints one line of JSON a step, which ../walk.ts compares; ends with the reason if a call fails that should not.
// The SDK checks the digests of bodies and of message attributes by itself.
import java.net.URI;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import software.amazon.awssdk.auth.credentials.EnvironmentVariableCredentialsProvider;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.protocols.jsoncore.JsonNode;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.sqs.SqsClient;
import software.amazon.awssdk.services.sqs.model.BatchResultErrorEntry;
import software.amazon.awssdk.services.sqs.model.ChangeMessageVisibilityBatchRequestEntry;
import software.amazon.awssdk.services.sqs.model.ChangeMessageVisibilityBatchResultEntry;
import software.amazon.awssdk.services.sqs.model.DeleteMessageBatchRequestEntry;
import software.amazon.awssdk.services.sqs.model.DeleteMessageBatchResultEntry;
import software.amazon.awssdk.services.sqs.model.ListMessageMoveTasksResultEntry;
import software.amazon.awssdk.services.sqs.model.ListQueuesResponse;
import software.amazon.awssdk.services.sqs.model.Message;
import software.amazon.awssdk.services.sqs.model.MessageAttributeValue;
import software.amazon.awssdk.services.sqs.model.MessageSystemAttributeName;
import software.amazon.awssdk.services.sqs.model.MessageSystemAttributeNameForSends;
import software.amazon.awssdk.services.sqs.model.MessageSystemAttributeValue;
import software.amazon.awssdk.services.sqs.model.QueueAttributeName;
import software.amazon.awssdk.services.sqs.model.ReceiveMessageRequest;
import software.amazon.awssdk.services.sqs.model.SendMessageBatchRequestEntry;
import software.amazon.awssdk.services.sqs.model.SendMessageBatchResultEntry;
import software.amazon.awssdk.services.sqs.model.SqsException;

public final class Walk {
  private static final String BODY = "quote \" & <tag> \r\n \u2603 \ud83d\ude00";
  private static final String TRACE =
      "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

  private final SqsClient client;
  private final String prefix;

  private Walk(SqsClient client, String prefix) {
    this.client = client;
    this.prefix = prefix;
  }

  public static void main(String[] args) throws Exception {
    try (SqsClient client =
        SqsClient.builder()
            .endpointOverride(URI.create(args[0]))
            .region(Region.EU_CENTRAL_1)
            .credentialsProvider(EnvironmentVariableCredentialsProvider.create())
            .httpClient(UrlConnectionHttpClient.create())
            .build()) {
      new Walk(client, args[1]).walk();
    }
  }

  private void walk() throws Exception {
    var visibility = Map.of("VisibilityTimeout", "0");
    String work = createQueue("work", visibility, Map.of("team", "a"));
    String fifo =
        createQueue("work.fifo", Map.of("FifoQueue", "true", "ContentBasedDeduplication", "true"), Map.of());
    String found = client.getQueueUrl(request -> request.queueName(prefix + "-work")).queueUrl();
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
    client.setQueueAttributes(
        request ->
            request.queueUrl(work).attributesWithStrings(Map.of("MaximumMessageSize", "2048", "DelaySeconds", "0")));
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
            request ->
                request
                    .queueUrl(work)
                    .messageBody(BODY)
                    .messageAttributes(
                        Map.of(
                            "color", text("String", "a<b"),
                            "count", text("Number", "42"),
                            "blob", bytes("Binary", new byte[] {0, 1, -1}),
                            "instant", text("Number.java.lang.Long", "1493147359900"),
                            "document", bytes("Binary.pdf", "%PDF".getBytes())))
                    .messageSystemAttributes(
                        Map.of(
                            MessageSystemAttributeNameForSends.AWS_TRACE_HEADER,
                            MessageSystemAttributeValue.builder().dataType("String").stringValue(TRACE).build())));
    show(
        "send", "body", sent.md5OfMessageBody(), "attributes", sent.md5OfMessageAttributes(),
        "system", sent.md5OfMessageSystemAttributes(), "sequence", sent.sequenceNumber() != null);
    Message bare = receiveOne(work, request -> {});
    Message some = receiveOne(work, request -> request.messageAttributeNames("co.*", "absent"));
    Message all =
        receiveOne(
            work,
            request ->
                request.messageAttributeNames("All").messageSystemAttributeNames(MessageSystemAttributeName.ALL));
    var blob = new ArrayList<Integer>();
    for (byte each : all.messageAttributes().get("blob").binaryValue().asByteArray()) blob.add(each & 255);
    show(
        "receive", "sameId", all.messageId().equals(sent.messageId()), "sameBody", all.body().equals(BODY),
        "bare", sorted(bare.messageAttributes()), "bareSystem", sorted(bare.attributesAsStrings()),
        "some", sorted(some.messageAttributes()), "someDigest", some.md5OfMessageAttributes(),
        "all", sorted(all.messageAttributes()), "allDigest", all.md5OfMessageAttributes(),
        "system", sorted(all.attributesAsStrings()), "trace", all.attributesAsStrings().get("AWSTraceHeader"),
        "blob", blob, "type", all.messageAttributes().get("instant").dataType(),
        "receives", all.attributesAsStrings().get("ApproximateReceiveCount"));
    Message held = receiveOne(work, request -> request.visibilityTimeout(100));
    int hidden = receive(work, request -> {}).size();
    change(work, held.receiptHandle(), 0);
    Message next = receiveOne(work, request -> request.visibilityTimeout(100));
    delete(work, next);
    show("visibility", "hidden", hidden, "again", next.messageId().equals(sent.messageId()), "left", left(work));
  }

  private void batches(String work) {
    var sent =
        client.sendMessageBatch(
            request ->
                request
                    .queueUrl(work)
                    .entries(
                        entry("a", "1"),
                        entry("b", "\u0000"),
                        entry("c", "3").toBuilder().messageAttributes(Map.of("color", text("String", "red"))).build()));
    var got = receive(work, request -> request.maxNumberOfMessages(10).visibilityTimeout(100));
    var changes = new ArrayList<ChangeMessageVisibilityBatchRequestEntry>();
    var deletes = new ArrayList<DeleteMessageBatchRequestEntry>();
    changes.add(
        ChangeMessageVisibilityBatchRequestEntry.builder()
            .id("bad").receiptHandle("nonsense").visibilityTimeout(0).build());
    for (int i = 0; i < got.size(); i++) {
      String id = Integer.toString(i);
      String handle = got.get(i).receiptHandle();
      changes.add(
          ChangeMessageVisibilityBatchRequestEntry.builder()
              .id(id).receiptHandle(handle).visibilityTimeout(60).build());
      deletes.add(DeleteMessageBatchRequestEntry.builder().id(id).receiptHandle(handle).build());
    }
    var changed = client.changeMessageVisibilityBatch(request -> request.queueUrl(work).entries(changes));
    var deleted = client.deleteMessageBatch(request -> request.queueUrl(work).entries(deletes));
    show(
        "batch", "successful", sent.successful().stream().map(SendMessageBatchResultEntry::id).toList(),
        "failed", failures(sent.failed()), "bodies", bodies(got),
        "changed", changed.successful().stream().map(ChangeMessageVisibilityBatchResultEntry::id).toList(),
        "unchanged", failures(changed.failed()),
        "deleted", deleted.successful().stream().map(DeleteMessageBatchResultEntry::id).toList(),
        "undeleted", failures(deleted.failed()), "left", left(work));
  }

  private void longPoll(String work) throws Exception {
    long started = System.nanoTime();
    var waiting = CompletableFuture.supplyAsync(() -> receive(work, request -> request.waitTimeSeconds(20)));
    Thread.sleep(200);
    client.sendMessage(request -> request.queueUrl(work).messageBody("now"));
    Message got = waiting.get().get(0);
    delete(work, got);
    show("long poll", "body", got.body(), "early", System.nanoTime() - started < 15_000_000_000L);
  }

  private void fifoOrder(String fifo) {
    var ids = new ArrayList<String>();
    var sequences = new ArrayList<String>();
    for (String each : List.of("g1 a", "g2 a", "g1 b", "g1 a")) {
      var sent =
          client.sendMessage(
              request -> request.queueUrl(fifo).messageBody(each).messageGroupId(each.substring(0, 2)));
      ids.add(sent.messageId());
      sequences.add(sent.sequenceNumber());
    }
    Consumer<ReceiveMessageRequest.Builder> system =
        request -> request.messageSystemAttributeNames(MessageSystemAttributeName.ALL);
    var got =
        receive(
            fifo, system.andThen(request -> request.maxNumberOfMessages(10).receiveRequestAttemptId("attempt-1")));
    client.sendMessage(
        request ->
            request.queueUrl(fifo).messageBody("g1 c").messageGroupId("g1").messageDeduplicationId("own"));
    int locked = receive(fifo, request -> {}).size();
    for (Message each : got) delete(fifo, each);
    Message next = receiveOne(fifo, system);
    var named = next.attributesAsStrings();
    show(
        "fifo", "bodies", bodies(got), "system", sorted(got.get(0).attributesAsStrings()),
        "duplicate", ids.get(3).equals(ids.get(0)) && sequences.get(3).equals(sequences.get(0)),
        "ascending",
        sequences.get(0).compareTo(sequences.get(1)) < 0 && sequences.get(1).compareTo(sequences.get(2)) < 0,
        "locked", locked,
        "next", List.of(next.body(), named.get("MessageGroupId"), named.get("MessageDeduplicationId")));
  }

  private void deadLetter() {
    String dead = createQueue("dead", Map.of(), Map.of());
    String policy =
        "{\"deadLetterTargetArn\":\"" + attributesOf(dead).get("QueueArn") + "\",\"maxReceiveCount\":1}";
    String source = createQueue("source", Map.of("RedrivePolicy", policy), Map.of());
    var sent = client.sendMessage(request -> request.queueUrl(source).messageBody("poison"));
    Message first = receiveOne(source, request -> request.visibilityTimeout(100));
    change(source, first.receiptHandle(), 0);
    int again = receive(source, request -> {}).size();
    Message moved = receiveOne(dead, request -> request.messageSystemAttributeNames(MessageSystemAttributeName.ALL));
    change(dead, moved.receiptHandle(), 0);
    var sources = client.listDeadLetterSourceQueues(request -> request.queueUrl(dead)).queueUrls();
    show(
        "dead letter", "policy", attributesOf(source).get("RedrivePolicy").equals(policy), "again", again,
        "sameId", moved.messageId().equals(sent.messageId()),
        "receives", moved.attributesAsStrings().get("ApproximateReceiveCount"), "sources", sources,
        "source", moved.attributesAsStrings().get("DeadLetterQueueSourceArn"));
  }

  private void moveTasks() throws Exception {
    String dead = createQueue("dead", Map.of(), Map.of());
    String source = createQueue("source", Map.of(), Map.of());
    String arn = attributesOf(dead).get("QueueArn");
    Message waiting = receiveOne(dead, request -> request.visibilityTimeout(100));
    change(dead, waiting.receiptHandle(), 0);
    client.startMessageMoveTask(request -> request.sourceArn(arn));
    var task = ended(arn);
    Message back =
        receiveOne(
            source,
            request -> request.messageSystemAttributeNames(MessageSystemAttributeName.ALL).waitTimeSeconds(5));
    show(
        "move", "status", task.status(), "moved", task.approximateNumberOfMessagesMoved(),
        "toMove", task.approximateNumberOfMessagesToMove(), "handle", task.taskHandle() != null, "back", back.body(),
        "newId", !back.messageId().equals(waiting.messageId()),
        "receives", back.attributesAsStrings().get("ApproximateReceiveCount"));

    String rescued = createQueue("rescued", Map.of(), Map.of());
    String destination = attributesOf(rescued).get("QueueArn");
    for (int i = 0; i < 3; i++) client.sendMessage(request -> request.queueUrl(dead).messageBody("x"));
    String handle =
        client
            .startMessageMoveTask(
                request -> request.sourceArn(arn).destinationArn(destination).maxNumberOfMessagesPerSecond(1))
            .taskHandle();
    client.cancelMessageMoveTask(request -> request.taskHandle(handle));
    task = ended(arn);
    show(
        "cancel", "status", task.status(), "rate", task.maxNumberOfMessagesPerSecond(),
        "destination", task.destinationArn(), "kept", visible(dead) + visible(rescued),
        "unknown", errorName(() -> client.startMessageMoveTask(request -> request.sourceArn(arn + "-absent"))),
        "ended", errorName(() -> client.cancelMessageMoveTask(request -> request.taskHandle(handle))));
  }

  /** The newest move task of the queue, once it has come to an end. */
  private ListMessageMoveTasksResultEntry ended(String sourceArn) throws Exception {
    for (int i = 0; i < 200; i++) {
      var task = client.listMessageMoveTasks(request -> request.sourceArn(sourceArn)).results().get(0);
      if (!List.of("RUNNING", "CANCELLING").contains(task.status())) return task;
      Thread.sleep(50);
    }
    throw new IllegalStateException("a move task does not end");
  }

  private void tags(String work) {
    client.tagQueue(request -> request.queueUrl(work).tags(Map.of("cost", "1", "empty", "")));
    client.untagQueue(request -> request.queueUrl(work).tagKeys("cost", "absent"));
    show("tags", "tags", client.listQueueTags(request -> request.queueUrl(work)).tags());
  }

  private void list() {
    for (int i = 0; i < 5; i++) createQueue("page-" + i, Map.of(), Map.of());
    var names = new ArrayList<String>();
    var pages = new ArrayList<Integer>();
    var all = client.listQueuesPaginator(request -> request.queueNamePrefix(prefix + "-page-").maxResults(2));
    for (ListQueuesResponse page : all) {
      pages.add(page.queueUrls().size());
      for (String url : page.queueUrls()) names.add(url.substring(url.lastIndexOf('-') + 1));
    }
    show("list", "names", names, "pages", pages);
  }

  private void permissions(String work) {
    client.addPermission(
        request -> request.queueUrl(work).label("share").awsAccountIds("111122223333").actions("SendMessage"));
    JsonNode policy = JsonNode.parser().parse(attributesOf(work).get("Policy"));
    var statement = policy.field("Statement").orElseThrow().asArray().get(0).asObject();
    client.removePermission(request -> request.queueUrl(work).label("share"));
    show(
        "permissions", "sid", statement.get("Sid").asString(), "action", statement.get("Action").asString(),
        "remains", attributesOf(work).containsKey("Policy"));
  }

  private void errorTypes(String work) {
    var eleven = IntStream.range(0, 11).mapToObj(i -> entry(Integer.toString(i), "x")).toList();
    show(
        "errors",
        "absent", errorName(() -> client.getQueueUrl(request -> request.queueName(prefix + "-absent"))),
        "exists", errorName(() -> createQueue("work", Map.of("VisibilityTimeout", "6"), Map.of())),
        "attribute", errorName(() -> createQueue("bad", Map.of("Nonsense", "6"), Map.of())),
        "handle",
        errorName(() -> client.deleteMessage(request -> request.queueUrl(work).receiptHandle("nonsense"))),
        "contents", errorName(() -> client.sendMessage(request -> request.queueUrl(work).messageBody("\u0001"))),
        "empty", batchError(work, List.of()),
        "many", batchError(work, eleven),
        "twice", batchError(work, List.of(entry("a", "x"), entry("a", "x"))),
        "id", batchError(work, List.of(entry("a b", "x"))),
        "value",
        errorName(() -> client.sendMessage(request -> request.queueUrl(work).messageBody("x").delaySeconds(901))));
  }

  private void purgeAndDelete(String work) {
    for (int i = 0; i < 3; i++) client.sendMessage(request -> request.queueUrl(work).messageBody("x"));
    String before = left(work);
    client.purgeQueue(request -> request.queueUrl(work));
    String after = left(work);
    client.deleteQueue(request -> request.queueUrl(work));
    show("purge, delete", "before", before, "after", after, "gone", errorName(() -> attributesOf(work)));
  }

  private String batchError(String url, List<SendMessageBatchRequestEntry> entries) {
    return errorName(() -> client.sendMessageBatch(request -> request.queueUrl(url).entries(entries)));
  }

  /** The name of the SDK's own type for the error, or the code of one it has no type for. */
  private static String errorName(Runnable call) {
    try {
      call.run();
    } catch (SqsException error) {
      return error.getClass() == SqsException.class
          ? error.awsErrorDetails().errorCode()
          : error.getClass().getSimpleName().replaceFirst("Exception$", "");
    }
    throw new IllegalStateException("an error of the service was expected");
  }

  private String createQueue(String name, Map<String, String> attributes, Map<String, String> tags) {
    return client
        .createQueue(
            request -> request.queueName(prefix + "-" + name).attributesWithStrings(attributes).tags(tags))
        .queueUrl();
  }

  private Map<String, String> attributesOf(String url) {
    return client
        .getQueueAttributes(request -> request.queueUrl(url).attributeNames(QueueAttributeName.ALL))
        .attributesAsStrings();
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

  private List<Message> receive(String url, Consumer<ReceiveMessageRequest.Builder> options) {
    return client.receiveMessage(options.andThen(request -> request.queueUrl(url))).messages();
  }

  private Message receiveOne(String url, Consumer<ReceiveMessageRequest.Builder> options) {
    var got = receive(url, options);
    if (got.size() != 1) throw new IllegalStateException("one message was expected, " + got.size() + " came");
    return got.get(0);
  }

  private void change(String url, String handle, int seconds) {
    client.changeMessageVisibility(
        request -> request.queueUrl(url).receiptHandle(handle).visibilityTimeout(seconds));
  }

  private void delete(String url, Message message) {
    client.deleteMessage(request -> request.queueUrl(url).receiptHandle(message.receiptHandle()));
  }

  private static MessageAttributeValue text(String type, String value) {
    return MessageAttributeValue.builder().dataType(type).stringValue(value).build();
  }

  private static MessageAttributeValue bytes(String type, byte[] value) {
    return MessageAttributeValue.builder().dataType(type).binaryValue(SdkBytes.fromByteArray(value)).build();
  }

  private static SendMessageBatchRequestEntry entry(String id, String body) {
    return SendMessageBatchRequestEntry.builder().id(id).messageBody(body).build();
  }

  private static List<String> bodies(List<Message> messages) {
    return messages.stream().map(Message::body).toList();
  }

  private static List<String> failures(List<BatchResultErrorEntry> entries) {
    return entries.stream().map(each -> each.id() + " " + each.code() + " " + each.senderFault()).toList();
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
    System.out.println(json(line));
  }

  /** What is printed here has no character that JSON would have to escape but the quotation mark. */
  private static String json(Object value) {
    if (value instanceof Map<?, ?> map) {
      return map.entrySet().stream()
          .map(each -> json(each.getKey()) + ":" + json(each.getValue()))
          .collect(Collectors.joining(",", "{", "}"));
    }
    if (value instanceof List<?> list) {
      return list.stream().map(Walk::json).collect(Collectors.joining(",", "[", "]"));
    }
    return value instanceof String text ? '"' + text.replace("\"", "\\\"") + '"' : String.valueOf(value);
  }
}
