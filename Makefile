# Everything a developer or a newcomer runs. `make` alone lists the targets.
# Variables given to make reach the program too: make up TEMPLATE=hello POOL_TARGET_SIZE=5 CONTAINER_MODE=docker
# make up CHECKPOINT=1 restores instances instead of starting them.
.DEFAULT_GOAL := help
.PHONY: help setup up check test test-parts test-long bench clean clean-demos clean-data doctor install uninstall
# One recipe at a time, also under make -j: they share node_modules and dist.
.NOTPARALLEL:

# npm writes this file last, so it is there, and newer than the lockfile, only after a complete install.
INSTALLED := node_modules/.package-lock.json
BUILT := dist/.built
# Folders are in the list because deleting a file changes nothing else than its folder.
SOURCES := $(shell find src scripts/build.js package-lock.json package.json ! -name '*.test.ts')

# Many visitors mean many sockets: what the system allows, but not so many that programs which walk all of them crawl.
MORE_FILES := hard=$$(ulimit -Hn); case $$hard in unlimited|???????*) hard=524288;; esac; ulimit -Sn $$hard

help: ## list the targets
	@echo 'Try It Now. Two commands do it all: make up, and make test.'
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "  make %-11s %s\n", $$1, $$2 }'

setup: ## install what is missing on this machine (SETUP_FLAGS=--with-tests for all that the tests use)
	@scripts/setup.sh $(if $(filter worker,$(ROLE)),--worker) $(SETUP_FLAGS) </dev/null

up: setup $(INSTALLED) $(BUILT) ## start everything and print where to click; Ctrl-C takes it all down
	@$(MORE_FILES); exec node dist/main.js up $(if $(CHECKPOINT),--checkpoint)

check: $(INSTALLED) ## types, format, lint, structure, dead code, known weaknesses of dependencies
	@npm run --silent check

test test-parts test-long: override SETUP_FLAGS += --with-tests
test: setup $(INSTALLED) $(BUILT) ## the tests, on real servers (FILES=path for some of all)
	@$(MORE_FILES); exec node_modules/.bin/vitest run $(or $(FILES),--project unit --project system)

test-parts: setup $(INSTALLED) $(BUILT) ## what each engine and database promises, and the drills of an operator's day
	@$(MORE_FILES); exec node_modules/.bin/vitest run --project parts

test-long: setup $(INSTALLED) $(BUILT) ## the tests that take a deployment through minutes of work or trouble, as CI does nightly
	@$(MORE_FILES); exec node_modules/.bin/vitest run $(FILES) --project long --maxWorkers 2

bench: setup $(INSTALLED) ## measure, print a table and write JSON
	@$(MORE_FILES); exec npm run --silent bench

install: $(INSTALLED) $(BUILT) ## build and install to PREFIX=/opt/try-it-now, as root (ROLE=worker JOIN=-: a further host; server, state: docs/fleet.md)
	@PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' ROLE='$(ROLE)' JOIN='$(JOIN)' NODE_NAME='$(NODE_NAME)' \
	  NODE_ADDRESS='$(NODE_ADDRESS)' UNCHECKED='$(UNCHECKED)' scripts/install.sh

uninstall: ## remove what make install made; PURGE=1 removes settings and data too
	@PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' PURGE='$(PURGE)' scripts/uninstall.sh

doctor: $(INSTALLED) $(BUILT) ## check every part, and say what is wrong and what to do about it
	@node dist/main.js doctor

clean-demos: $(INSTALLED) $(BUILT) ## remove this deployment's containers, networks and databases, with the server stopped (YES=1 does not ask)
	@node dist/main.js clean-demos $(if $(YES),--yes)

clean-data: $(INSTALLED) $(BUILT) ## remove this deployment's data from Valkey and NATS, with the server stopped (YES=1 does not ask)
	@node dist/main.js clean-data $(if $(YES),--yes)

clean: ## remove what the build made
	@rm -rf dist coverage bench-results test-results

$(INSTALLED): package-lock.json
	@echo 'Installing the npm packages.'
	@npm ci --loglevel=error </dev/null
	@touch $@

# The stamp is as old as the start of the build: a source that is saved while the compiler runs is built next time.
$(BUILT): $(INSTALLED) $(SOURCES)
	@echo 'Building.'
	@started=$$(mktemp) && npm run --silent build </dev/null && mv "$$started" $@
