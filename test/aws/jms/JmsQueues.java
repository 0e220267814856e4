// JMS over SQS, by AWS's own library: sessions that acknowledge in three ways, typed properties, FIFO groups, a listener.
// Argument: the broker's endpoint. Prints a line for each step, which ../jms.test.ts compares.
import com.amazon.sqs.javamessaging.ProviderConfiguration;
import com.amazon.sqs.javamessaging.SQSConnection;
import com.amazon.sqs.javamessaging.SQSConnectionFactory;
import com.amazon.sqs.javamessaging.SQSSession;
import jakarta.jms.BytesMessage;
import jakarta.jms.Message;
import jakarta.jms.ObjectMessage;
import jakarta.jms.Session;
import jakarta.jms.TextMessage;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import software.amazon.awssdk.auth.credentials.EnvironmentVariableCredentialsProvider;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.sqs.SqsClient;
import software.amazon.awssdk.services.sqs.model.QueueAttributeName;

public final class JmsQueues {
  private static final long WAIT_MS = 10_000;

  private final SqsClient client;
  private final SQSConnection connection;

  private JmsQueues(SqsClient client) throws Exception {
    this.client = client;
    // Nothing is fetched ahead: closing a session waits for the poll that does it, twenty seconds.
    var configuration = new ProviderConfiguration().withNumberOfMessagesToPrefetch(0);
    this.connection = new SQSConnectionFactory(configuration, client).createConnection();
  }

  public static void main(String[] args) throws Exception {
    try (SqsClient client =
        SqsClient.builder()
            .endpointOverride(URI.create(args[0]))
            .region(Region.AP_SOUTHEAST_2)
            .credentialsProvider(EnvironmentVariableCredentialsProvider.create())
            .build()) {
      var queues = new JmsQueues(client);
      queues.connection.start();
      queues.kinds();
      queues.acknowledgements();
      queues.fifo();
      queues.listener();
      System.exit(0); // the listener is in a poll
    }
  }

  /** Text, bytes and objects, with properties of each type, which are message attributes with types of their own. */
  private void kinds() throws Exception {
    createQueue("kinds", Map.of());
    Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
    var queue = session.createQueue("kinds");
    var producer = session.createProducer(queue);
    TextMessage text = session.createTextMessage("line\r\n<\u2603>");
    text.setIntProperty("int", 7);
    text.setLongProperty("long", 1L << 40);
    text.setDoubleProperty("double", 0.5);
    text.setBooleanProperty("boolean", true);
    text.setStringProperty("string", "a b");
    text.setJMSCorrelationID("correlation");
    producer.send(text);
    BytesMessage bytes = session.createBytesMessage();
    bytes.writeBytes(new byte[] {0, 1, -1});
    producer.send(bytes);
    producer.send(session.createObjectMessage(new ArrayList<>(List.of(1, 2))));
    var consumer = session.createConsumer(queue);
    TextMessage gotText = (TextMessage) consumer.receive(WAIT_MS);
    BytesMessage gotBytes = (BytesMessage) consumer.receive(WAIT_MS);
    ObjectMessage gotObject = (ObjectMessage) consumer.receive(WAIT_MS);
    session.close();
    print(
        "kinds", gotText.getText().equals(text.getText()), gotText.getJMSMessageID().equals(text.getJMSMessageID()),
        gotText.getIntProperty("int"), gotText.getLongProperty("long"), gotText.getDoubleProperty("double"),
        gotText.getBooleanProperty("boolean"), gotText.getStringProperty("string"), gotText.getJMSCorrelationID(),
        gotText.getIntProperty("JMSXDeliveryCount"), gotBytes.getBodyLength(), gotObject.getObject(), left("kinds"));
  }

  private void acknowledgements() throws Exception {
    createQueue("acknowledged", Map.of());
    Session client = connection.createSession(false, Session.CLIENT_ACKNOWLEDGE);
    var queue = client.createQueue("acknowledged");
    var producer = client.createProducer(queue);
    for (int i = 0; i < 5; i++) producer.send(client.createTextMessage("" + i));
    var consumer = client.createConsumer(queue);
    Message last = null;
    for (int i = 0; i < 3; i++) last = consumer.receive(WAIT_MS);
    last.acknowledge(); // and with it all before it
    client.close();
    Session unordered = connection.createSession(false, SQSSession.UNORDERED_ACKNOWLEDGE);
    var next = unordered.createConsumer(queue);
    next.receive(WAIT_MS);
    next.receive(WAIT_MS).acknowledge(); // that one alone
    unordered.close(); // which makes the other one visible at once
    print("acknowledgements", last != null, left("acknowledged"));
  }

  private void listener() throws Exception {
    createQueue("listened", Map.of());
    Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
    var queue = session.createQueue("listened");
    var done = new CountDownLatch(50);
    session.createConsumer(queue).setMessageListener(message -> done.countDown());
    Session sending = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
    var producer = sending.createProducer(queue);
    for (int i = 0; i < 50; i++) producer.send(sending.createTextMessage("" + i));
    boolean all = done.await(60, TimeUnit.SECONDS);
    for (int i = 0; i < 100 && !left("listened").equals("0 0 0"); i++) Thread.sleep(50); // it acknowledges afterwards
    print("listener", all, left("listened"));
  }

  /** Each of its receives has an attempt id of its own. */
  private void fifo() throws Exception {
    createQueue("ordered.fifo", Map.of(QueueAttributeName.FIFO_QUEUE, "true"));
    Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
    var queue = session.createQueue("ordered.fifo");
    var producer = session.createProducer(queue);
    for (String each : List.of("a1", "b1", "a2", "b2", "a3", "a3")) {
      TextMessage message = session.createTextMessage(each);
      message.setStringProperty("JMSXGroupID", each.substring(0, 1));
      message.setStringProperty("JMS_SQS_DeduplicationId", each);
      producer.send(message);
    }
    var consumer = session.createConsumer(queue);
    var got = new ArrayList<String>();
    for (int i = 0; i < 5; i++) {
      TextMessage message = (TextMessage) consumer.receive(WAIT_MS);
      got.add(message.getText() + message.getStringProperty("JMSXGroupID"));
    }
    session.close();
    String groups = String.join("", got.stream().sorted((a, b) -> a.charAt(0) - b.charAt(0)).toList());
    print("fifo", groups, left("ordered.fifo"));
  }

  private void createQueue(String name, Map<QueueAttributeName, String> attributes) {
    client.createQueue(request -> request.queueName(name).attributes(attributes));
  }

  /** How many messages are visible, in flight and delayed. */
  private String left(String queue) {
    String url = client.getQueueUrl(request -> request.queueName(queue)).queueUrl();
    var all =
        client
            .getQueueAttributes(request -> request.queueUrl(url).attributeNames(QueueAttributeName.ALL))
            .attributes();
    return all.get(QueueAttributeName.APPROXIMATE_NUMBER_OF_MESSAGES)
        + " " + all.get(QueueAttributeName.APPROXIMATE_NUMBER_OF_MESSAGES_NOT_VISIBLE)
        + " " + all.get(QueueAttributeName.APPROXIMATE_NUMBER_OF_MESSAGES_DELAYED);
  }

  private static void print(Object... values) {
    System.out.println(String.join(" | ", List.of(values).stream().map(String::valueOf).toList()));
  }
}
