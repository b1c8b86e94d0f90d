// SPDX-License-Identifier: Apache-2.0
// @platformatic/kafka for the scenario of tests/clients/README.md.
'use strict';

const fs = require('fs');
const {
  Admin, ConfigResourceTypes, Consumer, IncrementalAlterConfigOperationTypes, ListOffsetTimestamps, MessagesStreamModes, Producer,
} = require('@platformatic/kafka');
const { run, STATIC } = require('./scenario');

const COMMON = {
  clientId: 'scenario',
  bootstrapBrokers: process.env.MILLRACE_BOOTSTRAP.split(','),
  // Node verifies the chain against this CA alone; the library gives it the host name to verify.
  tls: { ca: [fs.readFileSync(process.env.MILLRACE_CA_FILE, 'utf8')], rejectUnauthorized: true },
  tlsServerName: true,
  sasl: { mechanism: 'PLAIN', username: 'token', password: process.env.MILLRACE_API_KEY },
  retries: 20,
  retryDelay: 200,
};
const ALL = [0, 1, 2];

const read = (message) => ({
  partition: message.partition,
  key: message.key ?? null,
  value: message.value ?? null,
  headers: message.headerEntries.map(([name, value]) => [name.toString(), value]),
  timestamp: Number(message.timestamp),
  offset: Number(message.offset),
});

let readers = 0;

class Platformatic {
  skips = {
    [STATIC]: '@platformatic/kafka leaves the group whenever it closes',
    'a paused partition is silent until it is resumed': '@platformatic/kafka pauses streams, not partitions',
  };
  admin = new Admin(COMMON);

  createTopic(topic, partitions) {
    return this.admin.createTopics({ topics: [topic], partitions, replicas: -1 });
  }

  async leaders(topic) {
    if (!(await this.admin.listTopics()).includes(topic)) return null;
    const { topics } = await this.admin.metadata({ topics: [topic], forceUpdate: true });
    return topics.get(topic).partitions.map(({ leader }) => leader);
  }

  alter(resourceName, name, value) {
    return this.admin.incrementalAlterConfigs({
      resources: [{
        resourceType: ConfigResourceTypes.TOPIC, resourceName,
        configs: [{ name, value, configOperation: IncrementalAlterConfigOperationTypes.SET }],
      }],
    });
  }

  async setting(resourceName, setting) {
    const [{ configs }] = await this.admin.describeConfigs({
      resources: [{ resourceType: ConfigResourceTypes.TOPIC, resourceName, configurationKeys: [setting] }],
    });
    return configs.find(({ name }) => name === setting).value;
  }

  grow(name, count) {
    return this.admin.createPartitions({ topics: [{ name, count, assignments: null }] });
  }

  deleteTopic(topic) {
    return this.admin.deleteTopics({ topics: [topic] });
  }

  async endOffsets(topic) {
    const found = await this.admin.listOffsets({
      topics: [{ name: topic, partitions: ALL.map((partitionIndex) => ({ partitionIndex, timestamp: ListOffsetTimestamps.LATEST })) }],
    });
    return found[0].partitions.map(({ offset }) => Number(offset));
  }

  async committed(groupId, topic) {
    const [{ topics }] = await this.admin.listConsumerGroupOffsets({ groups: [groupId] });
    return topics.find(({ name }) => name === topic).partitions.reduce((sum, one) => sum + Number(one.committedOffset), 0);
  }

  async producer(codec, idempotent) {
    const producer = new Producer({ ...COMMON, compression: codec, idempotent, acks: -1 });
    return {
      sendAll: (topic, records) => producer.send({
        messages: records.map(({ headers, timestamp, key, value, partition }) => ({
          topic, partition, key, value,
          headers: new Map(headers.map(([name, bytes]) => [Buffer.from(name), bytes])),
          ...(timestamp === null ? {} : { timestamp: BigInt(timestamp) }),
        })),
      }),
      close: () => producer.close(),
    };
  }

  // The library reads in groups only: a group of its own for each reader. To seek is to begin another stream elsewhere.
  async reader(topic, partitions, onSeen) {
    const consumer = new Consumer({ ...COMMON, groupId: `reader-${++readers}`, maxWaitTime: 100 });
    const begin = async (offsets) => {
      const stream = await consumer.consume({ topics: [topic], autocommit: false, mode: MessagesStreamModes.MANUAL, offsets });
      stream.on('data', (message) => partitions.includes(message.partition) && onSeen(read(message)));
      return stream;
    };
    let stream = await begin(ALL.map((partition) => ({ topic, partition, offset: 0n })));
    return {
      seek: async (wanted, offset) => {
        await stream.close();
        stream = await begin(ALL.map((partition) => ({ topic, partition, offset: partition === wanted ? BigInt(offset) : 0n })));
      },
      close: () => consumer.close(true),
    };
  }

  async member(groupId, topic, instanceId, onSeen) {
    const consumer = new Consumer({
      ...COMMON, groupId, maxWaitTime: 100, heartbeatInterval: 500, ...(instanceId ? { groupInstanceId: instanceId } : {}),
    });
    const next = new Map();
    const member = {
      assigned: [],
      rebalances: 0,
      commit: () => consumer.commit({
        offsets: [...next].map(([partition, { offset, leaderEpoch }]) => ({ topic, partition, offset: offset + 1n, leaderEpoch })),
      }),
      close: () => consumer.close(true),
    };
    consumer.on('consumer:group:join', ({ assignments }) => {
      member.assigned = (assignments ?? []).filter((one) => one.topic === topic).flatMap((one) => one.partitions).sort();
      member.rebalances++;
      next.clear();
      onSeen();
    });
    const stream = await consumer.consume({
      topics: [topic], autocommit: false, mode: MessagesStreamModes.COMMITTED, fallbackMode: 'earliest',
    });
    // The library still hands on what was on its way for a partition that it has lost.
    stream.on('data', (message) => {
      if (!member.assigned.includes(message.partition)) return;
      next.set(message.partition, message);
      onSeen(read(message));
    });
    return member;
  }
}

run(new Platformatic());
