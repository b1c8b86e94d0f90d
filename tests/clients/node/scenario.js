// SPDX-License-Identifier: Apache-2.0
// The scenario of tests/clients/README.md, once for all Node clients: run(client). A client is an object of kafkajs.js or
// platformatic.js, in its library's own idiom; all its calls are asynchronous:
//   skips                              {sentence: why}, what the library cannot do
//   createTopic(topic, partitions), leaders(topic) → one of each partition, or null, alter(topic, setting, value),
//   setting(topic, setting), grow(topic, partitions), deleteTopic(topic), endOffsets(topic) → one of each partition,
//   committed(group, topic) → the sum
//   producer(codec, idempotent)        sendAll(topic, records), which waits for the acknowledgement, and close()
//   reader(topic, partitions, onSeen, paused)   from the beginning: seek(partition, offset), resume(partition), close()
//   member(group, topic, instanceId, onSeen)    assigned, rebalances, commit(), close(); calls onSeen() when they change
// A record is {partition, key, value, headers: [[name, bytes]], timestamp}, and has an offset when it was read.
'use strict';

const { spawn } = require('child_process');
const { EventEmitter, once } = require('events');

const CODECS = {
  none: 'records go out uncompressed',
  gzip: 'records go out with gzip',
  snappy: 'records go out with snappy',
  lz4: 'records go out with lz4',
  zstd: 'records go out with zstd',
};
const STATIC = 'a static member comes back to its partitions';
const RECORDS_PER_CODEC = 60;
const PARTITIONS = 3;
const PATIENCE_MS = 45000;

function expect(actual, wanted, what) {
  const shown = [actual, wanted].map((one) => JSON.stringify(one));
  if (shown[0] !== shown[1]) throw new Error(`${what}: ${shown[0]}, not ${shown[1]}`);
}

const numbered = (number) => ({ partition: number % PARTITIONS, key: null, value: Buffer.from(`${number}`), headers: [], timestamp: null });
const numbers = (from, end) => Array.from({ length: end - from }, (_, i) => numbered(from + i));

// Whoever has something new says `changed`; whoever waits looks again.
class Watched extends EventEmitter {
  async until(what, isSo) {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    while (!isSo()) {
      await once(this, 'changed', { signal }).catch(() => {
        throw new Error(`${what}: not within ${PATIENCE_MS} ms; ${this.state()}`);
      });
    }
  }
}

class Seen extends Watched {
  records = [];

  add(record) {
    if (record) this.records.push(record);
    this.emit('changed');
  }

  state() {
    return `${this.records.length} records read`;
  }
}

class Members extends Seen {
  members = [];

  constructor(client) {
    super();
    this.client = client;
  }

  async join(instanceId) {
    const member = await this.client.member('group', 'group', instanceId, (record) => this.add(record));
    this.members.push(member);
    return member;
  }

  async leave(index) {
    const [member] = this.members.splice(index, 1);
    await member.close();
  }

  // How many partitions each has, fewest first; nothing while two have the same one.
  shares() {
    const all = this.members.flatMap((member) => member.assigned);
    if (new Set(all).size !== all.length) return '';
    return this.members.map((member) => member.assigned.length).sort().join(' ');
  }

  state() {
    return `${super.state()}, assigned ${JSON.stringify(this.members.map((member) => member.assigned))}`;
  }
}

// A steady stream in batches: while one is on its way, the next gathers.
class Stream {
  waiting = [];
  pump = Promise.resolve();

  constructor(producer, topic) {
    this.producer = producer;
    this.topic = topic;
  }

  send(record) {
    this.waiting.push(record);
    if (this.waiting.length > 1) return;
    this.pump = this.pump.then(() => this.producer.sendAll(this.topic, this.waiting.splice(0)));
    this.pump.catch(() => {}); // told by flush
  }

  flush() {
    return this.pump;
  }
}

class Scenario {
  sent = 0; // numbered records in topic `group`
  moment = Date.now() - 60000;

  constructor(client) {
    this.client = client;
    this.group = new Members(client);
  }

