# xmlsec1, the verifier of XML signatures that others wrote: the tests of SAML ask it for a second opinion.

.PHONY: xmlsec
xmlsec:
	@command -v xmlsec1 >/dev/null 2>&1 || { \
		if [ "$$(id -u)" = 0 ]; then as_root=; else as_root=sudo; fi; \
		$$as_root apt-get update -qq && $$as_root apt-get install -y -qq xmlsec1; \
	}
