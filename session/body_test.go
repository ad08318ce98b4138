package session

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

var writeBodies = flag.Bool("bodies", false, "write testdata/bodies.txt anew, after counting BodyVersion up")

// Machines of the version before keep members that they do not know only in bodies of a newer version: whoever adds a member
// counts BodyVersion up, once for each release.
func TestStoredBodiesHaveTheMembersOfTheirVersion(t *testing.T) {
	var b strings.Builder
	fmt.Fprintf(&b, "version %d\n", BodyVersion)
	for _, of := range []reflect.Type{reflect.TypeFor[Session](), reflect.TypeFor[Attempt]()} {
		for _, m := range slices.Sorted(slices.Values(members(of, map[reflect.Type]bool{}))) {
			fmt.Fprintf(&b, "%s%s\n", of.Name(), m)
		}
	}
	const name = "testdata/bodies.txt"
	if *writeBodies {
		if err := os.WriteFile(name, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if got := b.String(); got != string(want) {
		version, _, _ := strings.Cut(string(want), "\n")
		t.Errorf("the stored bodies are not those of %s (%s): where that is released, count BodyVersion in session/session.go up; "+
			"then go test ./session -run %s -bodies", version, name, t.Name())
	}
}

// members are the paths of a type's JSON members.
func members(of reflect.Type, seen map[reflect.Type]bool) (all []string) {
	for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice || of.Kind() == reflect.Map {
		of = of.Elem()
	}
	if of.Kind() != reflect.Struct || seen[of] {
		return nil
	}
	seen[of] = true
	defer delete(seen, of)
	for f := range of.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || name == "" {
			continue
		}
		all = append(all, "."+name)
		for _, m := range members(f.Type, seen) {
			all = append(all, "."+name+m)
		}
	}
	return all
}
