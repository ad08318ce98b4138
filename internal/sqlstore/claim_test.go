package sqlstore_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tollgate/internal/merchant"
	"tollgate/internal/sqlstore"
	"tollgate/session"
)

func TestAChangeUnderAClaimIsMarkedInItAndUnderALostClaimNothingIsWritten(t *testing.T) {
	engines(t, func(t *testing.T, o sqlstore.Options) {
		st := open(t, o)
		ctx, book := t.Context(), st.Idempotency()
		entry := merchant.Entry{Merchant: "shop", Key: "k", Token: "first", LeaseUntil: noon, Until: noon.Add(time.Hour)}
		if taken, err := book.Insert(ctx, entry, noon); err != nil || taken != nil {
			t.Fatal(taken, err)
		}
		held := session.Change{Claim: &session.Claim{Merchant: "shop", Key: "k", Token: "first"}}
		s := &session.Session{ID: "a", Merchant: "shop", Account: "acc", OrderID: "a", CreatedAt: noon, ExpiresAt: noon.Add(time.Hour)}
		if err := st.Create(ctx, s, held); err != nil {
			t.Fatal(err)
		}
		s.Operations = append(s.Operations, &session.Operation{N: 1})
		if err := st.Save(ctx, s, held); err != nil {
			t.Fatal(err)
		}
		s.Operations = append(s.Operations, &session.Operation{N: 2})
		if err := st.Save(ctx, s, session.Change{}); err != nil { // of no request: the claim knows nothing of it
			t.Fatal(err)
		}
		next := entry
		next.Token = "second"
		effect, ok, err := book.TakeOver(ctx, next, "first")
		if err != nil || !ok || effect != (merchant.Effect{Session: "a", Operation: 1}) {
			t.Fatalf("taken over: %+v, %v, %v", effect, ok, err)
		}

		other := &session.Session{ID: "b", Merchant: "shop", Account: "acc", OrderID: "b", CreatedAt: noon, ExpiresAt: noon.Add(time.Hour)}
		if err := st.Create(ctx, other, held); !errors.Is(err, session.ErrClaimLost) {
			t.Errorf("created under a lost claim: %v", err)
		}
		if _, err := st.Load(ctx, "b"); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("the session stands there: %v", err)
		}
		before := s.Version
		s.Description = "changed"
		if err := st.Save(ctx, s, held); !errors.Is(err, session.ErrClaimLost) || s.Version != before {
			t.Errorf("saved under a lost claim: %v", err)
		}
		if got, err := st.Load(ctx, "a"); err != nil || got.Description != "" {
			t.Errorf("the change stands there: %+v, %v", got, err)
		}
	})
}

// What a change needs is in its arguments.
func TestTheStoreReadsNoValueOfAContext(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok && len(call.Args) == 1 {
				if f, ok := call.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "Value" {
					t.Errorf("%s: .Value(…): what a change needs is a parameter", name)
				}
			}
			return true
		})
	}
}
