# sysct's build. make builds bin/sysct; make help says what else there is.

.DEFAULT_GOAL := build
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

PREFIX ?= /usr/local
DESTDIR ?=
SYSCT_TEST_CACHE ?= /var/cache/sysct-test
export SYSCT_TEST_CACHE

# Go wants a home for its caches; a runner may have none.
export HOME := $(or $(HOME),$(shell getent passwd "$$(id -u)" | cut -d: -f6),/root)

# What needs Go finds it here or ends with this one line; the other targets don't care.
found := $(shell internal/build/find-go.sh $(GO))
go = $(if $(filter ok,$(firstword $(found))),$(lastword $(found)),$(error sysct needs Go 1.26 or later: $(wordlist 2,99,$(found))))

export CGO_ENABLED := 0
version := $(shell internal/build/version.sh bin/.version)
build = $(go) build -trimpath -buildvcs=false -ldflags "-s -w $(1)"

# What is linked: Go, assembly, and the data that is embedded.
sources := go.mod go.sum Makefile $(shell find cmd etc pkg internal templates -type f \( -name '*.go' -o -name '*.s' -o -name '*.toml' -o -path 'etc/*' \) ! -name '*_test.go')
helper := internal/helperbin/bin/sysct-helper
net := internal/helperbin/bin/sysct-net

.PHONY: help build man deps test test-vm vm lint fmt generate bench demo install deb clean

help: ## show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

build: bin/sysct ## build bin/sysct, a static program with all that it needs in it

$(helper): $(sources) bin/.version
	@$(call build,-X main.version=$(version)) -o $@ ./cmd/sysct-helper

$(net): $(sources)
	@$(call build,) -o $@ ./cmd/sysct-net

# The first digits of the digest name a program that is unpacked on a host.
$(helper).sum $(net).sum: %.sum: %
	@sha256sum $< | cut -c 1-16 >$@

bin/sysct: $(helper).sum $(net).sum bin/.version
	@$(call build,-X main.version=$(version)) -o $@ ./cmd/sysct
	@echo "built bin/sysct $(version)"

deps: ## install with apt what sysct and its tests need, if it is missing
	@internal/build/deps.sh run test deb vm

test: ## run all tests, as root: linters, units, command line, real guests, emulated machines
	@$(if $(go),internal/build/deps.sh run test deb vm)
	@$(MAKE) --no-print-directory build
	@internal/build/test.sh $(go)

# What of the tests, by a regular expression, on which Debian, and how many machines at a time (0: as many as do).
RELEASE ?= trixie
CASES ?= .
JOBS ?= 0

test-vm: vm ## run the tests of a host with systemd, in emulated machines (RELEASE=bookworm, CASES=regexp)
	@PATH="$(dir $(go)):$$PATH:/usr/sbin:/sbin" bin/vm test -r '$(RELEASE)' -j '$(JOBS)' '$(CASES)'

vm: ## build bin/vm, which runs commands in such a machine
	@$(if $(go),internal/build/deps.sh run vm)
	@$(MAKE) --no-print-directory build
	@$(go) build -o bin/vm ./internal/vm

lint: ## gofmt, go vet, staticcheck
	@internal/build/lint.sh $(go)

fmt: ## format the Go files
	@$(go) fmt ./...

generate: ## write anew what is made from the code: manuals and reference of keys, diagrams
	@$(go) generate ./pkg/guest/spec # the rest is made from its tables
	@$(go) generate ./...

# N runs of each row, or only some rows: make bench N=5 ROWS=start,exec
N ?= 20
ROWS ?=

bench: ## time sysct and LXC side by side, as root, on an idle host (N=20, ROWS=start,exec)
	@$(if $(go),internal/build/deps.sh run bench)
	@$(MAKE) --no-print-directory build
	@$(go) build -o bin/bench ./internal/bench
	@bin/bench -n $(N) -rows '$(ROWS)' -cache $(SYSCT_TEST_CACHE)

# The time of the source, so that one source makes one manual and one package.
source_epoch = $(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct 2>/dev/null),$(shell date -u -r CHANGELOG.md +%s))
source_date = $(shell date -u -d @$(source_epoch) +%F)

man: build ## write the manual pages into bin/man
	@rm -rf bin/man
	@bin/sysct __describe | $(go) run ./internal/docgen man bin/man '$(version)' '$(source_date)'
	@echo "wrote $$(ls bin/man/man*/* | wc -l) pages into bin/man"

demo: ## make, run, freeze, stop and destroy two guests
	@$(if $(go),internal/build/deps.sh run)
	@$(MAKE) --no-print-directory build
	@internal/demo/demo.sh bin/sysct

# The files of etc name the program; this puts its path after the installation there.
bindir = $(PREFIX)/bin
with_path = sed 's,/usr/bin/sysct,$(bindir)/sysct,g'
ZSH_COMPLETIONS ?= $(PREFIX)/share/zsh/site-functions

install: build man ## install below DESTDIR and PREFIX (/usr/local)
	install -D -m 755 bin/sysct $(DESTDIR)$(bindir)/sysct
	install -D -m 755 $(helper) $(DESTDIR)$(PREFIX)/lib/sysct/sysct-helper
	install -D -m 755 $(net) $(DESTDIR)$(PREFIX)/lib/sysct/sysct-net
	install -d -m 755 $(DESTDIR)/etc/sysct/templates
	test -e $(DESTDIR)/etc/sysct/sysct.toml || install -m 644 etc/sysct.toml $(DESTDIR)/etc/sysct/sysct.toml
	set -e; for file in $(wildcard etc/systemd/* etc/tmpfiles.d/* etc/sysctl.d/*); do \
		to=$(DESTDIR)$(PREFIX)/lib/$$(echo $$file | sed 's,^etc/,,; s,^systemd/,systemd/system/,'); \
		install -d -m 755 $$(dirname $$to); $(with_path) $$file >$$to; chmod 644 $$to; done
	install -d -m 755 $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/man/man5
	install -m 644 bin/man/man1/* $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 644 bin/man/man5/* $(DESTDIR)$(PREFIX)/share/man/man5
	install -d -m 755 $(DESTDIR)$(PREFIX)/share/bash-completion/completions $(DESTDIR)$(ZSH_COMPLETIONS) $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
	bin/sysct completion bash >$(DESTDIR)$(PREFIX)/share/bash-completion/completions/sysct
	bin/sysct completion zsh >$(DESTDIR)$(ZSH_COMPLETIONS)/_sysct
	bin/sysct completion fish >$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/sysct.fish

# Where the package goes, and its version, if not that of the source.
DISTDIR ?= dist
DEB_VERSION ?= $(shell internal/packaging/version.sh '$(version)' $(source_epoch))

deb: ## make a Debian package in dist
	@$(if $(go),internal/packaging/deb.sh $(go) $(DISTDIR) '$(DEB_VERSION)' $(source_epoch))

clean: ## remove what was built
	rm -rf bin dist $(helper) $(helper).sum
