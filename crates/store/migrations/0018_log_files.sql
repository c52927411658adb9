-- Log files of the Compliance API: the ledger, cut into files that never change.

-- How far the ledger of a workspace is cut. Its row is the lock of whoever cuts.
CREATE TABLE log_cursors (
    workspace_id TEXT PRIMARY KEY REFERENCES workspaces (id),
    seq BIGINT NOT NULL,
    -- the end of the last file: that of the next one is later
    end_time BIGINT NOT NULL
);

CREATE TABLE log_files (
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    id TEXT NOT NULL,
    -- AUTH_LOG, AUDIT_LOG, CODEX_LOG, CODEX_SECURITY_LOG, CODEX_TURN
    type TEXT NOT NULL,
    end_time BIGINT NOT NULL,
    -- when the latest event in it happened
    max_event_at BIGINT NOT NULL,
    size BIGINT NOT NULL,
    sha256 BYTEA NOT NULL,
    -- JSON Lines, compressed (zstd), sealed
    contents_sealed BYTEA NOT NULL,
    PRIMARY KEY (workspace_id, id)
);
CREATE UNIQUE INDEX log_files_by_time ON log_files (workspace_id, end_time);
CREATE INDEX log_files_by_type ON log_files (workspace_id, type, end_time);
