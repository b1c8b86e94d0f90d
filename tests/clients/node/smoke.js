// SPDX-License-Identifier: Apache-2.0
// Smoke of kafkajs: admin, produce, idempotent produce, group, commit, over SASL_SSL with an API key. The runner gives
// the instance in the environment; see tests/clients/README.md. One line per check; the first failure ends it.
'use strict';

const fs = require('fs');
const { Kafka, logLevel } = require('kafkajs');

const RECORDS_PER_PRODUCER = 50;
const DEADLINE_MS = 60000;
const topic = `${process.env.MILLRACE_PREFIX}kafkajs`;
const groupId = `${topic}-group`;

const kafka = new Kafka({
  clientId: 'kafkajs-smoke',
  brokers: process.env.MILLRACE_BOOTSTRAP.split(','),
  // Node verifies the chain and the host name of each broker against this CA alone.
  ssl: { ca: [fs.readFileSync(process.env.MILLRACE_CA_FILE, 'utf8')], rejectUnauthorized: true },
  sasl: { mechanism: 'plain', username: 'token', password: process.env.MILLRACE_API_KEY },
  logLevel: logLevel.ERROR,
});

async function check(what, work) {
  try {
    await work();
  } catch (error) {
    console.log(`FAILED kafkajs: ${what}: ${error.message}`);
    process.exit(1);
  }
  console.log(`ok kafkajs: ${what}`);
}

function expect(actual, wanted, what) {
  if (actual !== wanted) throw new Error(`${what}: ${actual}, not ${wanted}`);
}

async function produce(origin, options) {
  const producer = kafka.producer(options);
  const messages = Array.from({ length: RECORDS_PER_PRODUCER }, (_, i) => ({
    key: `${origin}-${i % 7}`,
    value: `${origin} ${i}`,
  }));

  await producer.connect();
  await producer.send({ topic, acks: -1, messages });
  await producer.disconnect();
}

async function consumeAndCommit() {
  const consumer = kafka.consumer({ groupId });
  const seen = new Set();
  const next = new Map();

  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await new Promise((resolve, reject) => {
    consumer
      .run({
        autoCommit: false,
        eachMessage: async ({ partition, message }) => {
          seen.add(message.value.toString());
          next.set(partition, String(Number(message.offset) + 1));
          if (seen.size === 2 * RECORDS_PER_PRODUCER) resolve();
        },
      })
      .catch(reject);
  });
  await consumer.commitOffsets([...next].map(([partition, offset]) => ({ topic, partition, offset })));
  await consumer.disconnect();
}

async function main() {
  const admin = kafka.admin();

  await check('connect', () => admin.connect());
  await check('create topic', () => admin.createTopics({ topics: [{ topic, numPartitions: 3 }] }));
  await check('describe topic', async () => {
    const metadata = await admin.fetchTopicMetadata({ topics: [topic] });
    expect(metadata.topics[0].partitions.length, 3, 'partitions');
  });
  await check('produce', () => produce('plain', { idempotent: false }));
  await check('idempotent produce', () => produce('idempotent', { idempotent: true, maxInFlightRequests: 1 }));
  await check('consume in group and commit', consumeAndCommit);
  await check('read committed offsets', async () => {
    const offsets = await admin.fetchOffsets({ groupId, topics: [topic] });
    const sum = offsets[0].partitions.reduce((total, { offset }) => total + Math.max(Number(offset), 0), 0);
    expect(sum, 2 * RECORDS_PER_PRODUCER, 'sum of committed offsets');
  });
  await check('delete topic', () => admin.deleteTopics({ topics: [topic] }));
  await admin.disconnect();
}

setTimeout(() => {
  console.log(`FAILED kafkajs: not done after ${DEADLINE_MS} ms`);
  process.exit(1);
}, DEADLINE_MS).unref();
main();
