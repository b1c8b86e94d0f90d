// SPDX-License-Identifier: Apache-2.0
// The scenario of tests/clients/README.md with kafka-clients. One line per sentence; the first failure ends it.

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;

public final class Scenario {
    private static final int PARTITIONS = 3;
    private static final int RECORDS_PER_CODEC = 60;
    private static final int PATIENCE_S = 45;
    private static final List<String> CODECS = List.of("none", "gzip", "snappy", "lz4", "zstd");

    private interface Work {
        void run() throws Exception;
    }

    private final Kafka kafka = new Kafka();
    private final long moment = System.currentTimeMillis() - 60000;
    private int sent;

    private static void step(String sentence, Work work) {
        try {
            work.run();
        } catch (Exception error) {
            System.out.println("FAILED " + sentence + ": " + error + (error.getCause() == null ? "" : ": " + error.getCause()));
            System.exit(1);
        }
        System.out.println("ok " + sentence);
    }

    private static void expect(Object actual, Object wanted, String what) {
        if (!actual.equals(wanted)) {
            throw new IllegalStateException(what + ": " + actual + ", not " + wanted);
        }
    }

    // Administration

    private void expectPartitions(String topic, int count) throws Exception {
        TopicDescription found = kafka.describe(topic);
        expect(found.partitions().stream().map(one -> one.partition()).collect(Collectors.toList()),
            IntStream.range(0, count).boxed().collect(Collectors.toList()), "partitions");
        expect(found.partitions().stream().allMatch(one -> one.leader() != null), true, "every partition has a leader");
    }

    private void administration() {
        step("a topic is created with three partitions", () -> kafka.createTopic("admin", PARTITIONS));
        step("it is described", () -> expectPartitions("admin", PARTITIONS));
        step("a setting is altered and read back", () -> {
            kafka.alter("admin", "retention.ms", "7200000");
            expect(kafka.setting("admin", "retention.ms"), "7200000", "retention.ms");
        });
        step("it grows to five partitions", () -> {
            kafka.grow("admin", 5);
            expectPartitions("admin", 5);
        });
        step("it is deleted", () -> {
            kafka.delete("admin");
            expect(kafka.describe("admin") == null, true, "the topic is gone");
        });
    }

    // Producing and reading back

    private List<ProducerRecord<byte[], byte[]>> codecRecords(String codec) {
        List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>();
        for (int i = 0; i < RECORDS_PER_CODEC; i++) {
            byte[] key = i % 10 == 0 ? null : (codec + "-" + i).getBytes(StandardCharsets.UTF_8);
            String text = i % 10 == 2 ? "" : codec + " " + i + " " + "x".repeat(500);
            byte[] value = i % 10 == 1 ? null : text.getBytes(StandardCharsets.UTF_8);
            ProducerRecord<byte[], byte[]> record = new ProducerRecord<>("codecs", i % PARTITIONS, moment + i, key, value);
            record.headers().add("codec", codec.getBytes(StandardCharsets.UTF_8));
            record.headers().add("bytes", new byte[] {0, (byte) 255, (byte) i});
            records.add(record);
        }
        return records;
    }

    private static ProducerRecord<byte[], byte[]> numbered(String topic, int number) {
        return new ProducerRecord<>(topic, number % PARTITIONS, null, Integer.toString(number).getBytes(StandardCharsets.UTF_8));
    }

    private static void awaitAll(List<Future<RecordMetadata>> acknowledgements) throws Exception {
        for (Future<RecordMetadata> one : acknowledgements) {
            one.get(PATIENCE_S, TimeUnit.SECONDS);
        }
    }

    private void produce(List<ProducerRecord<byte[], byte[]>> records, String codec, boolean idempotent) throws Exception {
        try (KafkaProducer<byte[], byte[]> producer = kafka.producer(codec, idempotent)) {
            awaitAll(records.stream().map(producer::send).collect(Collectors.toList()));
        }
    }

    private KafkaConsumer<byte[], byte[]> reader(String topic, Integer... partitions) {
        KafkaConsumer<byte[], byte[]> consumer = kafka.consumer(null, null);
        List<TopicPartition> assigned = Arrays.stream(partitions).map(p -> new TopicPartition(topic, p)).collect(Collectors.toList());
        consumer.assign(assigned);
        consumer.seekToBeginning(assigned);
        return consumer;
    }

