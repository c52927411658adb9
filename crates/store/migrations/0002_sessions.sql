-- Sessions have an id by which they are listed and ended, and say how they began. Those of before end:
-- nothing is known of how they began.
DROP TABLE sessions;

CREATE TABLE sessions (
    hash BYTEA PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    member_id TEXT NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    csrf_token TEXT NOT NULL,
    -- password, link, oidc, saml, passkey
    method TEXT NOT NULL,
    -- totp, passkey, recovery_code; none where there was no second factor
    second_factor TEXT,
    connection_id TEXT,
    ip TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_by_member ON sessions (member_id);
CREATE INDEX sessions_by_workspace ON sessions (workspace_id, id);
