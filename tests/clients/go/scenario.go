// SPDX-License-Identifier: Apache-2.0

// The scenario of tests/clients/README.md, once for all Go clients: scenario FAMILY VERSION. One line per sentence;
// the first failure ends it.
package main

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

var codecs = []struct{ name, sentence string }{
	{"none", "records go out uncompressed"},
	{"gzip", "records go out with gzip"},
	{"snappy", "records go out with snappy"},
	{"lz4", "records go out with lz4"},
	{"zstd", "records go out with zstd"},
}

const (
	recordsPerCodec = 60
	staticSentence  = "a static member comes back to its partitions"
)

type scenario struct {
	client client
	moment int64
	sent   int // numbered records in topic `group`
	group  *group
}

func (s *scenario) step(sentence string, work func() error) {
	if why, is := s.client.skips()[sentence]; is {
		fmt.Printf("skipped %s: %s\n", sentence, why)
		return
	}
	if err := work(); err != nil {
		fmt.Printf("FAILED %s: %v\n", sentence, err)
		os.Exit(1)
	}
	fmt.Printf("ok %s\n", sentence)
}

// first is the first error of calls made one after another, each only when those before went well.
func first(calls ...func() error) error {
	for _, call := range calls {
		if err := call(); err != nil {
			return err
		}
	}
	return nil
}

// Administration

func (s *scenario) expectPartitions(topic string, wanted int) error {
	leaders, err := s.client.leaders(topic)
	if err != nil {
		return err
	}
	if len(leaders) != wanted || slices.ContainsFunc(leaders, func(leader int32) bool { return leader < 0 }) {
		return fmt.Errorf("leaders %v, not %d of them", leaders, wanted)
	}
	return nil
}

func (s *scenario) alter() error {
	if err := s.client.alter("admin", "retention.ms", "7200000"); err != nil {
		return err
	}
	value, err := s.client.setting("admin", "retention.ms")
	if err == nil && value != "7200000" {
		err = fmt.Errorf("retention.ms is %q", value)
	}
	return err
}

func (s *scenario) deleteTopic() error {
	if err := s.client.deleteTopic("admin"); err != nil {
		return err
	}
	leaders, err := s.client.leaders("admin")
	if err == nil && leaders != nil {
		err = fmt.Errorf("the deleted topic has leaders %v", leaders)
	}
	return err
}

// Producing and reading back

func (s *scenario) codecRecords(codec string) []record {
	var records []record
	for i := range recordsPerCodec {
		r := record{
			partition: int32(i % partitions),
			key:       fmt.Appendf(nil, "%s-%d", codec, i),
			value:     fmt.Appendf(nil, "%s %d %s", codec, i, strings.Repeat("x", 500)),
			headers:   []header{{"codec", []byte(codec)}, {"bytes", []byte{0, 255, byte(i)}}},
			timestamp: s.moment + int64(i),
		}
		switch i % 10 {
		case 0:
			r.key = nil
		case 1:
			r.value = nil
		case 2:
			r.value = []byte{}
		}
		records = append(records, r)
	}
	return records
}

func numbered(number int) record {
	return record{partition: int32(number % partitions), value: []byte(strconv.Itoa(number))}
}

func numbers(from, end int) []record {
	var records []record
	for number := from; number < end; number++ {
		records = append(records, numbered(number))
	}
	return records
}

func send(p producer, topic string, records []record) error {
	for _, r := range records {
		if err := p.send(topic, r); err != nil {
			return err
		}
	}
	return p.flush()
}

func (s *scenario) produce(topic string, records []record, codec string, idempotent bool) error {
	p, err := s.client.producer(codec, idempotent)
	if err != nil {
		return err
	}
	return first(func() error { return send(p, topic, records) }, p.close)
}

// pollUntil adds what comes to what was seen, until isDone.
func pollUntil(r reader, what string, have *[]seen, isDone func() bool) error {
	deadline := time.Now().Add(patience)
	for !isDone() {
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: not within %v, after %d records", what, patience, len(*have))
		}
		more, err := r.poll()
		if err != nil {
			return err
		}
		*have = append(*have, more...)
	}
	return nil
}

