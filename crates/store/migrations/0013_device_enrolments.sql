-- Machines without a signed-in member: an address with a secret in its path, and whose policy it gives.

CREATE TABLE device_enrolments (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    name TEXT NOT NULL,
    name_key TEXT NOT NULL,
    group_id TEXT NOT NULL,
    hash BYTEA NOT NULL UNIQUE,
    last4 TEXT NOT NULL,
    allowed_ips TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT,
    last_used_at BIGINT,
    rotated_at BIGINT,
    previous_expires_at BIGINT,
    leaked_at BIGINT
);
CREATE INDEX device_enrolments_by_workspace ON device_enrolments (workspace_id, id);
