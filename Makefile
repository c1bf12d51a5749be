# What each target does is also a `worklist` command; see docs/operators.md.
.DEFAULT_GOAL := help
WORKLIST := .venv/bin/worklist
VENV := .venv/bin/python
# Two processes take one file after the other, the long ones, which come first, at once.
SHARED := -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: help env demo test test-long check messages oracle bench bench-sync bench-refresh \
	bench-service bench-write-back sync refresh publish nightly serve

help: ## This list
	@grep -E '^[a-z-]+: .*##' Makefile | sed -E 's/: [^#]*## /\t/' | expand -t 20

env: ## Make the environment .venv, nothing else
	@sh deploy/make-venv run

demo: env ## Try everything on invented data; Ctrl-C ends it
	@exec $(WORKLIST) demo

test: check ## Check the code and run the tests
	@$(VENV) -m pytest $(SHARED)

test-long: check ## Run more rounds of the histories that are made up at random
	@WORKLIST_TEST_ROUNDS=20 $(VENV) -m pytest $(SHARED) \
		tests/integration/test_refresh_histories.py tests/integration/test_sync_schedules.py

check: ## Run the linters and the type checker
	@sh deploy/make-venv test
	@$(VENV) -m ruff check .
	@$(VENV) -m ruff format --check .
	@$(VENV) -m mypy

messages: env ## Bring the translations of the pages up to date with their English
	@.venv/bin/pybabel extract -F pyproject.toml -k gettext_noop -k pgettext_noop:1c,2 \
		--add-location file -o messages.pot .
	@.venv/bin/pybabel update --ignore-pot-creation-date -i messages.pot -d pipeline/service/locale

oracle: env ## Compare with the recorded answers of the CHT's rules engine, or those in CASES
	@exec $(VENV) -m oracle $(CASES)

bench: bench-sync bench-refresh bench-write-back bench-service ## Run all benchmarks, one after the other

bench-sync: env ## Measure the sync; see docs/performance.md
	@exec $(VENV) -m benchmarks.sync

bench-refresh: env ## Measure refresh and publication; see docs/performance.md
	@exec $(VENV) -m benchmarks.refresh

bench-service: env ## Measure the service under load; see docs/performance.md
	@exec $(VENV) -m benchmarks.service

bench-write-back: env ## Measure the write-back; see docs/performance.md
	@exec $(VENV) -m benchmarks.write_back

sync: env ## Copy the CHT's documents into PostgreSQL
	@$(WORKLIST) migrate && exec $(WORKLIST) sync --once

refresh: env ## Bring the live tables up to date
	@exec $(WORKLIST) refresh

publish: env ## Bring the published marts up to date
	@exec $(WORKLIST) publish

nightly: env ## Sync, write back, refresh and publish in one go, for cron
	@$(WORKLIST) migrate && exec $(WORKLIST) nightly

serve: env ## Show the worklist, take verifications and send them
	@exec $(WORKLIST) serve
