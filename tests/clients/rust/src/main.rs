// SPDX-License-Identifier: Apache-2.0
//! The scenario of tests/clients/README.md with rdkafka. One line per sentence; the first failure ends it.

mod group;
mod kafka;
mod records;

use group::{committed, Group};
use kafka::{environment, expect, Admin, Outcome, PARTITIONS, PATIENCE};
use rdkafka::consumer::Consumer;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use records::{
    await_record, codec_records, expect_codec_records, expect_numbers, numbered, reader, send_all, Record, Sender, CODECS,
};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn step(sentence: &str, work: impl FnOnce() -> Outcome) {
    if let Err(error) = work() {
        println!("FAILED {sentence}: {error}");
        std::process::exit(1);
    }
    println!("ok {sentence}");
}

fn numbers(from: i32, end: i32) -> Vec<Record> {
    (from..end).map(numbered).collect()
}

fn administration(admin: &Admin) {
    step("a topic is created with three partitions", || admin.create_topic("admin"));
    step("it is described", || admin.expect_partitions("admin", PARTITIONS as usize));
    step("a setting is altered and read back", || {
        admin.alter("admin", "retention.ms", "7200000")?;
        expect(admin.setting("admin", "retention.ms")?.as_deref(), Some("7200000"), "retention.ms")
    });
    step("it grows to five partitions", || {
        admin.grow("admin", 5)?;
        admin.expect_partitions("admin", 5)
    });
    step("it is deleted", || {
        admin.delete_topic("admin")?;
        expect(admin.leaders("admin")?, None, "leaders of the deleted topic")
    });
}

fn codecs(admin: &Admin) -> Outcome {
    let moment = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as i64 - 60000;
    admin.create_topic("codecs")?;
    for codec in CODECS {
        let sentence = match codec {
            "none" => "records go out uncompressed".to_string(),
            _ => format!("records go out with {codec}"),
        };
        step(&sentence, || send_all("codecs", &codec_records(codec, moment), codec, false));
    }
    step("every byte comes back", || expect_codec_records(moment));
    Ok(())
}

fn share_a_group(admin: &Admin) -> Outcome {
    let mut group = Group::default();
    admin.create_topic("group")?;
    step("three members share three partitions", || {
        group.join(None)?;
        group.join(None)?;
        group.join(Some("static-1"))?;
        group.await_shares()
    });
    step("each record reaches one member", || {
        send_all("group", &numbers(0, 300), "none", false)?;
        group.read_and_commit(300)
    });
    step("a member leaves and its partition goes to another", || {
        group.leave(0);
        group.await_shares()?;
        send_all("group", &numbers(300, 330), "none", false)?;
        group.read_and_commit(330)
    });
    step("a static member comes back to its partitions", || {
        let before = group.members[1].partitions()?;
        let rebalances = group.members[0].rebalances();
        group.leave(1);
        group.join(Some("static-1"))?;
        group.await_partitions(1, &before)?;
        send_all("group", &numbers(330, 360), "none", false)?;
        group.read_and_commit(360)?;
        expect(group.members[0].rebalances(), rebalances, "rebalances of the other member")
    });
    drop(group);
    step("committed offsets are read back", || expect(committed()?, 360, "sum of committed offsets"));
    Ok(())
}

fn seek() -> Outcome {
    let consumer = reader("group", &[1])?;
    expect(await_record(&consumer)?.offset(), 0, "first offset")?;
    consumer.seek("group", 1, Offset::Offset(50), PATIENCE)?;
    expect(await_record(&consumer)?.offset(), 50, "offset after the seek")
}

fn pause() -> Outcome {
    let consumer = reader("group", &[0, 1])?;
    let mut silent = TopicPartitionList::new();
    silent.add_partition("group", 0);
    consumer.pause(&silent)?;
    for offset in 0..120 {
        let message = await_record(&consumer)?;
        expect((message.partition(), message.offset()), (1, offset), "partition and offset while 0 is paused")?;
    }
    consumer.resume(&silent)?;
    for offset in 0..120 {
        let message = await_record(&consumer)?;
        expect((message.partition(), message.offset()), (0, offset), "partition and offset after the resumption")?;
    }
    Ok(())
}

fn survive_kill(admin: &Admin) -> Outcome {
    let mut sender = Sender::new("none", true)?;
    admin.create_topic("kill")?;
    for record in numbers(0, 100) {
        sender.send("kill", &record)?;
    }
    sender.flush()?;
    let mut killer = Command::new(environment("MILLRACE_KILL_BROKER")).spawn()?;
    let status = loop {
        if let Some(status) = killer.try_wait()? {
            break status;
        }
        sender.send("kill", &numbered(sender.sent as i32))?;
        sleep(Duration::from_millis(2)); // the pace of the stream, nothing is awaited
    };
    expect(status.code(), Some(0), "status of the killer")?;
    for _ in 0..300 {
        sender.send("kill", &numbered(sender.sent as i32))?;
    }
    sender.flush()?;
    expect_numbers("kill", sender.sent as i32)
}

fn main() -> Outcome {
    let admin = Admin::new()?;
    if environment("MILLRACE_PART") == "2" {
        step("an idempotent producer survives a killed broker", || survive_kill(&admin));
        return Ok(());
    }
    administration(&admin);
    codecs(&admin)?;
    share_a_group(&admin)?;
    step("seek goes to the offset", seek);
    step("a paused partition is silent until it is resumed", pause);
    step("an idempotent producer writes each record once", || {
        admin.create_topic("idempotent")?;
        send_all("idempotent", &numbers(0, 300), "none", true)?;
        expect_numbers("idempotent", 300)
    });
    Ok(())
}
