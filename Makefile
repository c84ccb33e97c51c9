# The front door for people: `make demo` shows it all, `make test` checks it all. Everything else is `imagefactory --help`.
.PHONY: help demo test up down status doctor lint format bench assets bootstrap bootstrap-test
run := sh scripts/with-venv.sh

help: ## Show what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: ## From a bare machine to a first real image, then leave the factory running
	@sh scripts/demo.sh

test: bootstrap-test ## Run every check and test
	@sh scripts/test.sh

up: bootstrap ## Install what is missing and start the factory
	@$(run) imagefactory up

down: ## Stop the factory
	@$(run) imagefactory down

status: ## Show the factory's processes
	@$(run) imagefactory status

doctor: ## Say what is missing on this machine, and how to install it
	@$(run) imagefactory doctor

lint: bootstrap-test ## Only the checks that read code
	@sh scripts/lint.sh

format: bootstrap-test ## Format the code
	@$(run) ruff format .
	@$(run) ruff check --fix --quiet .

bench: bootstrap-test ## Measure, and compare with the numbers to reach; choose with ARGS="--only queue,claims --quick"
	@PYTHONPATH=src $(run) python -m benchmarks $(ARGS)

assets: bootstrap ## Build CSS and scripts of the pages

bootstrap:
	@sh scripts/bootstrap.sh run

bootstrap-test:
	@sh scripts/bootstrap.sh test
