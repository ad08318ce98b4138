# Tollgate. Two commands are all: `go run .` and `make test`.
SHELL := /bin/bash
.DEFAULT_GOAL := help

GENERATED := '*_templ.go' docs/transitions.md docs/scripts.md docs/gateways/README.md README.md docs/api/guide.md handlers/openapi.yaml handlers/contract.gen.go client/api.gen.go

.PHONY: help pictures build hostile vulncheck run setup generate drift check lint test simulate mutants plant fuzz bench bench-quiet figures pages clients

help: ## what there is
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

build: ## one static binary, which runs anywhere (FROM scratch too): ./tollgate
	CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o tollgate .

run: ## start the sandbox: a payment in a minute
	go run .

setup: ## install what the tests need from Debian: Chromium, Firefox, WebKitGTK, PostgreSQL, Node
	@scripts/setup

generate: ## make the generated files anew: pages, diagram, API server and client
	go generate ./...
	go tool templ generate -path templates -log-level error

drift: generate ## fail where a generated file is not as its source says
	@test -z "$$(git status --porcelain -- $(GENERATED))" || { git --no-pager diff -- $(GENERATED); echo 'generated files differ: run make generate and commit'; exit 1; }

check: ## format, vet, staticcheck
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo 'not formatted'; exit 1; }
	go vet ./...
	go tool -modfile=tools/go.mod staticcheck ./...

lint: ## golangci-lint, with more opinions than check
	go tool -modfile=tools/go.mod golangci-lint run ./...

test: setup drift check ## everything: what CI runs
	go test -count=1 -timeout 20m $$(go list ./... | grep -v '/e2e$$')
	go test -count=1 -timeout 20m ./e2e

vulncheck: ## ask Go's vulnerability database about what is called; needs a way to vuln.go.dev
	go run golang.org/x/vuln/cmd/govulncheck@latest ./...

hostile: ## 20,000 requests of every hostile kind beside honest shoppers (N=20000 RATE=300 KINDS=cards,codes); figures on standard output
	go run ./e2e/bench -rows hostile $(if $(N),-n $(N)) $(if $(RATE),-rate $(RATE)) $(if $(KINDS),-kinds $(KINDS))

simulate: ## worlds of the simulation: SEEDS=1-1000 PROFILE=failover (or all), and ACCOUNTS=rbs,sber SHOPPERS=12 FOR=8h SHRINK=50 TRACE=/tmp (folder for stories) REPORT=file
	@set -o pipefail; go test -count=1 -timeout 0 -v -run '^TestSeeds$$' ./internal/simulation -args -seeds=$(or $(SEEDS),1-100) -profile=$(or $(PROFILE),failover) \
		-accounts=$(ACCOUNTS) -trace=$(abspath $(TRACE)) -report=$(abspath $(REPORT)) -shoppers=$(or $(SHOPPERS),0) -for=$(or $(FOR),0) -shrink=$(or $(SHRINK),0) | grep -v '^=== \|--- PASS'

mutants: ## change the code that decides, place by place, and list what no test notices (ONLY=session/judge.go for a part)
	cd tools && GOMAXPROCS=1 nice go run ./mutants $(if $(ONLY),-only $(ONLY)) $(if $(V),-v)

plant: ## break the program, one rule at a time, and see whether the simulation finds it (WORLDS=30 ONLY=text REPORT=file)
	cd tools && GOMAXPROCS=1 nice go run ./plant -worlds $(or $(WORLDS),30) -only "$(ONLY)" -report "$(abspath $(REPORT))"

clients: ## public clients of the gateways, unchanged, and the examples of docs/clients.md, against the sandbox; how many steps worked
	@set -o pipefail; go test -count=1 -timeout 10m -v -run '^(TestAPublic|TestTheExamplesOfOnesOwnClient|TestWebhooksVerify)' ./e2e | grep -E 'steps worked|--- FAIL|^FAIL|^ok|_test.go'

pages: ## every page of the gallery in every language, light, dark and forced colours, 320 pixels wide, and what three browsers treat differently; pictures in artefacts/pages
	go test -count=1 -timeout 40m -v -run '^(TestEveryPageOfTheGalleryIsAccessible|TestWhatBrowsersTreatDifferently|TestEveryPageOfTheSandboxIsAccessible)$$' ./e2e -args -pages

pictures: ## the pictures of docs/pages anew; every language and size in artefacts/pages
	go test -count=1 -v -run '^TestThePicturesOfTheTenMainPages$$' ./e2e -args -pictures

bench: ## what a payment and a page cost, beside what the machine could do at best (ROWS=closed, DATABASE=postgres://… FRONTS=3, PROFILE=/tmp)
	go run ./e2e/bench $(if $(ROWS),-rows $(ROWS)) $(if $(DATABASE),-database $(DATABASE)) $(if $(FRONTS),-fronts $(FRONTS)) $(if $(PROFILE),-profile $(PROFILE))

bench-quiet: ## all of it that wants a machine without other work, in six minutes: pages, payments, open loop, 19,000 waiting pages, a million sessions
	go run ./e2e/bench -rounds 3 -window 4s -streams 19000 -rows pages,closed,create,open,history,streams

figures: ## figures of storage, webhooks and payments in a browser, each by itself
	go test -run '^$$' -bench . ./internal/sqlstore ./internal/webhook ./e2e

fuzz: ## every fuzz target for FUZZTIME (default 1m)
	@scripts/fuzz $(or $(FUZZTIME),1m)
