# The real Codex CLI, in the versions that the tests drive. clients/package.json pins them, and
# clients/package-lock.json their checksums; nothing of it ships with Provost.

CLIENTS_STAMP := clients/node_modules/.installed

.PHONY: clients
clients: $(CLIENTS_STAMP) ## Install the Codex CLI versions that the tests drive

# The stamp lives in node_modules, so that removing the directory is enough to start over.
$(CLIENTS_STAMP): clients/package.json clients/package-lock.json clients/.npmrc
	@command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1 || { \
		echo "The tests drive the real Codex CLI, which needs Node.js 16 or newer with npm."; \
		echo "On Debian: sudo apt-get install nodejs npm"; \
		exit 1; \
	} >&2
	cd clients && npm ci
	@for version in 0.169.0 0.130.0; do \
		clients/node_modules/codex-$$version/bin/codex.js --version | grep -qx "codex-cli $$version" || { \
			echo "Codex CLI $$version does not start on this machine: is there a build for $$(uname -sm)?" >&2; \
			exit 1; \
		}; \
	done
	@touch $@
