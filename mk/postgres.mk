# A PostgreSQL for the tests: made for one command, gone after it. `$(WITH_POSTGRES) COMMAND` gives the
# command its URL in PROVOST_TEST_POSTGRES; nothing needs to be set up, and nothing is left behind.

WITH_POSTGRES := mk/with-postgres
