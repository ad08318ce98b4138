// Package simulation runs the whole program in one process and one testing/synctest bubble: fronts, the sandbox with its
// gateways and its issuer, shoppers, a shop and its webhook receiver. All of it is the code that serves in production;
// only the network, the disk, the time and the chance are the simulation's. Everything that goes wrong in a World is
// decided by its seed, so that a violation can be run again:
//
//	go test ./internal/simulation                                     the fixed seeds
//	make simulate PROFILE=all SEEDS=1000-9999 FOR=8h                  many, for a night; REPORT=docs/certainty.md
//	make simulate PROFILE=swarm SEEDS=57 SHRINK=60 TRACE=/tmp         one, its story shortened, written down and drawn
//	make plant                                                        the program broken on purpose, rule by rule
//
// A fault is keyed by hash(seed, kind, place, n): the n-th time that something of this kind could go wrong at this place.
// A change of the program that adds a call somewhere does not move the faults of all other places.
//
// What is here: world_test.go (a World and its life), net_test.go (the network), disk_test.go (the database server, which
// can lose its last commits), proc_test.go (one life of a front), trouble_test.go (what goes wrong at times of its own: gateways that
// answer late, lie and crash, forged callbacks, clocks), shopper_test.go, stories_test.go, shop_test.go, operate_test.go (people and
// the merchant's side), check_test.go (what must always be true), profiles_test.go (kinds of worlds), seeds_test.go and killed_test.go
// (what is run each time), simulation_test.go and report_test.go (what is run on demand), shrink_test.go, diagram_test.go (the story
// of a violation), replay_test.go.
package simulation
