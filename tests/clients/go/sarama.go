// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// saramaClient is sarama. It speaks as a client of the Kafka release that it is told; without `as-4.3.1` at the end of the
// version that is sarama's own default.
type saramaClient struct {
	release sarama.KafkaVersion
	client  sarama.Client
	admin   sarama.ClusterAdmin
}

func newSarama(version string) (client, error) {
	s := &saramaClient{release: sarama.DefaultVersion}
	if _, release, is := strings.Cut(version, "-as-"); is {
		var err error
		if s.release, err = sarama.ParseKafkaVersion(release); err != nil {
			return nil, err
		}
	}
	config, err := s.config()
	if err != nil {
		return nil, err
	}
	if s.client, err = sarama.NewClient(bootstrap(), config); err != nil {
		return nil, err
	}
	s.admin, err = sarama.NewClusterAdminFromClient(s.client)
	return s, err
}

func (s *saramaClient) config() (*sarama.Config, error) {
	config := sarama.NewConfig()
	authorities, err := tlsConfig()
	config.Version = s.release
	config.Net.TLS.Enable = true
	config.Net.TLS.Config = authorities
	config.Net.SASL.Enable = true
	config.Net.SASL.User = "token"
	config.Net.SASL.Password = os.Getenv("MILLRACE_API_KEY")
	if !s.release.IsAtLeast(sarama.V2_3_0_0) {
		// As clients of long ago: SASL tokens without a Kafka frame, and nobody asks for versions.
		config.Net.SASL.Version = sarama.SASLHandshakeV0
		config.ApiVersionsRequest = false
	}
	return config, err
}

func (s *saramaClient) skips() map[string]string {
	if s.release.IsAtLeast(sarama.V2_3_0_0) {
		return nil
	}
	return map[string]string{staticSentence: "static members came with Kafka 2.3"}
}

func (s *saramaClient) tellsNullFromEmpty() bool {
	return true
}

func (s *saramaClient) createTopic(topic string, count int) error {
	replicas := int16(1)
	if s.release.IsAtLeast(sarama.V2_4_0_0) {
		replicas = -1
	}
	return s.admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: int32(count), ReplicationFactor: replicas}, false)
}

func (s *saramaClient) leaders(topic string) ([]int32, error) {
	found, err := s.admin.DescribeTopics([]string{topic})
	if err != nil || errors.Is(found[0].Err, sarama.ErrUnknownTopicOrPartition) {
		return nil, err
	}
	if !errors.Is(found[0].Err, sarama.ErrNoError) {
		return nil, found[0].Err
	}
	leaders := make([]int32, len(found[0].Partitions))
	for _, one := range found[0].Partitions {
		leaders[one.ID] = one.Leader
	}
	return leaders, nil
}

func (s *saramaClient) alter(topic, setting, value string) error {
	if !s.release.IsAtLeast(sarama.V2_3_0_0) {
		return s.admin.AlterConfig(sarama.TopicResource, topic, map[string]*string{setting: &value}, false)
	}
	return s.admin.IncrementalAlterConfig(sarama.TopicResource, topic, map[string]sarama.IncrementalAlterConfigsEntry{
		setting: {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &value}}, false)
}

func (s *saramaClient) setting(topic, setting string) (string, error) {
	entries, err := s.admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: topic, ConfigNames: []string{setting}})
	if err != nil {
		return "", err
	}
	for _, entry := range entries {
		if entry.Name == setting {
			return entry.Value, nil
		}
	}
	return "", fmt.Errorf("%s is not described", setting)
}

func (s *saramaClient) grow(topic string, count int) error {
	return s.admin.CreatePartitions(topic, int32(count), nil, false)
}

func (s *saramaClient) deleteTopic(topic string) error {
	return s.admin.DeleteTopic(topic)
}

func (s *saramaClient) endOffset(topic string, partition int32) (int64, error) {
	return s.client.GetOffset(topic, partition, sarama.OffsetNewest)
}

func (s *saramaClient) committed(group, topic string) (int64, error) {
	answer, err := s.admin.ListConsumerGroupOffsets(group, map[string][]int32{topic: {0, 1, 2}})
	if err != nil {
		return 0, err
	}
	var sum int64
	for _, block := range answer.Blocks[topic] {
		sum += block.Offset
	}
	return sum, nil
}

type saramaProducer struct {
	producer sarama.AsyncProducer
	pending  sync.WaitGroup
	lock     sync.Mutex
	err      error
}

