# What the build needs beside Rust: a C compiler (SQLite and AWS-LC are C), git, and for the tests
# PostgreSQL (mk/with-postgres installs it) and Node.js (mk/clients.mk asks for it).

.PHONY: tools
tools:
	@command -v cargo >/dev/null 2>&1 || { \
		echo "Rust is not installed: take it from your distribution or from rustup, 1.95 or newer." >&2; exit 1; }
	@for tool in cc git; do \
		command -v $$tool >/dev/null 2>&1 || missing=1; \
	done; \
	if [ -n "$$missing" ]; then \
		if [ "$$(id -u)" = 0 ]; then as_root=; else as_root=sudo; fi; \
		$$as_root apt-get update -qq && $$as_root apt-get install -y -qq gcc libc6-dev git; \
	fi
