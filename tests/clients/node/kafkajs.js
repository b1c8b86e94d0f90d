// SPDX-License-Identifier: Apache-2.0
// kafkajs for the scenario of tests/clients/README.md. It leaves Snappy, LZ4 and Zstandard to others: here kafkajs-snappy,
// lz4-napi and Node itself.
'use strict';

const fs = require('fs');
const zlib = require('zlib');
const { promisify } = require('util');
const { CompressionCodecs, CompressionTypes, ConfigResourceTypes, Kafka, logLevel } = require('kafkajs');
const lz4 = require('lz4-napi');
const SnappyCodec = require('kafkajs-snappy');
const { run, STATIC } = require('./scenario');

CompressionCodecs[CompressionTypes.Snappy] = SnappyCodec;
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: (encoder) => lz4.compressFrame(encoder.buffer),
  decompress: (buffer) => lz4.decompressFrame(buffer),
});
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: (encoder) => promisify(zlib.zstdCompress)(encoder.buffer),
  decompress: (buffer) => promisify(zlib.zstdDecompress)(buffer),
});
const CODECS = {
  none: CompressionTypes.None, gzip: CompressionTypes.GZIP, snappy: CompressionTypes.Snappy, lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
};

const kafka = new Kafka({
  clientId: 'scenario',
  brokers: process.env.MILLRACE_BOOTSTRAP.split(','),
  // Node verifies the chain and the host name of each broker against this CA alone.
  ssl: { ca: [fs.readFileSync(process.env.MILLRACE_CA_FILE, 'utf8')], rejectUnauthorized: true },
  sasl: { mechanism: 'plain', username: 'token', password: process.env.MILLRACE_API_KEY },
  retry: { retries: 20, initialRetryTime: 100, maxRetryTime: 1000 },
  logLevel: logLevel.ERROR,
});

const read = (partition, message) => ({
  partition,
  key: message.key,
  value: message.value,
  headers: Object.entries(message.headers ?? {}),
  timestamp: Number(message.timestamp),
  offset: Number(message.offset),
});

let readers = 0;

class KafkaJs {
  skips = { [STATIC]: 'kafkajs has no static members' };
  admin = kafka.admin();

  createTopic(topic, numPartitions) {
    return this.admin.createTopics({ topics: [{ topic, numPartitions }] });
  }

  async leaders(topic) {
    if (!(await this.admin.listTopics()).includes(topic)) return null;
    const { topics } = await this.admin.fetchTopicMetadata({ topics: [topic] });
    return topics[0].partitions.map(({ leader }) => leader);
  }

  async alter(name, setting, value) {
    await this.admin.alterConfigs({
      resources: [{ type: ConfigResourceTypes.TOPIC, name, configEntries: [{ name: setting, value }] }],
    });
  }

  async setting(name, setting) {
    const { resources } = await this.admin.describeConfigs({
      resources: [{ type: ConfigResourceTypes.TOPIC, name, configNames: [setting] }],
    });
    return resources[0].configEntries.find(({ configName }) => configName === setting).configValue;
  }

  grow(topic, count) {
    return this.admin.createPartitions({ topicPartitions: [{ topic, count }] });
  }

  deleteTopic(topic) {
    return this.admin.deleteTopics({ topics: [topic] });
  }

  async endOffsets(topic) {
    return (await this.admin.fetchTopicOffsets(topic)).map(({ high }) => Number(high));
  }

  async committed(groupId, topic) {
    const [{ partitions }] = await this.admin.fetchOffsets({ groupId, topics: [topic] });
    return partitions.reduce((sum, { offset }) => sum + Number(offset), 0);
  }

  async producer(codec, idempotent) {
    const producer = kafka.producer({ idempotent, ...(idempotent ? { maxInFlightRequests: 1 } : {}) });
    await producer.connect();
    return {
      sendAll: (topic, records) => producer.send({
        topic,
        acks: -1,
        compression: CODECS[codec],
        messages: records.map(({ headers, timestamp, ...record }) => ({
          ...record,
          headers: Object.fromEntries(headers),
          ...(timestamp === null ? {} : { timestamp: `${timestamp}` }),
        })),
      }),
      close: () => producer.disconnect(),
    };
  }

  // kafkajs reads in groups only: a group of its own for each reader. Pausing is part of joining, before anything is fetched.
  async reader(topic, partitions, onSeen, paused) {
    const consumer = kafka.consumer({ groupId: `reader-${++readers}` });
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    consumer.on(consumer.events.GROUP_JOIN, () => paused.length > 0 && consumer.pause([{ topic, partitions: paused }]));
    await consumer.run({
      autoCommit: false,
      eachMessage: async ({ partition, message }) => {
        if (partitions.includes(partition)) onSeen(read(partition, message));
      },
    });
    return {
      seek: (partition, offset) => consumer.seek({ topic, partition, offset: `${offset}` }),
      resume: (partition) => consumer.resume([{ topic, partitions: [partition] }]),
      close: () => consumer.disconnect(),
    };
  }

  async member(groupId, topic, _instanceId, onSeen) {
    const consumer = kafka.consumer({ groupId, heartbeatInterval: 500 });
    const next = new Map();
    const member = {
      assigned: [],
      rebalances: 0,
      commit: () => consumer.commitOffsets([...next].map(([partition, offset]) => ({ topic, partition, offset }))),
      close: () => consumer.disconnect(),
    };
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      member.assigned = payload.memberAssignment[topic] ?? [];
      member.rebalances++;
      next.clear();
      onSeen();
    });
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachMessage: async ({ partition, message }) => {
        next.set(partition, `${Number(message.offset) + 1}`);
        onSeen(read(partition, message));
      },
    });
    return member;
  }
}

const client = new KafkaJs();
client.admin.connect().then(() => run(client));