func (s *saramaClient) producer(codec string, idempotent bool) (producer, error) {
	config, err := s.config()
	if err != nil {
		return nil, err
	}
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Producer.Return.Successes = true
	config.Producer.Flush.Frequency = 20 * time.Millisecond
	config.Producer.Retry.Max = 100
	config.Producer.Compression = map[string]sarama.CompressionCodec{"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP,
		"snappy": sarama.CompressionSnappy, "lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD}[codec]
	if idempotent {
		config.Producer.Idempotent = true
		config.Net.MaxOpenRequests = 1
	}
	p := &saramaProducer{}
	if p.producer, err = sarama.NewAsyncProducer(bootstrap(), config); err != nil {
		return nil, err
	}
	go func() {
		for range p.producer.Successes() {
			p.pending.Done()
		}
	}()
	go func() {
		for failure := range p.producer.Errors() {
			p.lock.Lock()
			p.err = errors.Join(p.err, failure.Err)
			p.lock.Unlock()
			p.pending.Done()
		}
	}()
	return p, nil
}

func encoder(b []byte) sarama.Encoder {
	if b == nil {
		return nil
	}
	return sarama.ByteEncoder(b)
}

func (p *saramaProducer) send(topic string, r record) error {
	out := &sarama.ProducerMessage{Topic: topic, Partition: r.partition, Key: encoder(r.key), Value: encoder(r.value)}
	for _, h := range r.headers {
		out.Headers = append(out.Headers, sarama.RecordHeader{Key: []byte(h.name), Value: h.value})
	}
	if r.timestamp != 0 {
		out.Timestamp = time.UnixMilli(r.timestamp)
	}
	p.pending.Add(1)
	p.producer.Input() <- out
	return nil
}

func (p *saramaProducer) flush() error {
	p.pending.Wait()
	p.lock.Lock()
	defer p.lock.Unlock()
	return p.err
}

func (p *saramaProducer) close() error {
	p.producer.AsyncClose()
	return nil
}

// arrivals is what consumers, which sarama runs on goroutines of their own, hand to poll.
type arrivals chan seen

func (a arrivals) add(in *sarama.ConsumerMessage) {
	r := record{partition: in.Partition, key: in.Key, value: in.Value, timestamp: in.Timestamp.UnixMilli()}
	for _, h := range in.Headers {
		r.headers = append(r.headers, header{string(h.Key), h.Value})
	}
	a <- seen{in.Offset, r}
}

func (a arrivals) poll() ([]seen, error) {
	select {
	case one := <-a:
		return []seen{one}, nil
	case <-time.After(100 * time.Millisecond):
		return nil, nil
	}
}

type saramaReader struct {
	arrivals
	topic    string
	consumer sarama.Consumer
	parts    map[int32]sarama.PartitionConsumer
}

func (s *saramaClient) reader(topic string, from ...int32) (reader, error) {
	config, err := s.config()
	if err != nil {
		return nil, err
	}
	consumer, err := sarama.NewConsumer(bootstrap(), config)
	if err != nil {
		return nil, err
	}
	r := &saramaReader{arrivals: make(arrivals), topic: topic, consumer: consumer, parts: map[int32]sarama.PartitionConsumer{}}
	for _, partition := range from {
		if err := r.open(partition, sarama.OffsetOldest); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *saramaReader) open(partition int32, offset int64) error {
	part, err := r.consumer.ConsumePartition(r.topic, partition, offset)
	if err != nil {
		return err
	}
	r.parts[partition] = part
	go func() {
		for message := range part.Messages() {
			r.add(message)
		}
	}()
	return nil
}

// seek is, with sarama, to consume the partition anew. What was fetched before is thrown away.
func (r *saramaReader) seek(partition int32, offset int64) error {
	closed := make(chan error)
	go func() { closed <- r.parts[partition].Close() }()
	for {
		select {
		case <-r.arrivals:
		case err := <-closed:
			return errors.Join(err, r.open(partition, offset))
		}
	}
}

func (r *saramaReader) pause(partition int32) {
	r.consumer.Pause(map[string][]int32{r.topic: {partition}})
}

func (r *saramaReader) resume(partition int32) {
	r.consumer.Resume(map[string][]int32{r.topic: {partition}})
}

func (r *saramaReader) close() error {
	for _, part := range r.parts {
		part.AsyncClose()
	}
	return nil
}

// saramaMember is a handler of sarama's consumer group; one session is one generation.
type saramaMember struct {
	arrivals
	group   sarama.ConsumerGroup
	cancel  context.CancelFunc
	ended   chan error
	lock    sync.Mutex
	session sarama.ConsumerGroupSession // nil between generations
	count   int
}

func (s *saramaClient) member(group, topic, instanceID string) (member, error) {
	config, err := s.config()
	if err != nil {
		return nil, err
	}
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Enable = false
	config.Consumer.Group.InstanceId = instanceID
	g, err := sarama.NewConsumerGroup(bootstrap(), group, config)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	m := &saramaMember{arrivals: make(arrivals), group: g, cancel: cancel, ended: make(chan error, 1)}
	go func() {
		for ctx.Err() == nil {
			if err := g.Consume(ctx, []string{topic}, m); err != nil {
				m.ended <- err
				return
			}
		}
		m.ended <- nil
	}()
	return m, nil
}

func (m *saramaMember) Setup(session sarama.ConsumerGroupSession) error {
	m.lock.Lock()
	defer m.lock.Unlock()
	m.session = session
	m.count++
	return nil
}

func (m *saramaMember) Cleanup(sarama.ConsumerGroupSession) error {
	m.lock.Lock()
	defer m.lock.Unlock()
	m.session = nil
	return nil
}

func (m *saramaMember) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for message := range claim.Messages() {
		session.MarkMessage(message, "")
		m.add(message)
	}
	return nil
}

func (m *saramaMember) assigned() map[int32]bool {
	m.lock.Lock()
	defer m.lock.Unlock()
	found := map[int32]bool{}
	if m.session != nil {
		for _, parts := range m.session.Claims() {
			for _, partition := range parts {
				found[partition] = true
			}
		}
	}
	return found
}

func (m *saramaMember) rebalances() int {
	m.lock.Lock()
	defer m.lock.Unlock()
	return m.count
}

func (m *saramaMember) commit() error {
	m.lock.Lock()
	defer m.lock.Unlock()
	if m.session == nil {
		return errors.New("no generation to commit in")
	}
	m.session.Commit()
	return nil
}

func (m *saramaMember) close() error {
	m.cancel()
	for {
		select {
		case <-m.arrivals:
		case err := <-m.ended:
			return errors.Join(err, m.group.Close())
		}
	}
}
