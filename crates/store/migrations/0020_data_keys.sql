-- The keys under which everything is sealed, themselves wrapped by the master key, which is not here.
CREATE TABLE data_keys (
    -- dk_ and what sealed values name it by
    id TEXT PRIMARY KEY,
    -- seal; first: what values were sealed under before there was this table; mark
    purpose TEXT NOT NULL,
    -- those of `seal` in the order in which they were made: the last one seals
    generation BIGINT NOT NULL UNIQUE,
    wrapped BYTEA NOT NULL,
    -- which master key wraps it: its fingerprint, or `kms`
    master_key TEXT NOT NULL,
    -- grows with every change of this table, so that nodes see that there is one
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    -- no node uses it since; it stays here, wrapped by the master key of then, in case it was too early
    retired_at BIGINT
);
