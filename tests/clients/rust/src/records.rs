// SPDX-License-Identifier: Apache-2.0
//! Records of the scenario: how they are made, sent, read and compared.

use crate::kafka::{expect, expect_in_time, login, Outcome, PARTITIONS, PATIENCE};
use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, Headers, Message, OwnedHeaders, OwnedMessage};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::{Offset, TopicPartitionList};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];
const RECORDS_PER_CODEC: i32 = 60;

#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub partition: i32,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Vec<u8>)>,
    pub timestamp: Option<i64>,
}

impl Record {
    fn read(message: &OwnedMessage) -> Record {
        let headers = message.headers().map(|all| {
            all.iter().map(|one| (one.key.to_string(), one.value.unwrap_or_default().to_vec())).collect()
        });
        Record {
            partition: message.partition(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: headers.unwrap_or_default(),
            timestamp: message.timestamp().to_millis(),
        }
    }
}

pub fn codec_records(codec: &str, moment: i64) -> Vec<Record> {
    let make = |i: i32| Record {
        partition: i % PARTITIONS,
        key: (i % 10 != 0).then(|| format!("{codec}-{i}").into_bytes()),
        value: match i % 10 {
            1 => None,
            2 => Some(Vec::new()),
            _ => Some(format!("{codec} {i} {}", "x".repeat(500)).into_bytes()),
        },
        headers: vec![("codec".into(), codec.into()), ("bytes".into(), vec![0, 255, i as u8])],
        timestamp: Some(moment + i64::from(i)),
    };
    (0..RECORDS_PER_CODEC).map(make).collect()
}

pub fn numbered(number: i32) -> Record {
    let value = Some(number.to_string().into_bytes());
    Record { partition: number % PARTITIONS, key: None, value, headers: Vec::new(), timestamp: None }
}

pub fn number_in(message: &OwnedMessage) -> Outcome<i32> {
    Ok(std::str::from_utf8(message.payload().unwrap_or_default())?.parse()?)
}

/// Counts what is acknowledged; what fails is told by `flush`, which misses it.
#[derive(Clone, Default)]
struct Acknowledged(Arc<AtomicUsize>);

impl ClientContext for Acknowledged {}

impl ProducerContext for Acknowledged {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, _: ()) {
        match result {
            Ok(_) => _ = self.0.fetch_add(1, Ordering::SeqCst),
            Err((error, _)) => eprintln!("not delivered: {error}"),
        }
    }
}

pub struct Sender {
    producer: BaseProducer<Acknowledged>,
    acknowledged: Acknowledged,
    pub sent: usize,
}

impl Sender {
    pub fn new(codec: &str, is_idempotent: bool) -> Outcome<Sender> {
        let acknowledged = Acknowledged::default();
        let producer = login()
            .set("compression.type", codec)
            .set("enable.idempotence", is_idempotent.to_string())
            .set("linger.ms", "20")
            .create_with_context(acknowledged.clone())?;
        Ok(Sender { producer, acknowledged, sent: 0 })
    }

    pub fn send(&mut self, topic: &str, record: &Record) -> Outcome {
        let headers = record.headers.iter().fold(OwnedHeaders::new(), |all, (key, value)| {
            all.insert(Header { key, value: Some(value) })
        });
        let mut out = BaseRecord::<[u8], [u8]>::to(topic).partition(record.partition).headers(headers);
        if let Some(key) = &record.key {
            out = out.key(key);
        }
        if let Some(value) = &record.value {
            out = out.payload(value);
        }
        if let Some(timestamp) = record.timestamp {
            out = out.timestamp(timestamp);
        }
        self.producer.send(out).map_err(|(error, _)| error)?;
        self.producer.poll(Duration::ZERO);
        self.sent += 1;
        Ok(())
    }

    pub fn flush(&self) -> Outcome {
        self.producer.flush(PATIENCE)?;
        expect(self.acknowledged.0.load(Ordering::SeqCst), self.sent, "acknowledged records")
    }
}

pub fn send_all(topic: &str, records: &[Record], codec: &str, is_idempotent: bool) -> Outcome {
    let mut sender = Sender::new(codec, is_idempotent)?;
    for record in records {
        sender.send(topic, record)?;
    }
    sender.flush()
}

/// A consumer of these partitions from their beginning, in no group.
pub fn reader(topic: &str, partitions: &[i32]) -> Outcome<BaseConsumer> {
    let consumer: BaseConsumer = login().set("group.id", "reader").set("enable.auto.commit", "false").create()?;
    let mut wanted = TopicPartitionList::new();
    for partition in partitions {
        wanted.add_partition_offset(topic, *partition, Offset::Beginning)?;
    }
    consumer.assign(&wanted)?;
    Ok(consumer)
}

/// The next record, or nothing after a tenth of a second. That the broker is away for a moment is no failure.
pub fn next_record<C>(consumer: &BaseConsumer<C>) -> Outcome<Option<OwnedMessage>>
where
    C: rdkafka::consumer::ConsumerContext,
{
    match consumer.poll(Duration::from_millis(100)) {
        None => Ok(None),
        Some(Ok(message)) => Ok(Some(message.detach())),
        Some(Err(KafkaError::MessageConsumption(
            RDKafkaErrorCode::AllBrokersDown | RDKafkaErrorCode::BrokerTransportFailure,
        ))) => Ok(None),
        Some(Err(error)) => Err(error.into()),
    }
}

pub fn await_record(consumer: &BaseConsumer) -> Outcome<OwnedMessage> {
    let start = Instant::now();
    loop {
        if let Some(message) = next_record(consumer)? {
            return Ok(message);
        }
        expect_in_time(start, "a record")?;
    }
}

/// Every record of a topic up to its end, per partition; offsets must be without a gap.
pub fn read_all(topic: &str) -> Outcome<Vec<Vec<Record>>> {
    let consumer = reader(topic, &[0, 1, 2])?;
    let mut found = vec![Vec::new(); PARTITIONS as usize];
    let mut left = 0;
    for partition in 0..PARTITIONS {
        let (low, high) = consumer.fetch_watermarks(topic, partition, PATIENCE)?;
        left += high - low;
    }
    while left > 0 {
        let message = await_record(&consumer)?;
        let here = &mut found[message.partition() as usize];
        expect(message.offset(), here.len() as i64, "offset without a gap")?;
        here.push(Record::read(&message));
        left -= 1;
    }
    Ok(found)
}

pub fn expect_codec_records(moment: i64) -> Outcome {
    let found = read_all("codecs")?;
    for partition in 0..PARTITIONS {
        let wanted: Vec<Record> = CODECS
            .iter()
            .flat_map(|codec| codec_records(codec, moment))
            .filter(|record| record.partition == partition)
            .collect();
        let actual = &found[partition as usize];
        expect(actual.len(), wanted.len(), "records")?;
        for (one, other) in actual.iter().zip(&wanted) {
            expect(one, other, "record")?;
        }
    }
    Ok(())
}

/// Numbers 0 … count-1 are in the topic, each once and in order in its partition, and nothing else.
pub fn expect_numbers(topic: &str, count: i32) -> Outcome {
    let found = read_all(topic)?;
    for partition in 0..PARTITIONS {
        let wanted: Vec<_> = (0..count).filter(|n| n % PARTITIONS == partition).map(|n| numbered(n).value).collect();
        let actual: Vec<_> = found[partition as usize].iter().map(|record| record.value.clone()).collect();
        expect(actual, wanted, "numbers")?;
    }
    Ok(())
}