  async step(sentence, work) {
    if (this.client.skips[sentence]) {
      console.log(`skipped ${sentence}: ${this.client.skips[sentence]}`);
      return;
    }
    try {
      await work();
    } catch (error) {
      console.log(`FAILED ${sentence}: ${error.stack}`);
      process.exit(1);
    }
    console.log(`ok ${sentence}`);
  }

  async partOne() {
    await this.step('a topic is created with three partitions', () => this.client.createTopic('admin', PARTITIONS));
    await this.step('it is described', () => this.expectPartitions('admin', PARTITIONS));
    await this.step('a setting is altered and read back', async () => {
      await this.client.alter('admin', 'retention.ms', '7200000');
      expect(await this.client.setting('admin', 'retention.ms'), '7200000', 'retention.ms');
    });
    await this.step('it grows to five partitions', async () => {
      await this.client.grow('admin', 5);
      await this.expectPartitions('admin', 5);
    });
    await this.step('it is deleted', async () => {
      await this.client.deleteTopic('admin');
      expect(await this.client.leaders('admin'), null, 'the deleted topic');
    });
    await this.client.createTopic('codecs', PARTITIONS);
    for (const [codec, sentence] of Object.entries(CODECS)) {
      await this.step(sentence, () => this.produce('codecs', this.codecRecords(codec), codec));
    }
    await this.step('every byte comes back', () => this.everyByte());
    await this.groupSteps();
    await this.step('committed offsets are read back', async () =>
      expect(await this.client.committed('group', 'group'), this.sent, 'sum of committed offsets'));
    await this.step('seek goes to the offset', () => this.seek());
    await this.step('a paused partition is silent until it is resumed', () => this.pause());
    await this.step('an idempotent producer writes each record once', async () => {
      await this.client.createTopic('idempotent', PARTITIONS);
      await this.produce('idempotent', numbers(0, 300), 'none', true);
      await this.expectNumbers('idempotent', 300);
    });
  }

  partTwo() {
    return this.step('an idempotent producer survives a killed broker', () => this.surviveKill());
  }

  async expectPartitions(topic, count) {
    const leaders = await this.client.leaders(topic);
    expect(leaders.length, count, 'partitions');
    expect(leaders.filter((leader) => !(leader >= 0)), [], 'partitions without a leader');
  }

  // Producing and reading back

  codecRecords(codec) {
    return Array.from({ length: RECORDS_PER_CODEC }, (_, i) => ({
      partition: i % PARTITIONS,
      key: i % 10 === 0 ? null : Buffer.from(`${codec}-${i}`),
      value: i % 10 === 1 ? null : Buffer.from(i % 10 === 2 ? '' : `${codec} ${i} ${'x'.repeat(500)}`),
      headers: [['codec', Buffer.from(codec)], ['bytes', Buffer.from([0, 255, i])]],
      timestamp: this.moment + i,
    }));
  }

  async produce(topic, records, codec = 'none', idempotent = false) {
    const producer = await this.client.producer(codec, idempotent);
    await producer.sendAll(topic, records);
    await producer.close();
  }

  // Every record of a topic up to its end, per partition; offsets must be without a gap.
  async readAll(topic) {
    const seen = new Seen();
    const end = (await this.client.endOffsets(topic)).reduce((sum, offset) => sum + offset, 0);
    const reader = await this.client.reader(topic, [0, 1, 2], (record) => seen.add(record), []);
    await seen.until(`${end} records`, () => seen.records.length >= end);
    await reader.close();
    const found = Array.from({ length: PARTITIONS }, () => []);
    for (const { offset, ...record } of seen.records) {
      expect(offset, found[record.partition].length, 'offset without a gap');
      found[record.partition].push(record);
    }
    return found;
  }

