// Command plant breaks the program, one rule at a time, and lets the simulation look for what is broken. A fault that it does not
// find in so many worlds is either not reachable in them or not checked.
//
// All faults are built in at once, behind a switch that an environment variable turns, so that one costs a run and no build.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"go/format"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// helper is added to the program.
const helper = `package plant

import "os"

var planted = os.Getenv("PLANTED")

// On tells whether a fault is the one that is planted.
func On(name string) bool { return planted == name }

// Pick is the first where it is, else the second.
func Pick[T any](name string, on, off T) T {
	if planted == name {
		return on
	}
	return off
}
`

func main() {
	root := flag.String("root", "..", "the module's root")
	only := flag.String("only", "", "only faults whose name fits this `pattern`")
	worlds := flag.Int("worlds", 30, "so many of each profile, at most")
	first := flag.Int("first", 1, "the first seed")
	report := flag.String("report", "", "a `file` for the table, in Markdown")
	skip := flag.Int("skip", 0, "leave out so many of the list's first")
	keep := flag.String("keep", "", "only build the broken program's tests, as this `file`: PLANTED=name says which fault it has")
	tests := flag.String("tests", "./internal/simulation", "the `package` whose tests those are")
	list := flag.Bool("list", false, "only see that every fault can be planted")
	flag.Parse()
	if err := run(*root, *only, *skip, *worlds, *first, *report, *keep, *tests, *list); err != nil {
		fmt.Fprintln(os.Stderr, "plant:", err)
		os.Exit(1)
	}
}

func run(root, only string, skip, worlds, first int, report, keep, tests string, list bool) error {
	wanted, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	root, err = filepath.Abs(root)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "plant")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	overlay, err := plant(root, dir)
	if err != nil {
		return err
	}
	if list {
		fmt.Println(len(all), "faults")
		return nil
	}
	binary := filepath.Join(dir, "simulation.test")
	if keep != "" {
		if binary, err = filepath.Abs(keep); err != nil {
			return err
		}
	}
	build := exec.Command("go", "test", "-c", "-vet=off", "-overlay", overlay, "-o", binary, tests)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	if keep != "" {
		return nil
	}
	found, rows := 0, []string{"| planted fault | rule | found | profile, seed | CPU s |", "|---|---|---|---|---|"}
	looked := 0
	for i, f := range all {
		if i < skip || !wanted.MatchString(f.Name) {
			continue
		}
		looked++
		where, what, used := look(binary, root, f, worlds, first)
		switch {
		case where != "":
			found++
		case f.By != "":
			what = "no; noticed by `" + f.By + "`"
		}
		row := fmt.Sprintf("| %s | %s | %s | %s | %.0f |", f.Name, f.Rule, what, where, used.Seconds())
		fmt.Println(row)
		rows = append(rows, row)
		if report != "" {
			text := strings.Join(rows, "\n") + fmt.Sprintf("\n\nFound: %d of %d.\n", found, looked)
			if err := os.WriteFile(report, []byte(text), 0o600); err != nil {
				return err
			}
		}
	}
	fmt.Printf("found: %d of %d\n", found, looked)
	return nil
}

var switchWord = regexp.MustCompile(`\bON\b`)

var imports = regexp.MustCompile(`(?m)^import (\(|")`)

// plant writes the changed files down and names them to the build.
func plant(root, dir string) (string, error) {
	texts := map[string]string{}
	for _, f := range all {
		text, read := texts[f.File]
		if !read {
			raw, err := os.ReadFile(filepath.Join(root, f.File))
			if err != nil {
				return "", err
			}
			text = string(raw)
		}
		if n := strings.Count(text, f.Old); n != 1 {
			return "", fmt.Errorf("%q: its place stands %d times in %s", f.Name, n, f.File)
		}
		name := fmt.Sprintf("%q", f.Name)
		change := switchWord.ReplaceAllString(strings.ReplaceAll(f.New, "PICK(", "plant.Pick("+name+", "), "plant.On("+name+")")
		texts[f.File] = strings.Replace(text, f.Old, change, 1)
	}
	replace := map[string]string{filepath.Join(root, "internal/plant/plant.go"): filepath.Join(dir, "plant.go")}
	if err := os.WriteFile(filepath.Join(dir, "plant.go"), []byte(helper), 0o600); err != nil {
		return "", err
	}
	for i, name := range slices.Sorted(maps.Keys(texts)) {
		text := texts[name]
		at := imports.FindStringIndex(text)
		if at == nil {
			return "", fmt.Errorf("%s imports nothing", name)
		}
		text = text[:at[0]] + "import \"tollgate/internal/plant\"\n\n" + text[at[0]:]
		if _, err := format.Source([]byte(text)); err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
		to := filepath.Join(dir, fmt.Sprintf("changed%d.go", i))
		if err := os.WriteFile(to, []byte(text), 0o600); err != nil {
			return "", err
		}
		replace[filepath.Join(root, name)] = to
	}
	raw, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, raw, 0o600)
}

var (
	violation = regexp.MustCompile(`seed (\d+) of profile (\S+), accounts \S+: (.*)`)
	shoppers  = 12               // in each world
	limit     = 20 * time.Minute // for a world that never ends
)

// look lives worlds until something is wrong in one that is right without the fault; where is "" if nothing is.
func look(binary, root string, f planted, worlds, first int) (where, what string, used time.Duration) {
	for profile := range strings.SplitSeq(f.Profiles, ",") {
		for seed := first; seed < first+worlds; {
			wrong, at, cpu := live(binary, root, f.Name, profile, f.Accounts, seed, first+worlds-1)
			if used += cpu; wrong == "" {
				break
			}
			if at == 0 {
				return profile, "the program stops: " + short(wrong), used
			}
			if without, _, _ := live(binary, root, "", profile, f.Accounts, at, at); without == "" {
				return fmt.Sprint(profile, ", ", at), strings.ReplaceAll(short(wrong), "|", "/"), used
			}
			seed = at + 1
		}
	}
	return "", "no", used
}

// live lives the worlds of some seeds, up to the first in which something is wrong.
func live(binary, root, planted, profile, accounts string, from, to int) (wrong string, seed int, used time.Duration) {
	ctx, done := context.WithTimeout(context.Background(), limit)
	defer done()
	run := exec.CommandContext(ctx, binary, "-test.run", "^TestSeeds$", "-test.failfast", "-test.timeout", "0", "-profile", profile,
		"-seeds", fmt.Sprintf("%d-%d", from, to), "-trace", os.TempDir(), "-shoppers", fmt.Sprint(shoppers), "-accounts", accounts)
	run.Dir, run.Env = filepath.Join(root, "internal/simulation"), append(os.Environ(), "PLANTED="+planted, "GOMAXPROCS=1")
	out, err := run.CombinedOutput()
	if u, ok := run.ProcessState.SysUsage().(*syscall.Rusage); ok {
		used = time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	if err == nil {
		return "", 0, used
	}
	if m := violation.FindStringSubmatch(string(out)); m != nil {
		seed, _ = strconv.Atoi(m[1])
		return m[3], seed, used
	}
	return strings.Join(strings.Fields(string(out)), " "), 0, used
}

func short(s string) string {
	if r := []rune(s); len(r) > 110 {
		return string(r[:110]) + "…"
	}
	return s
}
