// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
)

const partitions = 3

type header struct {
	name  string
	value []byte
}

// record is what the scenario sends and compares; nil key and value are null, a timestamp of 0 is the moment of sending.
type record struct {
	partition  int32
	key, value []byte
	headers    []header
	timestamp  int64
}

func (r record) String() string {
	return fmt.Sprintf("partition %d key %q value %q headers %q timestamp %d", r.partition, r.key, r.value, r.headers, r.timestamp)
}

// withoutNull is the record as a library shows it that gives empty bytes for null, or null for empty bytes.
func (r record) withoutNull() record {
	r.key, r.value = append([]byte{}, r.key...), append([]byte{}, r.value...)
	return r
}

func sameBytes(a, b []byte) bool {
	return (a == nil) == (b == nil) && bytes.Equal(a, b)
}

func (r record) equals(other record) bool {
	same := r.partition == other.partition && sameBytes(r.key, other.key) && sameBytes(r.value, other.value) &&
		r.timestamp == other.timestamp && len(r.headers) == len(other.headers)
	for i := 0; same && i < len(r.headers); i++ {
		same = r.headers[i].name == other.headers[i].name && bytes.Equal(r.headers[i].value, other.headers[i].value)
	}
	return same
}

type seen struct {
	offset int64
	record record
}

// client is a library, in its own idiom: franz.go, sarama.go, kafkago.go.
type client interface {
	skips() map[string]string // sentence: why the library cannot
	tellsNullFromEmpty() bool // of a record that was read
	createTopic(topic string, count int) error
	leaders(topic string) ([]int32, error) // one of each partition; nil when the cluster does not know the topic
	alter(topic, setting, value string) error
	setting(topic, setting string) (string, error)
	grow(topic string, count int) error
	deleteTopic(topic string) error
	endOffset(topic string, partition int32) (int64, error)
	committed(group, topic string) (int64, error) // the sum
	producer(codec string, idempotent bool) (producer, error)
	reader(topic string, from ...int32) (reader, error)
	member(group, topic, instanceID string) (member, error)
}

type producer interface {
	send(topic string, r record) error // may wait for nothing
	flush() error                      // fails unless all is acknowledged
	close() error
}

// reader reads partitions from their beginning, without a group. poll waits a tenth of a second at most.
type reader interface {
	poll() ([]seen, error)
	seek(partition int32, offset int64) error
	pause(partition int32)
	resume(partition int32)
	close() error
}

type member interface {
	poll() ([]seen, error)
	assigned() map[int32]bool
	rebalances() int
	commit() error
	close() error
}

func bootstrap() []string {
	return strings.Split(os.Getenv("MILLRACE_BOOTSTRAP"), ",")
}

// tlsConfig verifies against our CA alone; each library fills in the host name that it verifies.
func tlsConfig() (*tls.Config, error) {
	pem, err := os.ReadFile(os.Getenv("MILLRACE_CA_FILE"))
	if err != nil {
		return nil, err
	}
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(pem) {
		return nil, errors.New("no certificate in MILLRACE_CA_FILE")
	}
	return &tls.Config{RootCAs: authorities, MinVersion: tls.VersionTLS12}, nil
}
