// SPDX-License-Identifier: Apache-2.0

// Smoke of franz-go: admin, produce, idempotent produce, group, commit, over SASL_SSL with an API key. The runner
// gives the instance in the environment; see tests/clients/README.md. One line per check; the first failure ends it.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
)

const recordsPerProducer = 50

func check(what string, err error) {
	if err != nil {
		fmt.Printf("FAILED franz-go: %s: %v\n", what, err)
		os.Exit(1)
	}
	fmt.Printf("ok franz-go: %s\n", what)
}

func connect(options ...kgo.Opt) (*kgo.Client, error) {
	pem, err := os.ReadFile(os.Getenv("MILLRACE_CA_FILE"))
	if err != nil {
		return nil, err
	}
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(pem) {
		return nil, errors.New("no certificate in MILLRACE_CA_FILE")
	}
	return kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(strings.Split(os.Getenv("MILLRACE_BOOTSTRAP"), ",")...),
		// Without ServerName here franz-go fills in each broker's host, which is then verified.
		kgo.DialTLSConfig(&tls.Config{RootCAs: authorities, MinVersion: tls.VersionTLS12}),
		kgo.SASL(plain.Auth{User: "token", Pass: os.Getenv("MILLRACE_API_KEY")}.AsMechanism()),
	}, options...)...)
}

func produce(ctx context.Context, topic, origin string, options ...kgo.Opt) error {
	client, err := connect(options...)
	if err != nil {
		return err
	}
	defer client.Close()
	var records []*kgo.Record
	for i := 0; i < recordsPerProducer; i++ {
		records = append(records, &kgo.Record{
			Topic: topic,
			Key:   []byte(fmt.Sprintf("%s-%d", origin, i%7)),
			Value: []byte(fmt.Sprintf("%s %d", origin, i)),
		})
	}
	return client.ProduceSync(ctx, records...).FirstErr()
}

func consume(ctx context.Context, client *kgo.Client, wanted int) error {
	seen := map[string]bool{}
	for len(seen) < wanted {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("after %d of %d records: %w", len(seen), wanted, err)
		}
		fetches.EachRecord(func(record *kgo.Record) { seen[string(record.Value)] = true })
	}
	return nil
}

func committed(ctx context.Context, admin *kadm.Client, group, topic string, wanted int64) error {
	offsets, err := admin.FetchOffsets(ctx, group)
	if err != nil {
		return err
	}
	if err := offsets.Error(); err != nil {
		return err
	}
	var sum int64
	offsets.Offsets().Each(func(offset kadm.Offset) {
		if offset.Topic == topic {
			sum += offset.At
		}
	})
	if sum != wanted {
		return fmt.Errorf("committed offsets sum to %d, not %d", sum, wanted)
	}
	return nil
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	topic := os.Getenv("MILLRACE_PREFIX") + "franz-go"
	group := topic + "-group"

	client, err := connect()
	check("connect", err)
	admin := kadm.NewClient(client)
	created, err := admin.CreateTopic(ctx, 3, -1, nil, topic)
	if err == nil {
		err = created.Err
	}
	check("create topic", err)
	details, err := admin.ListTopics(ctx, topic)
	if err == nil && len(details[topic].Partitions) != 3 {
		err = fmt.Errorf("%d partitions, not 3", len(details[topic].Partitions))
	}
	check("describe topic", err)
	check("produce", produce(ctx, topic, "plain", kgo.DisableIdempotentWrite(), kgo.RequiredAcks(kgo.LeaderAck())))
	check("idempotent produce", produce(ctx, topic, "idempotent"))

	consumer, err := connect(kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	check("join group", err)
	check("consume in group", consume(ctx, consumer, 2*recordsPerProducer))
	check("commit", consumer.CommitUncommittedOffsets(ctx))
	consumer.Close()
	check("read committed offsets", committed(ctx, admin, group, topic, 2*recordsPerProducer))
	deleted, err := admin.DeleteTopic(ctx, topic)
	if err == nil {
		err = deleted.Err
	}
	check("delete topic", err)
	client.Close()
}