  async everyByte() {
    const wanted = Object.entries(CODECS)
      .filter(([, sentence]) => !this.client.skips[sentence])
      .flatMap(([codec]) => this.codecRecords(codec));
    const found = await this.readAll('codecs');
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const here = wanted.filter((record) => record.partition === partition);
      expect(found[partition].length, here.length, `records of partition ${partition}`);
      found[partition].forEach((record, i) => expect(record, here[i], 'record'));
    }
  }

  async expectNumbers(topic, count) {
    const found = await this.readAll(topic);
    found.forEach((records, partition) => expect(
      records.map((record) => Number(record.value)),
      numbers(0, count).filter((record) => record.partition === partition).map((record) => Number(record.value)),
      `numbers in partition ${partition}`));
  }

  async surviveKill() {
    await this.client.createTopic('kill', PARTITIONS);
    const producer = await this.client.producer('none', true);
    await producer.sendAll('kill', numbers(0, 100));
    const stream = new Stream(producer, 'kill');
    let sent = 100;
    const pace = setInterval(() => stream.send(numbered(sent++)), 2);
    const [status] = await once(spawn(process.env.MILLRACE_KILL_BROKER, { stdio: 'inherit' }), 'exit');
    clearInterval(pace);
    expect(status, 0, 'status of the killer');
    for (let i = 0; i < 300; i++) stream.send(numbered(sent++));
    await stream.flush();
    await producer.close();
    await this.expectNumbers('kill', sent);
  }

  // The group

  async groupSteps() {
    const group = this.group;
    await this.client.createTopic('group', PARTITIONS);
    await this.step('three members share three partitions', async () => {
      for (const instanceId of [null, null, 'static-1']) await group.join(instanceId);
      await group.until('one partition for each of three', () => group.shares() === '1 1 1');
    });
    await this.step('each record reaches one member', () => this.eachReachesOne(300));
    await this.step('a member leaves and its partition goes to another', async () => {
      await group.leave(0);
      await group.until('all partitions with two members', () => group.shares() === '1 2');
      await this.eachReachesOne(30);
    });
    await this.step(STATIC, async () => {
      const [other, { assigned: before }] = group.members;
      const { rebalances } = other;
      await group.leave(1);
      const back = await group.join('static-1');
      await group.until('its partitions', () => `${back.assigned}` === `${before}`);
      await this.eachReachesOne(30);
      expect(other.rebalances, rebalances, 'rebalances of the other member');
    });
    while (group.members.length > 0) await group.leave(0);
  }

  async eachReachesOne(count) {
    const { group } = this;
    await this.produce('group', numbers(this.sent, this.sent + count));
    this.sent += count;
    await group.until(`${this.sent} records`, () => group.records.length >= this.sent);
    for (const member of group.members) await member.commit();
    const read = group.records.map((record) => Number(record.value)).sort((a, b) => a - b);
    expect(read, Array.from({ length: this.sent }, (_, i) => i), 'numbers read by the group');
  }

  // Moving about

  async seek() {
    const seen = new Seen();
    const reader = await this.client.reader('group', [1], (record) => seen.add(record), []);
    await seen.until('a first record', () => seen.records.length > 0);
    expect(seen.records[0].offset, 0, 'first offset');
    await reader.seek(1, 50);
    // What was read ahead may still come; the next record after a step back or a leap is that of the seek.
    const leap = (record, i) => i > 0 && record.offset !== seen.records[i - 1].offset + 1;
    await seen.until('a leap', () => seen.records.some(leap));
    expect(seen.records.find(leap).offset, 50, 'offset after the seek');
    await reader.close();
  }

  async pause() {
    const seen = new Seen();
    const each = this.sent / PARTITIONS;
    const reader = await this.client.reader('group', [0, 1], (record) => seen.add(record), [0]);
    await seen.until('partition 1', () => seen.records.length >= each);
    expect(seen.records.filter((record) => record.partition === 0).length, 0, 'records of the paused partition');
    await reader.resume(0);
    await seen.until('partition 0', () => seen.records.length >= 2 * each);
    await reader.close();
  }
}

async function run(client) {
  const scenario = new Scenario(client);
  await (process.env.MILLRACE_PART === '2' ? scenario.partTwo() : scenario.partOne());
  process.exit(0);
}

module.exports = { run, STATIC };