    private static void pollUntil(KafkaConsumer<byte[], byte[]> consumer, Collection<ConsumerRecord<byte[], byte[]>> seen,
                                  String what, BooleanSupplier isDone) {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_S);
        while (!isDone.getAsBoolean()) {
            if (System.nanoTime() > deadline) {
                throw new IllegalStateException(what + ": not in time, after " + seen.size() + " records");
            }
            consumer.poll(Duration.ofMillis(100)).forEach(seen::add);
        }
    }

    /** Every record of a topic up to its end, per partition; offsets must be without a gap. */
    private Map<Integer, List<ConsumerRecord<byte[], byte[]>>> readAll(String topic) {
        List<ConsumerRecord<byte[], byte[]>> seen = new ArrayList<>();
        Map<Integer, List<ConsumerRecord<byte[], byte[]>>> found = new TreeMap<>();
        try (KafkaConsumer<byte[], byte[]> consumer = reader(topic, 0, 1, 2)) {
            long end = consumer.endOffsets(consumer.assignment()).values().stream().mapToLong(Long::longValue).sum();
            pollUntil(consumer, seen, "the end of " + topic, () -> seen.size() >= end);
        }
        IntStream.range(0, PARTITIONS).forEach(partition -> found.put(partition, new ArrayList<>()));
        for (ConsumerRecord<byte[], byte[]> record : seen) {
            expect(record.offset(), (long) found.get(record.partition()).size(), "offset without a gap");
            found.get(record.partition()).add(record);
        }
        return found;
    }

    private static String text(byte[] bytes) {
        return bytes == null ? "null" : Arrays.toString(bytes);
    }

    private static String headers(Iterable<Header> headers) {
        StringBuilder all = new StringBuilder();
        headers.forEach(header -> all.append(header.key()).append('=').append(text(header.value())).append(';'));
        return all.toString();
    }

    private void everyByte() {
        Map<Integer, List<ConsumerRecord<byte[], byte[]>>> found = readAll("codecs");
        int[] next = new int[PARTITIONS];
        for (String codec : CODECS) {
            for (ProducerRecord<byte[], byte[]> wanted : codecRecords(codec)) {
                ConsumerRecord<byte[], byte[]> actual = found.get(wanted.partition()).get(next[wanted.partition()]++);
                expect(text(actual.key()), text(wanted.key()), "key");
                expect(text(actual.value()), text(wanted.value()), "value");
                expect(headers(actual.headers()), headers(wanted.headers()), "headers");
                expect(actual.timestamp(), wanted.timestamp(), "timestamp");
            }
        }
        for (int partition = 0; partition < PARTITIONS; partition++) {
            expect(found.get(partition).size(), next[partition], "records of partition " + partition);
        }
    }

    private void expectNumbers(String topic, int count) {
        readAll(topic).forEach((partition, records) -> expect(
            records.stream().map(record -> Integer.parseInt(new String(record.value()))).collect(Collectors.toList()),
            IntStream.range(0, count).filter(n -> n % PARTITIONS == partition).boxed().collect(Collectors.toList()),
            "numbers in partition " + partition));
    }

    private void idempotent() throws Exception {
        kafka.createTopic("idempotent", PARTITIONS);
        produce(IntStream.range(0, 300).mapToObj(i -> numbered("idempotent", i)).collect(Collectors.toList()), "none", true);
        expectNumbers("idempotent", 300);
    }

    private void surviveKill() throws Exception {
        List<Future<RecordMetadata>> acknowledgements = new ArrayList<>();
        kafka.createTopic("kill", PARTITIONS);
        try (KafkaProducer<byte[], byte[]> producer = kafka.producer("none", true)) {
            for (int i = 0; i < 100; i++) {
                acknowledgements.add(producer.send(numbered("kill", i)));
            }
            awaitAll(acknowledgements);
            Process killer = new ProcessBuilder(System.getenv("MILLRACE_KILL_BROKER")).inheritIO().start();
            while (!killer.waitFor(2, TimeUnit.MILLISECONDS)) {
                acknowledgements.add(producer.send(numbered("kill", acknowledgements.size())));
            }
            expect(killer.exitValue(), 0, "status of the killer");
            for (int i = 0; i < 300; i++) {
                acknowledgements.add(producer.send(numbered("kill", acknowledgements.size())));
            }
            awaitAll(acknowledgements);
        }
        expectNumbers("kill", acknowledgements.size());
    }

    // The group

    private void eachReachesOne(Members members, int count) throws Exception {
        produce(IntStream.range(sent, sent + count).mapToObj(i -> numbered("group", i)).collect(Collectors.toList()), "none", false);
        sent += count;
        members.pollUntil(sent + " records", () -> members.seen.size() >= sent);
        members.commit();
        expect(members.seen.size(), sent, "records read by the group");
        expect(new HashSet<>(members.seen).size(), sent, "different records read by the group");
    }

    private void group() throws Exception {
        Members members = new Members(kafka, "group");

        kafka.createTopic("group", PARTITIONS);
        step("three members share three partitions", () -> {
            members.join(null);
            members.join(null);
            members.join("static-1");
            members.pollUntil("one partition for each of three", () -> members.shares().equals(List.of(1, 1, 1)));
        });
        step("each record reaches one member", () -> eachReachesOne(members, 300));
        step("a member leaves and its partition goes to another", () -> {
            members.leave(0);
            members.pollUntil("all partitions with two members", () -> members.shares().equals(List.of(1, 2)));
            eachReachesOne(members, 30);
        });
        step("a static member comes back to its partitions", () -> {
            Members.Member other = members.get(0);
            Collection<TopicPartition> before = members.get(1).consumer.assignment();
            int rebalances = other.rebalances;
            members.leave(1);
            Members.Member back = members.join("static-1");
            members.pollUntil("its partitions", () -> back.consumer.assignment().equals(before));
            eachReachesOne(members, 30);
            expect(other.rebalances, rebalances, "rebalances of the other member");
        });
        members.close();
        step("committed offsets are read back", () -> expect(kafka.committed("group"), (long) sent, "sum of committed offsets"));
    }

    // Moving about

    private void seek() {
        List<ConsumerRecord<byte[], byte[]>> seen = new ArrayList<>();
        try (KafkaConsumer<byte[], byte[]> consumer = reader("group", 1)) {
            pollUntil(consumer, seen, "a first record", () -> !seen.isEmpty());
            expect(seen.get(0).offset(), 0L, "first offset");
            seen.clear();
            consumer.seek(new TopicPartition("group", 1), 50);
            pollUntil(consumer, seen, "a record after the seek", () -> !seen.isEmpty());
            expect(seen.get(0).offset(), 50L, "offset after the seek");
        }
    }

    private void pause() {
        int each = sent / PARTITIONS;
        List<TopicPartition> silent = List.of(new TopicPartition("group", 0));
        List<ConsumerRecord<byte[], byte[]>> seen = new ArrayList<>();
        try (KafkaConsumer<byte[], byte[]> consumer = reader("group", 0, 1)) {
            consumer.pause(silent);
            pollUntil(consumer, seen, "partition 1", () -> seen.size() >= each);
            expect(seen.stream().allMatch(record -> record.partition() == 1), true, "0 is silent");
            consumer.resume(silent);
            pollUntil(consumer, seen, "partition 0", () -> seen.size() >= 2 * each);
            expect(seen.stream().filter(record -> record.partition() == 0).count(), (long) each, "records of partition 0");
        }
    }

    private void partOne() throws Exception {
        administration();
        kafka.createTopic("codecs", PARTITIONS);
        for (String codec : CODECS) {
            step("records go out " + (codec.equals("none") ? "uncompressed" : "with " + codec),
                () -> produce(codecRecords(codec), codec, false));
        }
        step("every byte comes back", this::everyByte);
        group();
        step("seek goes to the offset", this::seek);
        step("a paused partition is silent until it is resumed", this::pause);
        step("an idempotent producer writes each record once", this::idempotent);
    }

    public static void main(String[] arguments) throws Exception {
        Scenario scenario = new Scenario();
        if (System.getenv("MILLRACE_PART").equals("2")) {
            step("an idempotent producer survives a killed broker", scenario::surviveKill);
        } else {
            scenario.partOne();
        }
        System.exit(0);
    }
}
