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

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
	"github.com/twmb/franz-go/pkg/sasl/plain"
)

// franz is franz-go. A version that ends in `as-2.1` speaks as a client of that Kafka release would.
type franz struct {
	maximum *kversion.Versions
	client  *kgo.Client
	admin   *kadm.Client
}

func newFranz(version string) (client, error) {
	f := &franz{}
	if _, release, is := strings.Cut(version, "-as-"); is {
		if f.maximum = kversion.FromString(release); f.maximum == nil {
			return nil, fmt.Errorf("there is no Kafka release %s", release)
		}
	}
	cl, err := f.connect()
	if err != nil {
		return nil, err
	}
	f.client, f.admin = cl, kadm.NewClient(cl)
	return f, nil
}

func (f *franz) connect(options ...kgo.Opt) (*kgo.Client, error) {
	config, err := tlsConfig()
	if err != nil {
		return nil, err
	}
	options = append(options,
		kgo.SeedBrokers(bootstrap()...),
		kgo.DialTLSConfig(config),
		kgo.SASL(plain.Auth{User: "token", Pass: os.Getenv("MILLRACE_API_KEY")}.AsMechanism()))
	if f.maximum != nil {
		options = append(options, kgo.MaxVersions(f.maximum))
	}
	return kgo.NewClient(options...)
}

// soon bounds one call.
func soon() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), patience)
}

// speaks says whether this client knows a version of a request.
func (f *franz) speaks(request kmsg.Request, version int16) bool {
	if f.maximum == nil {
		return true
	}
	highest, is := f.maximum.LookupMaxKeyVersion(request.Key())
	return is && highest >= version
}

func (f *franz) skips() map[string]string {
	cannot := map[string]string{}
	if !f.speaks(kmsg.NewPtrJoinGroupRequest(), 5) {
		cannot[staticSentence] = "static members came with Kafka 2.3"
	}
	if !f.speaks(kmsg.NewPtrProduceRequest(), 7) {
		cannot["records go out with zstd"] = "Zstandard came with Kafka 2.1"
	}
	return cannot
}

func (f *franz) tellsNullFromEmpty() bool {
	return true
}

func (f *franz) createTopic(topic string, count int) error {
	ctx, cancel := soon()
	defer cancel()
	replicas := int16(1)
	if f.speaks(kmsg.NewPtrCreateTopicsRequest(), 4) {
		replicas = -1
	}
	_, err := f.admin.CreateTopic(ctx, int32(count), replicas, nil, topic)
	return err
}

// leaders asks the broker itself: kadm may answer from what the client heard a moment ago.
func (f *franz) leaders(topic string) ([]int32, error) {
	ctx, cancel := soon()
	defer cancel()
	request := kmsg.NewPtrMetadataRequest()
	request.Topics = []kmsg.MetadataRequestTopic{{Topic: &topic}}
	answer, err := request.RequestWith(ctx, f.client)
	if err != nil {
		return nil, err
	}
	err = kerr.ErrorForCode(answer.Topics[0].ErrorCode)
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		return nil, nil
	}
	leaders := make([]int32, len(answer.Topics[0].Partitions))
	for _, one := range answer.Topics[0].Partitions {
		leaders[one.Partition] = one.Leader
	}
	return leaders, err
}

func (f *franz) alter(topic, setting, value string) error {
	ctx, cancel := soon()
	defer cancel()
	configs := []kadm.AlterConfig{{Op: kadm.SetConfig, Name: setting, Value: &value}}
	if !f.speaks(kmsg.NewPtrIncrementalAlterConfigsRequest(), 0) {
		answer, err := f.admin.AlterTopicConfigsState(ctx, configs, topic)
		return errors.Join(err, firstOf(answer))
	}
	answer, err := f.admin.AlterTopicConfigs(ctx, configs, topic)
	return errors.Join(err, firstOf(answer))
}

func firstOf(answer kadm.AlterConfigsResponses) error {
	for _, one := range answer {
		if one.Err != nil {
			return one.Err
		}
	}
	return nil
}

func (f *franz) setting(topic, setting string) (string, error) {
	ctx, cancel := soon()
	defer cancel()
	answer, err := f.admin.DescribeTopicConfigs(ctx, topic)
	if err != nil {
		return "", err
	}
	found, err := answer.On(topic, nil)
	for _, one := range found.Configs {
		if one.Key == setting {
			return one.MaybeValue(), err
		}
	}
	return "", errors.Join(err, fmt.Errorf("%s is not described", setting))
}

func (f *franz) grow(topic string, count int) error {
	ctx, cancel := soon()
	defer cancel()
	answer, err := f.admin.UpdatePartitions(ctx, count, topic)
	if err != nil {
		return err
	}
	return answer.Error()
}

func (f *franz) deleteTopic(topic string) error {
	ctx, cancel := soon()
	defer cancel()
	_, err := f.admin.DeleteTopic(ctx, topic)
	return err
}

func (f *franz) endOffset(topic string, partition int32) (int64, error) {
	ctx, cancel := soon()
	defer cancel()
	ends, err := f.admin.ListEndOffsets(ctx, topic)
	if err != nil {
		return 0, err
	}
	found, _ := ends.Lookup(topic, partition)
	return found.Offset, found.Err
}