// readAll reads every record of a topic up to its end, per partition; offsets must be without a gap.
func (s *scenario) readAll(topic string) ([partitions][]record, error) {
	var found [partitions][]record
	var all int64
	var have []seen
	for partition := range int32(partitions) {
		end, err := s.client.endOffset(topic, partition)
		if err != nil {
			return found, err
		}
		all += end
	}
	r, err := s.client.reader(topic, 0, 1, 2)
	if err != nil {
		return found, err
	}
	if err := pollUntil(r, "the end of "+topic, &have, func() bool { return int64(len(have)) >= all }); err != nil {
		return found, err
	}
	for _, one := range have {
		if one.offset != int64(len(found[one.record.partition])) {
			return found, fmt.Errorf("offset %d after %d records of partition %d", one.offset, len(found[one.record.partition]),
				one.record.partition)
		}
		found[one.record.partition] = append(found[one.record.partition], one.record)
	}
	return found, r.close()
}

func (s *scenario) everyByte() error {
	found, err := s.readAll("codecs")
	if err != nil {
		return err
	}
	var wanted [partitions][]record
	for _, codec := range codecs {
		if _, is := s.client.skips()[codec.sentence]; !is {
			for _, r := range s.codecRecords(codec.name) {
				wanted[r.partition] = append(wanted[r.partition], r)
			}
		}
	}
	for partition := range found {
		if len(found[partition]) != len(wanted[partition]) {
			return fmt.Errorf("%d records in partition %d, not %d", len(found[partition]), partition, len(wanted[partition]))
		}
		for i, actual := range found[partition] {
			if !s.client.tellsNullFromEmpty() {
				actual, wanted[partition][i] = actual.withoutNull(), wanted[partition][i].withoutNull()
			}
			if !actual.equals(wanted[partition][i]) {
				return fmt.Errorf("%v, not %v", actual, wanted[partition][i])
			}
		}
	}
	return nil
}

// expectNumbers: 0 … count-1 are in the topic, each once and in order in its partition, and nothing else.
func (s *scenario) expectNumbers(topic string, count int) error {
	found, err := s.readAll(topic)
	if err != nil {
		return err
	}
	all := 0
	for partition, records := range found {
		all += len(records)
		for i, r := range records {
			if wanted := strconv.Itoa(i*partitions + partition); string(r.value) != wanted {
				return fmt.Errorf("%s at offset %d of partition %d, not %s", r.value, i, partition, wanted)
			}
		}
	}
	if all != count {
		return fmt.Errorf("%d records, not %d", all, count)
	}
	return nil
}

func (s *scenario) surviveKill() error {
	p, err := s.client.producer("none", true)
	if err == nil {
		err = send(p, "kill", numbers(0, 100))
	}
	if err != nil {
		return err
	}
	killer := exec.Command(os.Getenv("MILLRACE_KILL_BROKER"))
	killed := make(chan error, 1)
	go func() { killed <- killer.Run() }()
	pace := time.NewTicker(2 * time.Millisecond)
	sent := 100
	for isKilled := false; !isKilled; {
		select {
		case err := <-killed:
			if err != nil {
				return fmt.Errorf("the killer: %w", err)
			}
			isKilled = true
		case <-pace.C:
			if err := p.send("kill", numbered(sent)); err != nil {
				return err
			}
			sent++
		}
	}
	return first(
		func() error { return send(p, "kill", numbers(sent, sent+300)) },
		p.close,
		func() error { return s.expectNumbers("kill", sent+300) })
}

// The group

func (s *scenario) share() error {
	instanceID := "static-1"
	if _, is := s.client.skips()[staticSentence]; is {
		instanceID = ""
	}
	for _, id := range []string{"", "", instanceID} {
		if _, err := s.group.join(id); err != nil {
			return err
		}
	}
	return s.group.waitForShares(1, 1, 1)
}

func (s *scenario) eachReachesOne(count int) error {
	err := s.produce("group", numbers(s.sent, s.sent+count), "none", false)
	s.sent += count
	if err == nil {
		err = s.group.waitFor(fmt.Sprintf("%d records", s.sent), func() bool { return len(s.group.numbers) >= s.sent })
	}
	if err == nil {
		err = s.group.commit()
	}
	if err != nil {
		return err
	}
	for i, number := range s.group.sorted() {
		if number != i {
			return fmt.Errorf("number %d was read twice or never", min(i, number))
		}
	}
	return nil
}

func (s *scenario) memberLeaves() error {
	return first(
		func() error { return s.group.leave(0) },
		func() error { return s.group.waitForShares(1, 2) },
		func() error { return s.eachReachesOne(30) })
}

