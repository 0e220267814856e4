// Spring Cloud AWS as its users have it: a template that sends and receives, containers that listen, queues it makes
// by itself. Argument: the broker's endpoint. Prints a line for each step, which ../spring.test.ts compares.
import io.awspring.cloud.sqs.MessageHeaderUtils;
import io.awspring.cloud.sqs.listener.QueueNotFoundStrategy;
import io.awspring.cloud.sqs.listener.SqsHeaders;
import io.awspring.cloud.sqs.listener.SqsMessageListenerContainer;
import io.awspring.cloud.sqs.listener.errorhandler.ImmediateRetryAsyncErrorHandler;
import io.awspring.cloud.sqs.operations.SqsTemplate;
import java.net.URI;
import java.time.Duration;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.springframework.messaging.Message;
import org.springframework.messaging.support.MessageBuilder;
import software.amazon.awssdk.auth.credentials.EnvironmentVariableCredentialsProvider;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.sqs.SqsAsyncClient;
import software.amazon.awssdk.services.sqs.model.QueueAttributeName;

public final class SpringQueues {
  private static final int COUNT = 200;
  private static final String SYSTEM = SqsHeaders.MessageSystemAttributes.SQS_MSA_HEADER_PREFIX;

  private final SqsAsyncClient client;
  private final SqsTemplate template;

  private SpringQueues(SqsAsyncClient client) {
    this.client = client;
    this.template =
        SqsTemplate.builder()
            .sqsAsyncClient(client)
            .configure(options -> options.queueNotFoundStrategy(QueueNotFoundStrategy.CREATE))
            .build();
  }

  public static void main(String[] args) throws Exception {
    try (SqsAsyncClient client =
        SqsAsyncClient.builder()
            .endpointOverride(URI.create(args[0]))
            .region(Region.US_EAST_2)
            .credentialsProvider(EnvironmentVariableCredentialsProvider.create())
            .build()) {
      var queues = new SpringQueues(client);
      queues.template();
      queues.standard();
      queues.fifo();
      queues.deadLetter();
    }
  }

  private void template() {
    var sent = template.send(to -> to.queue("template").payload("hello").header("color", "blue"));
    Message<?> got = template.receive(from -> from.queue("template").pollTimeout(Duration.ofSeconds(5))).orElseThrow();
    var batch = IntStream.range(0, 10).mapToObj(i -> MessageBuilder.withPayload("many " + i).build()).toList();
    int successful = template.sendMany("template", batch).successful().size();
    int many =
        template
            .receiveMany(from -> from.queue("template").maxNumberOfMessages(10).pollTimeout(Duration.ofSeconds(5)))
            .size();
    print(
        "template", got.getPayload(), got.getHeaders().get("color"),
        sent.messageId().equals(got.getHeaders().getId()), successful, many, left("template"));
  }

  /** Everything once, although each message that fails is seen twice. */
  private void standard() throws Exception {
    var seen = new ConcurrentHashMap<String, Integer>();
    var done = new CountDownLatch(COUNT);
    for (int i = 0; i < COUNT; i += 10) {
      int first = i;
      template.sendMany(
          "standard",
          IntStream.range(first, first + 10).mapToObj(n -> MessageBuilder.withPayload("" + n).build()).toList());
    }
    var container =
        container(
            "standard",
            message -> {
              int attempts = seen.merge(message.getPayload(), 1, Integer::sum);
              if (attempts == 1 && message.getPayload().endsWith("7")) throw new IllegalStateException("once");
              done.countDown();
            });
    boolean all = finish(container, done);
    print("standard", all, seen.size(), seen.values().stream().filter(count -> count == 2).count(), left("standard"));
  }

  private void fifo() throws Exception {
    var orders = new ConcurrentHashMap<String, Collection<String>>();
    var done = new CountDownLatch(COUNT);
    for (int i = 0; i < COUNT; i++) {
      int number = i;
      template.send(
          to ->
              to.queue("ordered.fifo").payload("" + number).messageGroupId("g" + number % 4)
                  .messageDeduplicationId("d" + number));
    }
    var container =
        container(
            "ordered.fifo",
            message -> {
              String group = MessageHeaderUtils.getHeaderAsString(message, SYSTEM + "MessageGroupId");
              orders.computeIfAbsent(group, name -> new ConcurrentLinkedQueue<>()).add(message.getPayload());
              done.countDown();
            });
    boolean all = finish(container, done);
    Comparator<String> byNumber = Comparator.comparing(Integer::valueOf);
    boolean ordered =
        orders.values().stream()
            .allMatch(order -> List.copyOf(order).equals(order.stream().sorted(byNumber).toList()));
    print("fifo", all, new TreeSet<>(orders.keySet()), ordered, left("ordered.fifo"));
  }

  private void deadLetter() throws Exception {
    client.createQueue(request -> request.queueName("dead")).join();
    String arn = attribute("dead", QueueAttributeName.QUEUE_ARN);
    client
        .createQueue(
            request ->
                request.queueName("failing").attributes(
                    Map.of(
                        QueueAttributeName.REDRIVE_POLICY,
                        "{\"deadLetterTargetArn\":\"" + arn + "\",\"maxReceiveCount\":\"2\"}")))
        .join();
    template.send("failing", "poison");
    var deliveries = new ConcurrentLinkedQueue<String>();
    var sources = new ConcurrentSkipListSet<String>();
    var done = new CountDownLatch(1);
    var failing =
        container(
            "failing",
            message -> {
              deliveries.add(message.getPayload());
              throw new IllegalStateException("always");
            });
    failing.start();
    var dead =
        container(
            "dead",
            message -> {
              sources.add(MessageHeaderUtils.getHeaderAsString(message, SYSTEM + "DeadLetterQueueSourceArn"));
              done.countDown();
            });
    boolean all = finish(dead, done);
    failing.stop();
    print("dead letter", all, deliveries.size(), sources, left("failing"), left("dead"));
  }

  private SqsMessageListenerContainer<String> container(String queue, Consumer<Message<String>> listener) {
    return SqsMessageListenerContainer.<String>builder()
        .sqsAsyncClient(client)
        .queueNames(queue)
        .configure(options -> options.pollTimeout(Duration.ofSeconds(1)))
        .messageListener(listener::accept)
        .errorHandler(new ImmediateRetryAsyncErrorHandler<>()) // makes what failed visible at once
        .build();
  }

  /** Listens until all is done; what was done is acknowledged before the container has stopped. */
  private static boolean finish(SqsMessageListenerContainer<String> container, CountDownLatch done) throws Exception {
    container.start();
    boolean all = done.await(60, TimeUnit.SECONDS);
    container.stop();
    return all;
  }

  private String attribute(String queue, QueueAttributeName name) {
    String url = client.getQueueUrl(request -> request.queueName(queue)).join().queueUrl();
    return client
        .getQueueAttributes(request -> request.queueUrl(url).attributeNames(name))
        .join().attributes().get(name);
  }

  /** How many messages are visible, in flight and delayed. */
  private String left(String queue) {
    return attribute(queue, QueueAttributeName.APPROXIMATE_NUMBER_OF_MESSAGES)
        + " " + attribute(queue, QueueAttributeName.APPROXIMATE_NUMBER_OF_MESSAGES_NOT_VISIBLE)
        + " " + attribute(queue, QueueAttributeName.APPROXIMATE_NUMBER_OF_MESSAGES_DELAYED);
  }

  private static void print(Object... values) {
    System.out.println(String.join(" | ", List.of(values).stream().map(String::valueOf).toList()));
  }
}
