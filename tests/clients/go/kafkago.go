// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl/plain"
)

// kafkaGo is segmentio's kafka-go: its Client for administration, Writer, Reader of one partition, and ConsumerGroup.
type kafkaGo struct {
	client    *kafka.Client
	transport *kafka.Transport
	dialer    *kafka.Dialer
}

func newKafkaGo(string) (client, error) {
	config, err := tlsConfig()
	if err != nil {
		return nil, err
	}
	login := plain.Mechanism{Username: "token", Password: os.Getenv("MILLRACE_API_KEY")}
	transport := &kafka.Transport{TLS: config, SASL: login}
	return &kafkaGo{
		client:    &kafka.Client{Addr: kafka.TCP(bootstrap()...), Transport: transport, Timeout: patience},
		transport: transport,
		dialer:    &kafka.Dialer{TLS: config, SASLMechanism: login, Timeout: patience},
	}, nil
}

func (k *kafkaGo) skips() map[string]string {
	const noIdempotence = "kafka-go has no idempotent producer"
	return map[string]string{
		staticSentence: "kafka-go has no static members",
		"a paused partition is silent until it is resumed": "kafka-go reads one partition a reader, there is nothing to pause",
		"an idempotent producer writes each record once":   noIdempotence,
		"an idempotent producer survives a killed broker":  noIdempotence,
	}
}

func (k *kafkaGo) tellsNullFromEmpty() bool {
	return false
}

func (k *kafkaGo) createTopic(topic string, count int) error {
	ctx, cancel := soon()
	defer cancel()
	answer, err := k.client.CreateTopics(ctx, &kafka.CreateTopicsRequest{
		Topics: []kafka.TopicConfig{{Topic: topic, NumPartitions: count, ReplicationFactor: -1}}})
	if err != nil {
		return err
	}
	return answer.Errors[topic]
}

// leaders asks the broker on a connection of its own: a Client answers from what it heard some seconds ago.
func (k *kafkaGo) leaders(topic string) ([]int32, error) {
	ctx, cancel := soon()
	defer cancel()
	conn, err := k.dialer.DialContext(ctx, "tcp", bootstrap()[0])
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	found, err := conn.ReadPartitions(topic)
	if errors.Is(err, kafka.UnknownTopicOrPartition) {
		return nil, nil
	}
	leaders := make([]int32, len(found))
	for _, one := range found {
		leaders[one.ID] = int32(one.Leader.ID)
	}
	return leaders, err
}

func (k *kafkaGo) alter(topic, setting, value string) error {
	ctx, cancel := soon()
	defer cancel()
	answer, err := k.client.IncrementalAlterConfigs(ctx, &kafka.IncrementalAlterConfigsRequest{
		Resources: []kafka.IncrementalAlterConfigsRequestResource{{
			ResourceType: kafka.ResourceTypeTopic, ResourceName: topic,
			Configs: []kafka.IncrementalAlterConfigsRequestConfig{{Name: setting, Value: value, ConfigOperation: kafka.ConfigOperationSet}},
		}}})
	if err != nil {
		return err
	}
	return answer.Resources[0].Error
}

func (k *kafkaGo) setting(topic, setting string) (string, error) {
	ctx, cancel := soon()
	defer cancel()
	answer, err := k.client.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{
		Resources: []kafka.DescribeConfigRequestResource{{
			ResourceType: kafka.ResourceTypeTopic, ResourceName: topic, ConfigNames: []string{setting}}}})
	if err != nil {
		return "", err
	}
	for _, entry := range answer.Resources[0].ConfigEntries {
		if entry.ConfigName == setting {
			return entry.ConfigValue, answer.Resources[0].Error
		}
	}
	return "", errors.Join(answer.Resources[0].Error, fmt.Errorf("%s is not described", setting))
}