func (s *scenario) staticComesBack() error {
	other := s.group.members[0]
	before, _ := s.group.look(s.group.members[1])
	_, rebalances := s.group.look(other)
	if err := s.group.leave(1); err != nil {
		return err
	}
	back, err := s.group.join("static-1")
	if err != nil {
		return err
	}
	err = s.group.waitFor("its partitions", func() bool { return maps.Equal(back.parts, before) })
	if err == nil {
		err = s.eachReachesOne(30)
	}
	if _, now := s.group.look(other); err == nil && now != rebalances {
		err = fmt.Errorf("the other member saw %d rebalances", now-rebalances)
	}
	return err
}

func (s *scenario) committed() error {
	for len(s.group.members) > 0 {
		if err := s.group.leave(0); err != nil {
			return err
		}
	}
	sum, err := s.client.committed("group", "group")
	if err == nil && sum != int64(s.sent) {
		err = fmt.Errorf("they sum to %d, not %d", sum, s.sent)
	}
	return err
}

// Moving about

func (s *scenario) seek() error {
	var have []seen
	r, err := s.client.reader("group", 1)
	if err != nil {
		return err
	}
	isThere := func() bool { return len(have) > 0 }
	if err := pollUntil(r, "a first record", &have, isThere); err != nil {
		return err
	}
	if have[0].offset != 0 {
		return fmt.Errorf("the first offset is %d", have[0].offset)
	}
	have = nil
	if err := r.seek(1, 50); err != nil {
		return err
	}
	if err := pollUntil(r, "a record after the seek", &have, isThere); err != nil {
		return err
	}
	if have[0].offset != 50 {
		return fmt.Errorf("offset %d after the seek, not 50", have[0].offset)
	}
	return r.close()
}

func (s *scenario) pause() error {
	var have []seen
	wanted := s.sent / partitions
	r, err := s.client.reader("group", 0, 1)
	if err != nil {
		return err
	}
	r.pause(0)
	if err := pollUntil(r, "partition 1", &have, func() bool { return len(have) >= wanted }); err != nil {
		return err
	}
	if slices.ContainsFunc(have, func(one seen) bool { return one.record.partition == 0 }) {
		return fmt.Errorf("a record of the paused partition came")
	}
	r.resume(0)
	if err := pollUntil(r, "partition 0", &have, func() bool { return len(have) >= 2*wanted }); err != nil {
		return err
	}
	return r.close()
}

func (s *scenario) create(topic string) {
	if err := s.client.createTopic(topic, partitions); err != nil {
		fmt.Printf("FAILED to create topic %s: %v\n", topic, err)
		os.Exit(1)
	}
}

func (s *scenario) partOne() {
	s.step("a topic is created with three partitions", func() error { return s.client.createTopic("admin", partitions) })
	s.step("it is described", func() error { return s.expectPartitions("admin", partitions) })
	s.step("a setting is altered and read back", s.alter)
	s.step("it grows to five partitions", func() error {
		return first(func() error { return s.client.grow("admin", 5) }, func() error { return s.expectPartitions("admin", 5) })
	})
	s.step("it is deleted", s.deleteTopic)
	s.create("codecs")
	for _, codec := range codecs {
		s.step(codec.sentence, func() error { return s.produce("codecs", s.codecRecords(codec.name), codec.name, false) })
	}
	s.step("every byte comes back", s.everyByte)
	s.create("group")
	s.step("three members share three partitions", s.share)
	s.step("each record reaches one member", func() error { return s.eachReachesOne(300) })
	s.step("a member leaves and its partition goes to another", s.memberLeaves)
	s.step(staticSentence, s.staticComesBack)
	s.step("committed offsets are read back", s.committed)
	s.step("seek goes to the offset", s.seek)
	s.step("a paused partition is silent until it is resumed", s.pause)
	s.create("idempotent")
	s.step("an idempotent producer writes each record once", func() error {
		return first(
			func() error { return s.produce("idempotent", numbers(0, 300), "none", true) },
			func() error { return s.expectNumbers("idempotent", 300) })
	})
}

func main() {
	families := map[string]func(version string) (client, error){
		"franz-go": newFranz, "sarama": newSarama, "kafka-go": newKafkaGo,
	}
	c, err := families[os.Args[1]](os.Args[2])
	if err != nil {
		fmt.Printf("FAILED to start: %v\n", err)
		os.Exit(1)
	}
	s := &scenario{client: c, moment: time.Now().UnixMilli() - 60000, group: newGroup(c)}
	if os.Getenv("MILLRACE_PART") == "2" {
		s.create("kill")
		s.step("an idempotent producer survives a killed broker", s.surviveKill)
		return
	}
	s.partOne()
}
