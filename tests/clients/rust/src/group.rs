// SPDX-License-Identifier: Apache-2.0
//! The group of the scenario: members, polled in turn, and what they have read together.

use crate::kafka::{expect, expect_in_time, login, Outcome, PARTITIONS, PATIENCE};
use crate::records::{next_record, number_in};
use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use rdkafka::{Offset, TopicPartitionList};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Instant;

/// Counts assignments.
#[derive(Clone, Default)]
struct Rebalances(Arc<AtomicUsize>);

impl ClientContext for Rebalances {}

impl ConsumerContext for Rebalances {
    fn post_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Assign(_) = rebalance {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
}

pub struct Member {
    consumer: BaseConsumer<Rebalances>,
    rebalances: Rebalances,
}

impl Member {
    pub fn partitions(&self) -> Outcome<Vec<i32>> {
        let mut found: Vec<i32> = self.consumer.assignment()?.elements().iter().map(|one| one.partition()).collect();
        found.sort_unstable();
        Ok(found)
    }

    pub fn rebalances(&self) -> usize {
        self.rebalances.0.load(Ordering::SeqCst)
    }
}

#[derive(Default)]
pub struct Group {
    pub members: Vec<Member>,
    numbers: Vec<i32>,
}

impl Group {
    pub fn join(&mut self, instance_id: Option<&str>) -> Outcome {
        let rebalances = Rebalances::default();
        let mut config = login();
        config.set("group.id", "group").set("auto.offset.reset", "earliest").set("enable.auto.commit", "false");
        if let Some(id) = instance_id {
            config.set("group.instance.id", id);
        }
        let consumer: BaseConsumer<Rebalances> = config.create_with_context(rebalances.clone())?;
        consumer.subscribe(&["group"])?;
        self.members.push(Member { consumer, rebalances });
        Ok(())
    }

    pub fn leave(&mut self, index: usize) {
        drop(self.members.remove(index));
    }

    fn poll_until(&mut self, what: &str, is_so: impl Fn(&Group) -> Outcome<bool>) -> Outcome {
        let start = Instant::now();
        while !is_so(self)? {
            expect_in_time(start, what)?;
            for member in &self.members {
                if let Some(message) = next_record(&member.consumer)? {
                    self.numbers.push(number_in(&message)?);
                }
            }
        }
        Ok(())
    }

    /// Polls until all partitions are assigned, each to one member, and each member has one.
    pub fn await_shares(&mut self) -> Outcome {
        self.poll_until("each partition with one member", |group| {
            let mut all = Vec::new();
            for member in &group.members {
                let own = member.partitions()?;
                if own.is_empty() {
                    return Ok(false);
                }
                all.extend(own);
            }
            all.sort_unstable();
            Ok(all == (0..PARTITIONS).collect::<Vec<i32>>())
        })
    }

    pub fn await_partitions(&mut self, index: usize, wanted: &[i32]) -> Outcome {
        self.poll_until("the partitions of before", |group| Ok(group.members[index].partitions()? == wanted))
    }

    /// Polls until 0 … count-1 have been read, each once; then every member commits.
    pub fn read_and_commit(&mut self, count: i32) -> Outcome {
        self.poll_until("all records in the group", |group| Ok(group.numbers.len() >= count as usize))?;
        self.numbers.sort_unstable();
        expect(&self.numbers, &(0..count).collect(), "numbers read by the group")?;
        for member in &self.members {
            member.consumer.commit_consumer_state(CommitMode::Sync)?;
        }
        Ok(())
    }
}

pub fn committed() -> Outcome<i64> {
    let consumer: BaseConsumer = login().set("group.id", "group").create()?;
    let mut wanted = TopicPartitionList::new();
    wanted.add_partition_range("group", 0, PARTITIONS - 1);
    let mut sum = 0;
    for one in consumer.committed_offsets(wanted, PATIENCE)?.elements() {
        if let Offset::Offset(offset) = one.offset() {
            sum += offset;
        }
    }
    Ok(sum)
}
