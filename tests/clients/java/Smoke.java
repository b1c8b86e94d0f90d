// SPDX-License-Identifier: Apache-2.0
// Smoke of kafka-clients (Apache's own): admin, produce, idempotent produce, group, commit, over SASL_SSL with an API
// key. The runner gives the instance in the environment; see tests/clients/README.md. One line per check; the first
// failure ends it. Run from source: java -cp 'lib/*' Smoke.java

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;

public final class Smoke {
    private static final int RECORDS_PER_PRODUCER = 50;
    private static final String TOPIC = System.getenv("MILLRACE_PREFIX") + "kafka-clients";
    private static final String GROUP = TOPIC + "-group";

    private interface Work {
        void run() throws Exception;
    }

    private static void check(String what, Work work) {
        try {
            work.run();
        } catch (Exception error) {
            Throwable cause = error.getCause() == null ? error : error.getCause();
            System.out.println("FAILED kafka-clients: " + what + ": " + cause);
            System.exit(1);
        }
        System.out.println("ok kafka-clients: " + what);
    }

    private static void expect(long actual, long wanted, String what) {
        if (actual != wanted) {
            throw new IllegalStateException(what + ": " + actual + ", not " + wanted);
        }
    }

    private static Properties common() {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", System.getenv("MILLRACE_BOOTSTRAP"));
        properties.put("security.protocol", "SASL_SSL");
        properties.put("sasl.mechanism", "PLAIN");
        properties.put("sasl.jaas.config",
            "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"token\" password=\""
            + System.getenv("MILLRACE_API_KEY") + "\";");
        properties.put("ssl.truststore.type", "PEM");
        properties.put("ssl.truststore.location", System.getenv("MILLRACE_CA_FILE"));
        properties.put("ssl.endpoint.identification.algorithm", "https");
        properties.put("key.serializer", "org.apache.kafka.common.serialization.StringSerializer");
        properties.put("value.serializer", "org.apache.kafka.common.serialization.StringSerializer");
        properties.put("key.deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
        properties.put("value.deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
        return properties;
    }

    private static void produce(String origin, boolean idempotent) throws Exception {
        Properties properties = common();
        properties.put("enable.idempotence", idempotent);
        properties.put("acks", "all");
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(properties)) {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (int i = 0; i < RECORDS_PER_PRODUCER; i++) {
                sent.add(producer.send(new ProducerRecord<>(TOPIC, origin + "-" + i % 7, origin + " " + i)));
            }
            for (Future<RecordMetadata> one : sent) {
                one.get(30, TimeUnit.SECONDS);
            }
        }
    }

    private static void consumeAndCommit() {
        Properties properties = common();
        properties.put("group.id", GROUP);
        properties.put("auto.offset.reset", "earliest");
        properties.put("enable.auto.commit", false);
        Set<String> seen = new HashSet<>();
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(40);
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(properties)) {
            consumer.subscribe(List.of(TOPIC));
            while (seen.size() < 2 * RECORDS_PER_PRODUCER) {
                if (System.nanoTime() > deadline) {
                    throw new IllegalStateException("only " + seen.size() + " records consumed in time");
                }
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofSeconds(1))) {
                    seen.add(record.value());
                }
            }
            consumer.commitSync();
        }
    }

    public static void main(String[] arguments) {
        try (Admin admin = Admin.create(common())) {
            check("create topic", () -> admin.createTopics(
                List.of(new NewTopic(TOPIC, Optional.of(3), Optional.empty()))).all().get(30, TimeUnit.SECONDS));
            check("describe topic", () -> expect(admin.describeTopics(List.of(TOPIC)).allTopicNames()
                .get(30, TimeUnit.SECONDS).get(TOPIC).partitions().size(), 3, "partitions"));
            check("produce", () -> produce("plain", false));
            check("idempotent produce", () -> produce("idempotent", true));
            check("consume in group and commit", Smoke::consumeAndCommit);
            check("read committed offsets", () -> expect(
                admin.listConsumerGroupOffsets(GROUP).partitionsToOffsetAndMetadata().get(30, TimeUnit.SECONDS)
                    .values().stream().mapToLong(OffsetAndMetadata::offset).sum(),
                2 * RECORDS_PER_PRODUCER, "sum of committed offsets"));
            check("delete topic", () -> admin.deleteTopics(List.of(TOPIC)).all().get(30, TimeUnit.SECONDS));
        }
    }
}
