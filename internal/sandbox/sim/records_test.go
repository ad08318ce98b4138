package sim_test

import (
	"slices"
	"testing"

	"tollgate/internal/sandbox/sim"
)

type record struct {
	Name string   `json:"name"`
	Tags []string `json:"tags"`
}

func kind(told *[]string) sim.Kind[string, record] {
	return sim.Kind[string, record]{
		Bucket: "test.records", ID: func(r *record) string { return r.Name },
		Clone: func(r *record) *record { return &record{r.Name, slices.Clone(r.Tags)} },
		Kept: func(before, now *record) {
			line := now.Name + " new"
			if before != nil {
				line = now.Name + " was " + before.Tags[0]
			}
			*told = append(*told, line)
		},
	}
}

func records(t *testing.T, dir string) (*sim.Records[string, record], *[]string) {
	t.Helper()
	env, err := sim.New(sim.Options{BaseURL: "http://localhost:8081", Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = env.Close() })
	told := &[]string{}
	all, err := kind(told).Load(env)
	if err != nil {
		t.Fatal(err)
	}
	return all, told
}

func TestTheLatestStateOfARecordSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	t.Run("before", func(t *testing.T) {
		all, told := records(t, dir)
		for _, r := range []*record{{"b", []string{"1"}}, {"a", []string{"1"}}, {"b", []string{"2"}}} {
			if err := all.Save(r); err != nil {
				t.Fatal(err)
			}
		}
		if want := []string{"b new", "a new", "b was 1"}; !slices.Equal(*told, want) {
			t.Errorf("told %q, want %q", *told, want)
		}
	})
	all, _ := records(t, dir)
	if b := all.Get("b"); b == nil || b.Tags[0] != "2" || all.Len() != 2 || all.Get("c") != nil {
		t.Errorf("%+v of %d", b, all.Len())
	}
}

func TestGetReturnsACopyOfTheRecord(t *testing.T) {
	all, _ := records(t, "")
	mine := &record{"a", []string{"1"}}
	if err := all.Save(mine); err != nil {
		t.Fatal(err)
	}
	mine.Tags[0] = "2"
	all.Get("a").Tags[0] = "3"
	for r := range all.All() {
		r.Tags[0] = "4"
	}
	if got := all.Get("a").Tags[0]; got != "1" {
		t.Errorf("changed from outside to %s", got)
	}
}

func TestRecordsAreListedAsTheyWereMadeAndMayBeSavedMeanwhile(t *testing.T) {
	all, _ := records(t, "")
	for _, name := range []string{"c", "a", "b"} {
		if err := all.Save(&record{name, []string{"1"}}); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	for r := range all.All() {
		names = append(names, r.Name)
		if err := all.Save(&record{r.Name + "'", []string{"1"}}); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"c", "a", "b"}; !slices.Equal(names, want) || !slices.Equal(all.IDs(), []string{"c", "a", "b", "c'", "a'", "b'"}) {
		t.Errorf("%q, then %q", names, all.IDs())
	}
	all.Reset()
	if all.Len() != 0 || all.Get("a") != nil {
		t.Error("not forgotten")
	}
}

func TestAnAnswerKeepsTheOrderOfItsMembersAndTheirCharacters(t *testing.T) {
	o := sim.Object{}.With("z", 1).Opt("none", "").Opt("a", "<&>").With("list", []sim.Object{sim.Object{}.With("b", true)})
	raw, err := o.MarshalJSON()
	if want := `{"z":1,"a":"<&>","list":[{"b":true}]}`; err != nil || string(raw) != want {
		t.Errorf("%s, %v, want %s", raw, err, want)
	}
	first, second := o.With("x", 1), o.With("x", 2)
	if first.Get("x") != 1 || second.Get("x") != 2 || o.Get("x") != nil {
		t.Error("two answers share a member")
	}
}

func TestTheCheckDigitIsChecked(t *testing.T) {
	for pan, good := range map[string]bool{"4111111111111111": true, "4111111111111112": false, "79927398713": true} {
		if sim.Luhn(pan) != good {
			t.Errorf("%s: %v", pan, !good)
		}
	}
}
