# Conformance suites from PyPI, and an OpenID provider from npm, that the tests run against a server of theirs. suites/requirements.txt
# pins them; they live in a virtual environment beside it, and nothing of it ships with Provost.

SUITES_STAMP := suites/venv/.installed

.PHONY: suites
suites: $(SUITES_STAMP) ## Install the conformance suites that the tests run

# The stamp lives in the environment, so that removing the directory is enough to start over.
$(SUITES_STAMP): suites/requirements.txt suites/package.json suites/package-lock.json
	@command -v python3 >/dev/null 2>&1 && python3 -c 'import ensurepip, venv' 2>/dev/null || { \
		command -v apt-get >/dev/null 2>&1 || { \
			echo "The tests run conformance suites in Python: install Python 3.11 or newer with venv." >&2; \
			exit 1; \
		}; \
		echo "suites: installing Python with venv" >&2; \
		if [ "$$(id -u)" = 0 ]; then as_root=; else as_root=sudo; fi; \
		$$as_root apt-get update -qq && $$as_root apt-get install -y -qq python3 python3-venv; \
	}
	python3 -m venv --clear suites/venv
	suites/venv/bin/pip install --quiet --disable-pip-version-check --no-deps --requirement suites/requirements.txt
	@command -v npm >/dev/null 2>&1 || { echo "The tests run an OpenID provider under Node.js: install it with npm." >&2; exit 1; }
	cd suites && npm ci --ignore-scripts
	suites/venv/bin/pip check --disable-pip-version-check
	@touch $@
