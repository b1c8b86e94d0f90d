// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"
)

const patience = 45 * time.Second

// group is the members of the scenario's group, each polled by a goroutine of its own, and what they have read together.
type group struct {
	client  client
	lock    sync.Mutex
	changed chan struct{} // holds one token after every turn of a member
	members []*groupMember
	numbers []int
	err     error
}

type groupMember struct {
	member     member
	parts      map[int32]bool
	rebalances int
	wantCommit bool
	wantEnd    bool
	ended      chan struct{}
}

func newGroup(c client) *group {
	return &group{client: c, changed: make(chan struct{}, 1)}
}

func (g *group) join(instanceID string) (*groupMember, error) {
	m, err := g.client.member("group", "group", instanceID)
	if err != nil {
		return nil, err
	}
	joined := &groupMember{member: m, ended: make(chan struct{})}
	g.lock.Lock()
	g.members = append(g.members, joined)
	g.lock.Unlock()
	go g.run(joined)
	return joined, nil
}

func (g *group) tell() {
	select {
	case g.changed <- struct{}{}:
	default:
	}
}

// turn polls once, and commits when that is wanted; the member is done when it returns false.
func (g *group) turn(m *groupMember) (bool, error) {
	records, err := m.member.poll()
	if err != nil {
		return false, err
	}
	g.lock.Lock()
	wantCommit, wantEnd := m.wantCommit, m.wantEnd
	g.lock.Unlock()
	if wantCommit {
		if err := m.member.commit(); err != nil {
			return false, fmt.Errorf("commit: %w", err)
		}
	}
	g.lock.Lock()
	defer g.lock.Unlock()
	for _, one := range records {
		number, err := strconv.Atoi(string(one.record.value))
		if err != nil {
			return false, err
		}
		g.numbers = append(g.numbers, number)
	}
	m.parts, m.rebalances = m.member.assigned(), m.member.rebalances()
	if wantCommit {
		m.wantCommit = false
	}
	return !wantEnd, nil
}

func (g *group) run(m *groupMember) {
	defer close(m.ended)
	for {
		goOn, err := g.turn(m)
		if err == nil && !goOn {
			err = m.member.close()
		}
		if err != nil {
			g.lock.Lock()
			g.err = err
			g.lock.Unlock()
		}
		g.tell()
		if err != nil || !goOn {
			return
		}
	}
}

func (g *group) leave(index int) error {
	g.lock.Lock()
	leaving := g.members[index]
	g.members = slices.Delete(g.members, index, index+1)
	leaving.wantEnd = true
	g.lock.Unlock()
	<-leaving.ended
	g.lock.Lock()
	defer g.lock.Unlock()
	return g.err
}

// waitFor looks after every turn of a member; isSo is called under the lock.
func (g *group) waitFor(what string, isSo func() bool) error {
	deadline := time.After(patience)
	for {
		g.lock.Lock()
		err, so := g.err, isSo()
		g.lock.Unlock()
		if err != nil || so {
			return err
		}
		select {
		case <-g.changed:
		case <-deadline:
			g.lock.Lock()
			defer g.lock.Unlock()
			return fmt.Errorf("%s: not within %v; shares %v, %d records read", what, patience, g.shares(), len(g.numbers))
		}
	}
}

// look says what a member has now, and how many rebalances it has seen.
func (g *group) look(m *groupMember) (map[int32]bool, int) {
	g.lock.Lock()
	defer g.lock.Unlock()
	return m.parts, m.rebalances
}

// sorted is all that the members have read.
func (g *group) sorted() []int {
	g.lock.Lock()
	defer g.lock.Unlock()
	return slices.Sorted(slices.Values(g.numbers))
}

// shares says how many partitions each member has, fewest first; nil while two have the same one. Called under the lock.
func (g *group) shares() []int {
	var counts []int
	owners := map[int32]int{}
	for _, m := range g.members {
		counts = append(counts, len(m.parts))
		for partition := range m.parts {
			owners[partition]++
			if owners[partition] > 1 {
				return nil
			}
		}
	}
	slices.Sort(counts)
	return counts
}

func (g *group) waitForShares(wanted ...int) error {
	return g.waitFor(fmt.Sprintf("shares %v", wanted), func() bool { return slices.Equal(g.shares(), wanted) })
}

func (g *group) commit() error {
	g.lock.Lock()
	for _, m := range g.members {
		m.wantCommit = true
	}
	g.lock.Unlock()
	return g.waitFor("commits", func() bool {
		return !slices.ContainsFunc(g.members, func(m *groupMember) bool { return m.wantCommit })
	})
}