func (k *kafkaGo) grow(topic string, count int) error {
	ctx, cancel := soon()
	defer cancel()
	answer, err := k.client.CreatePartitions(ctx, &kafka.CreatePartitionsRequest{
		Topics: []kafka.TopicPartitionsConfig{{Name: topic, Count: int32(count)}}})
	if err != nil {
		return err
	}
	return answer.Errors[topic]
}

func (k *kafkaGo) deleteTopic(topic string) error {
	ctx, cancel := soon()
	defer cancel()
	answer, err := k.client.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{topic}})
	if err != nil {
		return err
	}
	return answer.Errors[topic]
}

func (k *kafkaGo) endOffset(topic string, partition int32) (int64, error) {
	ctx, cancel := soon()
	defer cancel()
	answer, err := k.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{
		Topics: map[string][]kafka.OffsetRequest{topic: {kafka.LastOffsetOf(int(partition))}}})
	if err != nil {
		return 0, err
	}
	return answer.Topics[topic][0].LastOffset, answer.Topics[topic][0].Error
}

func (k *kafkaGo) committed(group, topic string) (int64, error) {
	ctx, cancel := soon()
	defer cancel()
	answer, err := k.client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{
		GroupID: group, Topics: map[string][]int{topic: {0, 1, 2}}})
	if err != nil {
		return 0, err
	}
	var sum int64
	for _, one := range answer.Topics[topic] {
		sum += one.CommittedOffset
	}
	return sum, answer.Error
}

// kafkaGoProducer gathers records and writes them in flush: a Writer's call waits for the acknowledgement.
type kafkaGoProducer struct {
	writer  *kafka.Writer
	waiting []kafka.Message
}

func (k *kafkaGo) producer(codec string, _ bool) (producer, error) {
	return &kafkaGoProducer{writer: &kafka.Writer{
		Addr: kafka.TCP(bootstrap()...), Transport: k.transport, RequiredAcks: kafka.RequireAll, BatchTimeout: 20 * time.Millisecond,
		// The scenario names the partition of each record.
		Balancer: kafka.BalancerFunc(func(message kafka.Message, _ ...int) int { return message.WriterData.(int) }),
		Compression: map[string]kafka.Compression{"gzip": kafka.Gzip, "snappy": kafka.Snappy, "lz4": kafka.Lz4,
			"zstd": kafka.Zstd}[codec],
	}}, nil
}

func (p *kafkaGoProducer) send(topic string, r record) error {
	out := kafka.Message{Topic: topic, Key: r.key, Value: r.value, WriterData: int(r.partition)}
	for _, h := range r.headers {
		out.Headers = append(out.Headers, kafka.Header{Key: h.name, Value: h.value})
	}
	if r.timestamp != 0 {
		out.Time = time.UnixMilli(r.timestamp)
	}
	p.waiting = append(p.waiting, out)
	return nil
}

func (p *kafkaGoProducer) flush() error {
	ctx, cancel := soon()
	defer cancel()
	waiting := p.waiting
	p.waiting = nil
	return p.writer.WriteMessages(ctx, waiting...)
}

func (p *kafkaGoProducer) close() error {
	return p.writer.Close()
}

// kafkaGoReader runs one Reader for each partition and hands on what they read.
type kafkaGoReader struct {
	arrivals chan seen
	readers  map[int32]*kafka.Reader
}

func (k *kafkaGo) open(topic string, partition int32, offset int64) (*kafka.Reader, error) {
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: bootstrap(), Dialer: k.dialer, Topic: topic, Partition: int(partition),
		MinBytes: 1, MaxBytes: 1 << 20, MaxWait: 100 * time.Millisecond})
	return r, r.SetOffset(offset)
}

// forward reads until ctx or the reader ends.
func forward(ctx context.Context, from *kafka.Reader, to chan<- seen) {
	for {
		in, err := from.ReadMessage(ctx)
		if err != nil {
			return
		}
		r := record{partition: int32(in.Partition), key: in.Key, value: in.Value, timestamp: in.Time.UnixMilli()}
		for _, h := range in.Headers {
			r.headers = append(r.headers, header{h.Key, h.Value})
		}
		select {
		case to <- seen{in.Offset, r}:
		case <-ctx.Done():
			return
		}
	}
}