func (f *franz) committed(group, topic string) (int64, error) {
	ctx, cancel := soon()
	defer cancel()
	offsets, err := f.admin.FetchOffsets(ctx, group)
	if err != nil {
		return 0, err
	}
	var sum int64
	offsets.Offsets().Each(func(offset kadm.Offset) {
		if offset.Topic == topic {
			sum += offset.At
		}
	})
	return sum, offsets.Error()
}

type franzProducer struct {
	client *kgo.Client
	lock   sync.Mutex
	err    error
}

func (f *franz) producer(codec string, idempotent bool) (producer, error) {
	options := []kgo.Opt{
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(20 * time.Millisecond),
		kgo.ProducerBatchCompression(map[string]kgo.CompressionCodec{"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(),
			"snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression()}[codec]),
	}
	if !idempotent {
		options = append(options, kgo.DisableIdempotentWrite())
	}
	cl, err := f.connect(options...)
	return &franzProducer{client: cl}, err
}

func (p *franzProducer) send(topic string, r record) error {
	out := &kgo.Record{Topic: topic, Partition: r.partition, Key: r.key, Value: r.value}
	for _, h := range r.headers {
		out.Headers = append(out.Headers, kgo.RecordHeader{Key: h.name, Value: h.value})
	}
	if r.timestamp != 0 {
		out.Timestamp = time.UnixMilli(r.timestamp)
	}
	p.client.Produce(context.Background(), out, func(_ *kgo.Record, err error) {
		p.lock.Lock()
		p.err = errors.Join(p.err, err)
		p.lock.Unlock()
	})
	return nil
}

func (p *franzProducer) flush() error {
	ctx, cancel := soon()
	defer cancel()
	err := p.client.Flush(ctx)
	p.lock.Lock()
	defer p.lock.Unlock()
	return errors.Join(err, p.err)
}

func (p *franzProducer) close() error {
	p.client.Close()
	return nil
}

// franzConsumer is both reader and member.
type franzConsumer struct {
	client *kgo.Client
	topic  string
	lock   sync.Mutex
	parts  map[int32]bool
	count  int
}

func (f *franz) reader(topic string, from ...int32) (reader, error) {
	starts := map[int32]kgo.Offset{}
	for _, partition := range from {
		starts[partition] = kgo.NewOffset().AtStart()
	}
	cl, err := f.connect(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: starts}))
	return &franzConsumer{client: cl, topic: topic}, err
}

func (f *franz) member(group, topic, instanceID string) (member, error) {
	c := &franzConsumer{topic: topic, parts: map[int32]bool{}}
	lose := func(_ context.Context, _ *kgo.Client, lost map[string][]int32) {
		c.change(lost[topic], false)
	}
	options := []kgo.Opt{
		kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, gained map[string][]int32) {
			c.change(gained[topic], true)
		}),
		kgo.OnPartitionsRevoked(lose), kgo.OnPartitionsLost(lose),
	}
	if instanceID != "" {
		options = append(options, kgo.InstanceID(instanceID))
	}
	cl, err := f.connect(options...)
	c.client = cl
	return c, err
}

func (c *franzConsumer) change(parts []int32, isGain bool) {
	c.lock.Lock()
	defer c.lock.Unlock()
	for _, partition := range parts {
		if isGain {
			c.parts[partition] = true
		} else {
			delete(c.parts, partition)
		}
	}
	c.count++
}

func (c *franzConsumer) poll() ([]seen, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	fetches := c.client.PollFetches(ctx)
	for _, one := range fetches.Errors() {
		if !errors.Is(one.Err, context.DeadlineExceeded) {
			return nil, one.Err
		}
	}
	var found []seen
	fetches.EachRecord(func(in *kgo.Record) {
		r := record{partition: in.Partition, key: in.Key, value: in.Value, timestamp: in.Timestamp.UnixMilli()}
		for _, h := range in.Headers {
			r.headers = append(r.headers, header{h.Key, h.Value})
		}
		found = append(found, seen{in.Offset, r})
	})
	return found, nil
}

func (c *franzConsumer) seek(partition int32, offset int64) error {
	c.client.SetOffsets(map[string]map[int32]kgo.EpochOffset{c.topic: {partition: {Epoch: -1, Offset: offset}}})
	return nil
}

func (c *franzConsumer) pause(partition int32) {
	c.client.PauseFetchPartitions(map[string][]int32{c.topic: {partition}})
}

func (c *franzConsumer) resume(partition int32) {
	c.client.ResumeFetchPartitions(map[string][]int32{c.topic: {partition}})
}

func (c *franzConsumer) assigned() map[int32]bool {
	c.lock.Lock()
	defer c.lock.Unlock()
	found := map[int32]bool{}
	for partition := range c.parts {
		found[partition] = true
	}
	return found
}

func (c *franzConsumer) rebalances() int {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.count
}

func (c *franzConsumer) commit() error {
	ctx, cancel := soon()
	defer cancel()
	return c.client.CommitUncommittedOffsets(ctx)
}

func (c *franzConsumer) close() error {
	c.client.Close()
	return nil
}
