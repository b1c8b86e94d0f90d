// SPDX-License-Identifier: Apache-2.0
//! Clients that log in over SASL_SSL with the API key, CA and host name verified, and administration of topics.

use futures::executor::block_on;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use std::error::Error;
use std::fmt::Debug;
use std::time::{Duration, Instant};

pub type Outcome<T = ()> = Result<T, Box<dyn Error>>;

pub const PATIENCE: Duration = Duration::from_secs(45);
pub const PARTITIONS: i32 = 3;

pub fn expect<T: PartialEq + Debug>(actual: T, wanted: T, what: &str) -> Outcome {
    if actual != wanted {
        return Err(format!("{what}: {actual:?}, not {wanted:?}").into());
    }
    Ok(())
}

pub fn expect_in_time(start: Instant, what: &str) -> Outcome {
    if start.elapsed() > PATIENCE {
        return Err(format!("{what}: not within {PATIENCE:?}").into());
    }
    Ok(())
}

pub fn environment(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set; start me with tests/clients/run"))
}

pub fn login() -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", environment("MILLRACE_BOOTSTRAP"))
        .set("security.protocol", "SASL_SSL")
        .set("sasl.mechanism", "PLAIN")
        .set("sasl.username", "token")
        .set("sasl.password", environment("MILLRACE_API_KEY"))
        .set("ssl.ca.location", environment("MILLRACE_CA_FILE"))
        .set("ssl.endpoint.identification.algorithm", "https");
    config
}

pub struct Admin {
    client: AdminClient<DefaultClientContext>,
    options: AdminOptions,
}

impl Admin {
    pub fn new() -> Outcome<Admin> {
        Ok(Admin { client: login().create()?, options: AdminOptions::new().request_timeout(Some(PATIENCE)) })
    }

    pub fn create_topic(&self, topic: &str) -> Outcome {
        let wanted = NewTopic::new(topic, PARTITIONS, TopicReplication::Fixed(-1));
        self.first(block_on(self.client.create_topics(&[wanted], &self.options))?)
    }

    pub fn grow(&self, topic: &str, count: usize) -> Outcome {
        self.first(block_on(self.client.create_partitions(&[NewPartitions::new(topic, count)], &self.options))?)
    }

    pub fn delete_topic(&self, topic: &str) -> Outcome {
        self.first(block_on(self.client.delete_topics(&[topic], &self.options))?)
    }

    fn first(&self, answers: Vec<rdkafka::admin::TopicResult>) -> Outcome {
        match answers.into_iter().next() {
            Some(Err((topic, code))) => Err(format!("{topic}: {code}").into()),
            Some(Ok(_)) => Ok(()),
            None => Err("no answer".into()),
        }
    }

    /// The leaders of a topic's partitions, from the metadata of all topics; None when the cluster does not know the topic.
    pub fn leaders(&self, topic: &str) -> Outcome<Option<Vec<i32>>> {
        let metadata = self.client.inner().fetch_metadata(None, PATIENCE)?;
        let found = metadata.topics().iter().find(|one| one.name() == topic);
        Ok(found.map(|one| one.partitions().iter().map(|partition| partition.leader()).collect()))
    }

    pub fn expect_partitions(&self, topic: &str, count: usize) -> Outcome {
        let leaders = self.leaders(topic)?.unwrap_or_default();
        expect(leaders.len(), count, "partitions")?;
        expect(leaders.iter().any(|leader| *leader < 0), false, "a partition without a leader")
    }

    pub fn alter(&self, topic: &str, setting: &str, value: &str) -> Outcome {
        let wanted = AlterConfig::new(ResourceSpecifier::Topic(topic)).set(setting, value);
        for answer in block_on(self.client.alter_configs(&[wanted], &self.options))? {
            answer.map_err(|(_, code)| format!("{code}"))?;
        }
        Ok(())
    }

    pub fn setting(&self, topic: &str, setting: &str) -> Outcome<Option<String>> {
        let resource = ResourceSpecifier::Topic(topic);
        let answers = block_on(self.client.describe_configs(&[resource], &self.options))?;
        let found = answers.into_iter().next().ok_or("no answer")??;
        Ok(found.get(setting).and_then(|entry| entry.value.clone()))
    }
}
