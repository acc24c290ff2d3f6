# Every word is one line of infrastructure/scripts/guildhall.sh, for machines without make.
door := @sh infrastructure/scripts/guildhall.sh

.PHONY: help start demo doctor test link image bench fuzz clean clean-data
help:
	@echo 'make start       set up whatever is missing and open Guildhall on http://localhost:4400'
	@echo 'make demo        the same with a scripted crew: the whole path without a model key'
	@echo 'make link        a fresh sign-in link for the administrator'
	@echo 'make doctor      what this machine has and what it misses'
	@echo 'make test        install what the tests need, then run every check'
	@echo 'make image       build the sandbox image now instead of at first use'
	@echo 'make bench       figures, each with a floor measured in the same run'
	@echo 'make fuzz        odd requests to every route, some minutes long (FUZZ_ROUNDS, FUZZ_SEED)'
	@echo 'make clean       remove what was built (clean-data: the data folder too)'

start demo doctor test link image bench fuzz clean:
	$(door) $@
clean-data:
	$(door) clean --data
