// One walk over the API with the AWS SDK for Rust. Arguments: the broker's endpoint and a prefix for its queues.
// Prints one line of JSON a step, which ../walk.ts compares; ends with the reason if a call fails that should not.
use std::collections::HashMap;
use std::error::Error;
use std::fmt::Debug;
use std::time::{Duration, Instant};

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::operation::receive_message::builders::ReceiveMessageFluentBuilder;
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry,
    ListMessageMoveTasksResultEntry, Message, MessageAttributeValue, MessageSystemAttributeName,
    MessageSystemAttributeNameForSends, MessageSystemAttributeValue, QueueAttributeName, SendMessageBatchRequestEntry,
};
use serde_json::{Value, json};

const BODY: &str = "quote \" & <tag> \r\n \u{2603} \u{1f600}";
const TRACE: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

type Done<T = ()> = Result<T, Box<dyn Error>>;
type Attributes = HashMap<QueueAttributeName, String>;

struct Walk {
    client: Client,
    prefix: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Done {
    let mut arguments = std::env::args().skip(1);
    let endpoint = arguments.next().ok_or("no endpoint")?;
    let prefix = arguments.next().ok_or("no prefix")?;
    let (id, secret) = (std::env::var("AWS_ACCESS_KEY_ID")?, std::env::var("AWS_SECRET_ACCESS_KEY")?);
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .endpoint_url(endpoint)
        .credentials_provider(Credentials::new(id, secret, None, None, "environment"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    Walk { client: Client::from_conf(config), prefix }.walk().await
}

impl Walk {
    async fn walk(&self) -> Done {
        let visibility = [(QueueAttributeName::VisibilityTimeout, "0")];
        let create = self.client.create_queue().queue_name(self.name("work")).tags("team", "a");
        let created = create.attributes(QueueAttributeName::VisibilityTimeout, "0").send().await?;
        let work = created.queue_url.ok_or("no URL")?;
        let fifo_attributes =
            [(QueueAttributeName::FifoQueue, "true"), (QueueAttributeName::ContentBasedDeduplication, "true")];
        let fifo = self.create("work.fifo", &fifo_attributes).await?;
        let found = self.client.get_queue_url().queue_name(self.name("work")).send().await?;
        let again = self.create("work", &visibility).await?;
        let same = found.queue_url() == Some(work.as_str()) && again == work;
        show("create", json!({ "url": work, "fifoUrl": fifo, "same": same }));
        self.attributes(&work, &fifo).await?;
        self.messages(&work).await?;
        self.batches(&work).await?;
        self.long_poll(&work).await?;
        self.fifo_order(&fifo).await?;
        self.dead_letter().await?;
        self.move_tasks().await?;
        self.tags(&work).await?;
        self.list().await?;
        self.permissions(&work).await?;
        self.error_types(&work).await?;
        self.purge_and_delete(&work).await
    }

    async fn attributes(&self, work: &str, fifo: &str) -> Done {
        let set = self.client.set_queue_attributes().queue_url(work);
        let set = set.attributes(QueueAttributeName::MaximumMessageSize, "2048");
        set.attributes(QueueAttributeName::DelaySeconds, "0").send().await?;
        let plain = self.attributes_of(work).await?;
        let ordered = self.attributes_of(fifo).await?;
        let plain_names = ["VisibilityTimeout", "MaximumMessageSize", "MessageRetentionPeriod", "FifoQueue"];
        let fifo_names = ["FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"];
        let arn = plain.get(&QueueAttributeName::QueueArn);
        show(
            "attributes",
            json!({
                "arn": arn, "plain": pick(&plain, &plain_names), "fifo": pick(&ordered, &fifo_names),
            }),
        );
        Ok(())
    }

    async fn messages(&self, work: &str) -> Done {
        let trace = MessageSystemAttributeValue::builder().data_type("String").string_value(TRACE).build()?;
        let sent = self
            .client
            .send_message()
            .queue_url(work)
            .message_body(BODY)
            .message_attributes("color", text("String", "a<b")?)
            .message_attributes("count", text("Number", "42")?)
            .message_attributes("blob", bytes("Binary", &[0, 1, 255])?)
            .message_attributes("instant", text("Number.java.lang.Long", "1493147359900")?)
            .message_attributes("document", bytes("Binary.pdf", b"%PDF")?)
            .message_system_attributes(MessageSystemAttributeNameForSends::AwsTraceHeader, trace)
            .send()
            .await?;
        show(
            "send",
            json!({
                "body": sent.md5_of_message_body(), "attributes": sent.md5_of_message_attributes(),
                "system": sent.md5_of_message_system_attributes(), "sequence": sent.sequence_number().is_some(),
            }),
        );
        let bare = one(self.receive(work)).await?;
        let some = one(self.receive(work).message_attribute_names("co.*").message_attribute_names("absent")).await?;
        let all = self.receive(work).message_attribute_names("All");
        let all = one(all.message_system_attribute_names(MessageSystemAttributeName::All)).await?;
        let attributes = all.message_attributes().ok_or("no attributes")?;
        let blob = attributes.get("blob").and_then(|each| each.binary_value()).map(|each| each.as_ref());
        let system = all.attributes().ok_or("no system attributes")?;
        show(
            "receive",
            json!({
                "sameId": all.message_id == sent.message_id, "sameBody": all.body() == Some(BODY),
                "bare": names(bare.message_attributes()), "bareSystem": names(bare.attributes()),
                "some": names(some.message_attributes()), "someDigest": some.md5_of_message_attributes(),
                "all": names(all.message_attributes()), "allDigest": all.md5_of_message_attributes(),
                "system": names(all.attributes()), "trace": system.get(&MessageSystemAttributeName::AwsTraceHeader),
                "blob": blob, "type": attributes.get("instant").map(|each| each.data_type()),
                "receives": system.get(&MessageSystemAttributeName::ApproximateReceiveCount),
            }),
        );
        let held = one(self.receive(work).visibility_timeout(100)).await?;
        let hidden = many(self.receive(work)).await?.len();
        self.change(work, &held, 0).await?;
        let next = one(self.receive(work).visibility_timeout(100)).await?;
        self.delete(work, &next).await?;
        let again = next.message_id == sent.message_id;
        show("visibility", json!({ "hidden": hidden, "again": again, "left": self.left(work).await? }));
        Ok(())
    }

    async fn batches(&self, work: &str) -> Done {
        let entries = vec![entry("a", "1")?, entry("b", "\0")?, {
            let colored = SendMessageBatchRequestEntry::builder().id("c").message_body("3");
            colored.message_attributes("color", text("String", "red")?).build()?
        }];
        let sent = self.client.send_message_batch().queue_url(work).set_entries(Some(entries)).send().await?;
        let got = many(self.receive(work).max_number_of_messages(10).visibility_timeout(100)).await?;
        let change = ChangeMessageVisibilityBatchRequestEntry::builder();
        let mut changes = vec![change.id("bad").receipt_handle("nonsense").visibility_timeout(0).build()?];
        let mut deletes = vec![];
        for (i, each) in got.iter().enumerate() {
            let handle = each.receipt_handle().ok_or("no handle")?;
            let change = ChangeMessageVisibilityBatchRequestEntry::builder().id(i.to_string());
            changes.push(change.receipt_handle(handle).visibility_timeout(60).build()?);
            let delete = DeleteMessageBatchRequestEntry::builder().id(i.to_string());
            deletes.push(delete.receipt_handle(handle).build()?);
        }
        let change = self.client.change_message_visibility_batch().queue_url(work);
        let changed = change.set_entries(Some(changes)).send().await?;
        let delete = self.client.delete_message_batch().queue_url(work);
        let deleted = delete.set_entries(Some(deletes)).send().await?;
        show(
            "batch",
            json!({
                "successful": sent.successful().iter().map(|each| each.id()).collect::<Vec<_>>(),
                "failed": failures(sent.failed()), "bodies": bodies(&got),
                "changed": changed.successful().iter().map(|each| each.id()).collect::<Vec<_>>(),
                "unchanged": failures(changed.failed()),
                "deleted": deleted.successful().iter().map(|each| each.id()).collect::<Vec<_>>(),
                "undeleted": failures(deleted.failed()), "left": self.left(work).await?,
            }),
        );
        Ok(())
    }

    async fn long_poll(&self, work: &str) -> Done {
        let started = Instant::now();
        let waiting = tokio::spawn(self.receive(work).wait_time_seconds(20).send());
        tokio::time::sleep(Duration::from_millis(200)).await;
        self.client.send_message().queue_url(work).message_body("now").send().await?;
        let got = waiting.await??.messages.unwrap_or_default().pop().ok_or("no message")?;
        self.delete(work, &got).await?;
        show("long poll", json!({ "body": got.body(), "early": started.elapsed() < Duration::from_secs(15) }));
        Ok(())
    }

    async fn fifo_order(&self, fifo: &str) -> Done {
        let mut ids = vec![];
        let mut sequences = vec![];
        for each in ["g1 a", "g2 a", "g1 b", "g1 a"] {
            let send = self.client.send_message().queue_url(fifo).message_body(each);
            let sent = send.message_group_id(&each[..2]).send().await?;
            ids.push(sent.message_id.ok_or("no id")?);
            sequences.push(sent.sequence_number.ok_or("no sequence number")?);
        }
        let receive = self.receive(fifo).max_number_of_messages(10).receive_request_attempt_id("attempt-1");
        let got = many(receive.message_system_attribute_names(MessageSystemAttributeName::All)).await?;
        let send = self.client.send_message().queue_url(fifo).message_body("g1 c").message_group_id("g1");
        send.message_deduplication_id("own").send().await?;
        let locked = many(self.receive(fifo)).await?.len();
        for each in &got {
            self.delete(fifo, each).await?;
        }
        let receive = self.receive(fifo).message_system_attribute_names(MessageSystemAttributeName::All);
        let next = one(receive).await?;
        let named = next.attributes().ok_or("no system attributes")?;
        let group = named.get(&MessageSystemAttributeName::MessageGroupId);
        let deduplication = named.get(&MessageSystemAttributeName::MessageDeduplicationId);
        show(
            "fifo",
            json!({
                "bodies": bodies(&got), "system": names(got[0].attributes()),
                "duplicate": ids[3] == ids[0] && sequences[3] == sequences[0],
                "ascending": sequences[0] < sequences[1] && sequences[1] < sequences[2], "locked": locked,
                "next": [next.body(), group.map(String::as_str), deduplication.map(String::as_str)],
            }),
        );
        Ok(())
    }

    async fn dead_letter(&self) -> Done {
        let dead = self.create("dead", &[]).await?;
        let arn = self.arn_of(&dead).await?;
        let policy = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":1}}"#);
        let source = self.create("source", &[(QueueAttributeName::RedrivePolicy, &policy)]).await?;
        let sent = self.client.send_message().queue_url(&source).message_body("poison").send().await?;
        let first = one(self.receive(&source).visibility_timeout(100)).await?;
        self.change(&source, &first, 0).await?;
        let again = many(self.receive(&source)).await?.len();
        let receive = self.receive(&dead).message_system_attribute_names(MessageSystemAttributeName::All);
        let moved = one(receive).await?;
        let system = moved.attributes().ok_or("no system attributes")?;
        self.change(&dead, &moved, 0).await?;
        let sources = self.client.list_dead_letter_source_queues().queue_url(&dead).send().await?;
        let echoed = self.attributes_of(&source).await?;
        show(
            "dead letter",
            json!({
                "policy": echoed.get(&QueueAttributeName::RedrivePolicy) == Some(&policy), "again": again,
                "sameId": moved.message_id == sent.message_id,
                "receives": system.get(&MessageSystemAttributeName::ApproximateReceiveCount),
                "sources": sources.queue_urls(),
                "source": system.get(&MessageSystemAttributeName::DeadLetterQueueSourceArn),
            }),
        );
        Ok(())
    }

    async fn move_tasks(&self) -> Done {
        let dead = self.create("dead", &[]).await?;
        let source = self.create("source", &[]).await?;
        let arn = self.arn_of(&dead).await?;
        let waiting = one(self.receive(&dead).visibility_timeout(100)).await?;
        self.change(&dead, &waiting, 0).await?;
        self.client.start_message_move_task().source_arn(&arn).send().await?;
        let task = self.ended(&arn).await?;
        let receive = self.receive(&source).message_system_attribute_names(MessageSystemAttributeName::All);
        let back = one(receive.wait_time_seconds(5)).await?;
        let system = back.attributes().ok_or("no system attributes")?;
        show(
            "move",
            json!({
                "status": task.status(), "moved": task.approximate_number_of_messages_moved(),
                "toMove": task.approximate_number_of_messages_to_move(), "handle": task.task_handle().is_some(),
                "back": back.body(), "newId": back.message_id != waiting.message_id,
                "receives": system.get(&MessageSystemAttributeName::ApproximateReceiveCount),
            }),
        );

        let rescued = self.create("rescued", &[]).await?;
        for _ in 0..3 {
            self.client.send_message().queue_url(&dead).message_body("x").send().await?;
        }
        let start = self.client.start_message_move_task().source_arn(&arn);
        let start = start.destination_arn(self.arn_of(&rescued).await?).max_number_of_messages_per_second(1);
        let handle = start.send().await?.task_handle.ok_or("no task handle")?;
        self.client.cancel_message_move_task().task_handle(&handle).send().await?;
        let task = self.ended(&arn).await?;
        let absent = self.client.start_message_move_task().source_arn(format!("{arn}-absent"));
        let over = self.client.cancel_message_move_task().task_handle(&handle);
        show(
            "cancel",
            json!({
                "status": task.status(), "rate": task.max_number_of_messages_per_second(),
                "destination": task.destination_arn(),
                "kept": self.visible(&dead).await? + self.visible(&rescued).await?,
                "unknown": error_name(absent.send().await)?, "ended": error_name(over.send().await)?,
            }),
        );
        Ok(())
    }

    /// The newest move task of the queue, once it has come to an end.
    async fn ended(&self, source_arn: &str) -> Done<ListMessageMoveTasksResultEntry> {
        for _ in 0..200 {
            let list = self.client.list_message_move_tasks().source_arn(source_arn).send().await?;
            let task = list.results.unwrap_or_default().into_iter().next().ok_or("no move task")?;
            if !matches!(task.status(), Some("RUNNING" | "CANCELLING")) {
                return Ok(task);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err("a move task does not end".into())
    }

    async fn tags(&self, work: &str) -> Done {
        self.client.tag_queue().queue_url(work).tags("cost", "1").tags("empty", "").send().await?;
        self.client.untag_queue().queue_url(work).tag_keys("cost").tag_keys("absent").send().await?;
        show("tags", json!({ "tags": self.client.list_queue_tags().queue_url(work).send().await?.tags() }));
        Ok(())
    }

    async fn list(&self) -> Done {
        for i in 0..5 {
            self.create(&format!("page-{i}"), &[]).await?;
        }
        let (mut listed, mut sizes) = (vec![], vec![]);
        let list = self.client.list_queues().queue_name_prefix(self.name("page-")).max_results(2);
        let mut pages = list.into_paginator().send();
        while let Some(page) = pages.next().await {
            let urls = page?.queue_urls.unwrap_or_default();
            sizes.push(urls.len());
            listed.extend(urls.iter().map(|each| each[each.rfind('-').map_or(0, |at| at + 1)..].to_string()));
        }
        show("list", json!({ "names": listed, "pages": sizes }));
        Ok(())
    }

    async fn permissions(&self, work: &str) -> Done {
        let add = self.client.add_permission().queue_url(work).label("share");
        add.aws_account_ids("111122223333").actions("SendMessage").send().await?;
        let with = self.attributes_of(work).await?;
        let policy: Value = serde_json::from_str(with.get(&QueueAttributeName::Policy).ok_or("no policy")?)?;
        let statement = &policy["Statement"][0];
        self.client.remove_permission().queue_url(work).label("share").send().await?;
        let remains = self.attributes_of(work).await?.contains_key(&QueueAttributeName::Policy);
        show(
            "permissions",
            json!({
                "sid": statement["Sid"], "action": statement["Action"], "remains": remains,
            }),
        );
        Ok(())
    }

    async fn error_types(&self, work: &str) -> Done {
        let client = &self.client;
        let batch = async |entries: Vec<SendMessageBatchRequestEntry>| {
            error_name(client.send_message_batch().queue_url(work).set_entries(Some(entries)).send().await)
        };
        let create = |name, attribute: &str| {
            client.create_queue().queue_name(self.name(name)).attributes(attribute.into(), "6").send()
        };
        let eleven = (0..11).map(|i| entry(&i.to_string(), "x")).collect::<Result<_, _>>()?;
        show(
            "errors",
            json!({
                "absent": error_name(client.get_queue_url().queue_name(self.name("absent")).send().await)?,
                "exists": error_name(create("work", "VisibilityTimeout").await)?,
                "attribute": error_name(create("bad", "Nonsense").await)?,
                "handle": error_name(client.delete_message().queue_url(work).receipt_handle("nonsense").send().await)?,
                "contents": error_name(client.send_message().queue_url(work).message_body("\u{1}").send().await)?,
                "empty": batch(vec![]).await?,
                "many": batch(eleven).await?,
                "twice": batch(vec![entry("a", "x")?, entry("a", "x")?]).await?,
                "id": batch(vec![entry("a b", "x")?]).await?,
                "value": error_name(
                    client.send_message().queue_url(work).message_body("x").delay_seconds(901).send().await,
                )?,
            }),
        );
        Ok(())
    }

    async fn purge_and_delete(&self, work: &str) -> Done {
        for _ in 0..3 {
            self.client.send_message().queue_url(work).message_body("x").send().await?;
        }
        let before = self.left(work).await?;
        self.client.purge_queue().queue_url(work).send().await?;
        let after = self.left(work).await?;
        self.client.delete_queue().queue_url(work).send().await?;
        let gone = error_name(self.client.get_queue_attributes().queue_url(work).send().await)?;
        show("purge, delete", json!({ "before": before, "after": after, "gone": gone }));
        Ok(())
    }

    fn name(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    async fn create(&self, name: &str, attributes: &[(QueueAttributeName, &str)]) -> Done<String> {
        let mut create = self.client.create_queue().queue_name(self.name(name));
        for (name, value) in attributes {
            create = create.attributes(name.clone(), *value);
        }
        Ok(create.send().await?.queue_url.ok_or("no URL")?)
    }

    async fn attributes_of(&self, url: &str) -> Done<Attributes> {
        let get = self.client.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All);
        Ok(get.send().await?.attributes.unwrap_or_default())
    }

    async fn arn_of(&self, url: &str) -> Done<String> {
        Ok(self.attributes_of(url).await?.remove(&QueueAttributeName::QueueArn).ok_or("no ARN")?)
    }

    async fn visible(&self, url: &str) -> Done<u32> {
        let all = self.attributes_of(url).await?;
        Ok(all.get(&QueueAttributeName::ApproximateNumberOfMessages).ok_or("no count")?.parse()?)
    }

    /// How many messages are visible, in flight and delayed.
    async fn left(&self, url: &str) -> Done<String> {
        let all = self.attributes_of(url).await?;
        let count = |name| all.get(&name).map_or("", String::as_str);
        let visible = count(QueueAttributeName::ApproximateNumberOfMessages);
        let in_flight = count(QueueAttributeName::ApproximateNumberOfMessagesNotVisible);
        let delayed = count(QueueAttributeName::ApproximateNumberOfMessagesDelayed);
        Ok(format!("{visible} {in_flight} {delayed}"))
    }

    fn receive(&self, url: &str) -> ReceiveMessageFluentBuilder {
        self.client.receive_message().queue_url(url)
    }

    async fn change(&self, url: &str, message: &Message, seconds: i32) -> Done {
        let change = self.client.change_message_visibility().queue_url(url).visibility_timeout(seconds);
        change.receipt_handle(message.receipt_handle().ok_or("no handle")?).send().await?;
        Ok(())
    }

    async fn delete(&self, url: &str, message: &Message) -> Done {
        let handle = message.receipt_handle().ok_or("no handle")?;
        self.client.delete_message().queue_url(url).receipt_handle(handle).send().await?;
        Ok(())
    }
}

async fn many(receive: ReceiveMessageFluentBuilder) -> Done<Vec<Message>> {
    Ok(receive.send().await?.messages.unwrap_or_default())
}

async fn one(receive: ReceiveMessageFluentBuilder) -> Done<Message> {
    let mut got = many(receive).await?;
    if got.len() != 1 {
        return Err(format!("one message was expected, {} came", got.len()).into());
    }
    Ok(got.remove(0))
}

/// The name of the SDK's own type for the error, or the code of one it has no type for.
fn error_name<T, E: ProvideErrorMetadata + Debug, R>(result: Result<T, SdkError<E, R>>) -> Done<String> {
    let Err(error) = result else { return Err("an error of the service was expected".into()) };
    let error = error.as_service_error().ok_or("an error of the service was expected")?;
    let shown = format!("{error:?}");
    let name = shown.split(['(', ' ']).next().unwrap_or_default();
    let name = if name == "Unhandled" { error.code().unwrap_or_default() } else { name };
    Ok(name.trim_end_matches("Exception").to_string())
}

fn text(data_type: &str, value: &str) -> Done<MessageAttributeValue> {
    Ok(MessageAttributeValue::builder().data_type(data_type).string_value(value).build()?)
}

fn bytes(data_type: &str, value: &[u8]) -> Done<MessageAttributeValue> {
    Ok(MessageAttributeValue::builder().data_type(data_type).binary_value(Blob::new(value)).build()?)
}

fn entry(id: &str, body: &str) -> Done<SendMessageBatchRequestEntry> {
    Ok(SendMessageBatchRequestEntry::builder().id(id).message_body(body).build()?)
}

fn bodies(messages: &[Message]) -> Vec<Option<&str>> {
    messages.iter().map(|each| each.body()).collect()
}

fn failures(entries: &[BatchResultErrorEntry]) -> Vec<String> {
    entries.iter().map(|each| format!("{} {} {}", each.id(), each.code(), each.sender_fault())).collect()
}

fn names<K: ToString, V>(all: Option<&HashMap<K, V>>) -> Vec<String> {
    let mut names: Vec<String> = all.into_iter().flat_map(|all| all.keys().map(ToString::to_string)).collect();
    names.sort();
    names
}

fn pick(all: &Attributes, names: &[&str]) -> HashMap<String, String> {
    let found = names.iter().filter_map(|name| all.get(&(*name).into()).map(|value| (name.to_string(), value.clone())));
    found.collect()
}

/// Prints a step.
fn show(step: &str, mut fields: Value) {
    fields["step"] = step.into();
    println!("{fields}");
}
