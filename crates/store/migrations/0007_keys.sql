-- API keys and access tokens grown up; workload identities.

ALTER TABLE api_keys ADD COLUMN allowed_ips TEXT NOT NULL DEFAULT '[]';
ALTER TABLE api_keys ADD COLUMN reason TEXT NOT NULL DEFAULT '';
-- The members who have seen its secret, or one of a key that it was asked for with: none of them is the
-- second person.
ALTER TABLE api_keys ADD COLUMN known_by TEXT NOT NULL DEFAULT '[]';
ALTER TABLE api_keys ADD COLUMN approved_by TEXT;
ALTER TABLE api_keys ADD COLUMN rotated_at BIGINT;
ALTER TABLE api_keys ADD COLUMN previous_expires_at BIGINT;
ALTER TABLE api_keys ADD COLUMN leaked_at BIGINT;
-- Of the keys of before it is known who made them, or else the first owner did.
UPDATE api_keys SET known_by = '["' || COALESCE(
    (SELECT id FROM members WHERE members.id = api_keys.created_by),
    (SELECT MIN(id) FROM members WHERE members.workspace_id = api_keys.workspace_id AND builtin_role = 'owner')
) || '"]' WHERE EXISTS
    (SELECT 1 FROM members WHERE members.workspace_id = api_keys.workspace_id AND builtin_role = 'owner');

ALTER TABLE access_tokens ADD COLUMN allowed_ips TEXT NOT NULL DEFAULT '[]';
ALTER TABLE access_tokens ADD COLUMN workload_identity_id TEXT;
ALTER TABLE access_tokens ADD COLUMN rotated_at BIGINT;
ALTER TABLE access_tokens ADD COLUMN previous_expires_at BIGINT;
ALTER TABLE access_tokens ADD COLUMN leaked_at BIGINT;
CREATE INDEX access_tokens_by_workload ON access_tokens (workload_identity_id, expires_at);

-- Secrets that a rotation replaced. They stay after their end: a node must forget them, and one that
-- leaks must be told whose it was.
CREATE TABLE replaced_secrets (
    hash BYTEA PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    -- of an API key or of an access token
    credential_id TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX replaced_secrets_by_credential ON replaced_secrets (workspace_id, credential_id);

-- Whose tokens may be exchanged for access (RFC 8693).
CREATE TABLE workload_identities (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    name TEXT NOT NULL,
    name_key TEXT NOT NULL,
    issuer TEXT NOT NULL,
    audience TEXT NOT NULL,
    subject_pattern TEXT NOT NULL,
    claims TEXT NOT NULL,
    member_id TEXT NOT NULL,
    max_minutes BIGINT NOT NULL,
    enabled BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    last_used_at BIGINT,
    UNIQUE (workspace_id, name_key)
);
CREATE INDEX workload_identities_by_issuer ON workload_identities (issuer);

-- Tokens that were exchanged: each once.
CREATE TABLE workload_tokens_seen (
    workload_identity_id TEXT NOT NULL REFERENCES workload_identities (id) ON DELETE CASCADE,
    jti_hash BYTEA NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (workload_identity_id, jti_hash)
);
CREATE INDEX workload_tokens_seen_by_end ON workload_tokens_seen (expires_at);