func pollArrivals(arrivals <-chan seen) []seen {
	select {
	case one := <-arrivals:
		return []seen{one}
	case <-time.After(100 * time.Millisecond):
		return nil
	}
}

func (k *kafkaGo) reader(topic string, from ...int32) (reader, error) {
	r := &kafkaGoReader{arrivals: make(chan seen), readers: map[int32]*kafka.Reader{}}
	for _, partition := range from {
		one, err := k.open(topic, partition, kafka.FirstOffset)
		if err != nil {
			return nil, err
		}
		r.readers[partition] = one
		go forward(context.Background(), one, r.arrivals)
	}
	return r, nil
}

func (r *kafkaGoReader) poll() ([]seen, error) {
	return pollArrivals(r.arrivals), nil
}

// seek lets go of the one record that was read before it and waits to be taken.
func (r *kafkaGoReader) seek(partition int32, offset int64) error {
	err := r.readers[partition].SetOffset(offset)
	<-r.arrivals
	return err
}

func (r *kafkaGoReader) pause(int32) {
}

func (r *kafkaGoReader) resume(int32) {
}

func (r *kafkaGoReader) close() error {
	for _, one := range r.readers {
		if err := one.Close(); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
	}
	return nil
}

// kafkaGoMember reads, in each generation, the partitions that the generation assigns.
type kafkaGoMember struct {
	kafkaGo  *kafkaGo
	topic    string
	group    *kafka.ConsumerGroup
	arrivals chan seen
	lock     sync.Mutex
	current  *kafka.Generation
	next     map[int]int64 // what to commit
	count    int
}

func (k *kafkaGo) member(group, topic, _ string) (member, error) {
	g, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{ID: group, Brokers: bootstrap(), Dialer: k.dialer, Topics: []string{topic},
		StartOffset: kafka.FirstOffset, HeartbeatInterval: time.Second})
	if err != nil {
		return nil, err
	}
	m := &kafkaGoMember{kafkaGo: k, topic: topic, group: g, arrivals: make(chan seen), next: map[int]int64{}}
	go func() {
		for {
			generation, err := g.Next(context.Background())
			if errors.Is(err, kafka.ErrGroupClosed) {
				return
			}
			if err == nil {
				m.start(generation)
			}
		}
	}()
	return m, nil
}

func (m *kafkaGoMember) start(generation *kafka.Generation) {
	m.lock.Lock()
	m.current = generation
	m.next = map[int]int64{}
	m.count++
	m.lock.Unlock()
	for _, assignment := range generation.Assignments[m.topic] {
		generation.Start(func(ctx context.Context) {
			from, err := m.kafkaGo.open(m.topic, int32(assignment.ID), assignment.Offset)
			if err == nil {
				forward(ctx, from, m.arrivals)
				_ = from.Close()
			}
		})
	}
}

func (m *kafkaGoMember) poll() ([]seen, error) {
	found := pollArrivals(m.arrivals)
	m.lock.Lock()
	defer m.lock.Unlock()
	for _, one := range found {
		m.next[int(one.record.partition)] = one.offset + 1
	}
	return found, nil
}

func (m *kafkaGoMember) assigned() map[int32]bool {
	m.lock.Lock()
	defer m.lock.Unlock()
	found := map[int32]bool{}
	if m.current != nil {
		for _, one := range m.current.Assignments[m.topic] {
			found[int32(one.ID)] = true
		}
	}
	return found
}

func (m *kafkaGoMember) rebalances() int {
	m.lock.Lock()
	defer m.lock.Unlock()
	return m.count
}

func (m *kafkaGoMember) commit() error {
	m.lock.Lock()
	defer m.lock.Unlock()
	return m.current.CommitOffsets(map[string]map[int]int64{m.topic: m.next})
}

func (m *kafkaGoMember) close() error {
	return m.group.Close()
}
