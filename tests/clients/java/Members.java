// SPDX-License-Identifier: Apache-2.0
// The members of the scenario's group. kafka-clients bounds each poll, so one thread polls them in turn.

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;

final class Members {
    static final class Member implements ConsumerRebalanceListener {
        final KafkaConsumer<byte[], byte[]> consumer;
        int rebalances;

        private Member(KafkaConsumer<byte[], byte[]> consumer, String topic) {
            this.consumer = consumer;
            consumer.subscribe(List.of(topic), this);
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
        }

        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            rebalances++;
        }
    }

    private static final int PATIENCE_S = 45;

    private final Kafka kafka;
    private final String name;
    private final List<Member> members = new ArrayList<>();
    /** The numbers that all members together have read, in the order of reading. */
    final List<Integer> seen = new ArrayList<>();

    Members(Kafka kafka, String name) {
        this.kafka = kafka;
        this.name = name;
    }

    Member join(String instanceId) {
        Member member = new Member(kafka.consumer(name, instanceId), name);
        members.add(member);
        return member;
    }

    void leave(int index) {
        members.remove(index).consumer.close();
    }

    Member get(int index) {
        return members.get(index);
    }

    /** How many partitions each has, fewest first; empty while two have the same one. */
    List<Integer> shares() {
        List<TopicPartition> all = new ArrayList<>();
        members.forEach(member -> all.addAll(member.consumer.assignment()));
        if (Set.copyOf(all).size() != all.size()) {
            return List.of();
        }
        return members.stream().map(member -> member.consumer.assignment().size()).sorted().collect(Collectors.toList());
    }

    void pollUntil(String what, BooleanSupplier isSo) {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_S);
        while (!isSo.getAsBoolean()) {
            if (System.nanoTime() > deadline) {
                throw new IllegalStateException(what + ": not within " + PATIENCE_S + " s; shares " + shares() + ", "
                    + seen.size() + " records read");
            }
            for (Member member : members) {
                for (ConsumerRecord<byte[], byte[]> record : member.consumer.poll(Duration.ofMillis(50))) {
                    seen.add(Integer.parseInt(new String(record.value())));
                }
            }
        }
    }

    void commit() {
        members.forEach(member -> member.consumer.commitSync());
    }

    void close() {
        members.forEach(member -> member.consumer.close());
        members.clear();
    }
}
