// SPDX-License-Identifier: Apache-2.0
// kafka-clients (Apache's own) from 2.8 to 4.x, as the scenario uses it: how to log in, administration, producers and
// consumers with an API key over SASL_SSL. One source for all versions.

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

final class Kafka {
    private static final int PATIENCE_S = 30;

    private final Admin admin = Admin.create(common());

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
        return properties;
    }

    KafkaProducer<byte[], byte[]> producer(String codec, boolean idempotent) {
        Properties properties = common();
        properties.put("compression.type", codec);
        properties.put("enable.idempotence", idempotent);
        properties.put("acks", "all");
        properties.put("linger.ms", 20);
        properties.put("key.serializer", "org.apache.kafka.common.serialization.ByteArraySerializer");
        properties.put("value.serializer", "org.apache.kafka.common.serialization.ByteArraySerializer");
        return new KafkaProducer<>(properties);
    }

    KafkaConsumer<byte[], byte[]> consumer(String group, String instanceId) {
        Properties properties = common();
        if (group != null) {
            properties.put("group.id", group);
        }
        if (instanceId != null) {
            properties.put("group.instance.id", instanceId);
        }
        properties.put("auto.offset.reset", "earliest");
        properties.put("enable.auto.commit", false);
        properties.put("key.deserializer", "org.apache.kafka.common.serialization.ByteArrayDeserializer");
        properties.put("value.deserializer", "org.apache.kafka.common.serialization.ByteArrayDeserializer");
        return new KafkaConsumer<>(properties);
    }

    private static <T> T await(KafkaFuture<T> future) throws Exception {
        return future.get(PATIENCE_S, TimeUnit.SECONDS);
    }

    void createTopic(String topic, int partitions) throws Exception {
        await(admin.createTopics(List.of(new NewTopic(topic, Optional.of(partitions), Optional.empty()))).all());
    }

    /** Null when the cluster does not know the topic. 3.1 renamed the call, 4.0 removed the old name. */
    @SuppressWarnings("unchecked")
    TopicDescription describe(String topic) throws Exception {
        Object result = admin.describeTopics(List.of(topic));
        Set<String> calls = List.of(result.getClass().getMethods()).stream().map(m -> m.getName()).collect(Collectors.toSet());
        Object future = result.getClass().getMethod(calls.contains("allTopicNames") ? "allTopicNames" : "all").invoke(result);
        try {
            return await((KafkaFuture<Map<String, TopicDescription>>) future).get(topic);
        } catch (ExecutionException error) {
            if (error.getCause() instanceof UnknownTopicOrPartitionException) {
                return null;
            }
            throw error;
        }
    }

    void alter(String topic, String setting, String value) throws Exception {
        await(admin.incrementalAlterConfigs(Map.of(new ConfigResource(ConfigResource.Type.TOPIC, topic),
            List.of(new AlterConfigOp(new ConfigEntry(setting, value), AlterConfigOp.OpType.SET)))).all());
    }

    String setting(String topic, String setting) throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        return await(admin.describeConfigs(List.of(resource)).all()).get(resource).get(setting).value();
    }

    void grow(String topic, int partitions) throws Exception {
        await(admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(partitions))).all());
    }

    void delete(String topic) throws Exception {
        await(admin.deleteTopics(List.of(topic)).all());
    }

    long committed(String group) throws Exception {
        return await(admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata()).values().stream()
            .mapToLong(OffsetAndMetadata::offset).sum();
    }
}
