-- Receipts of deprovisioning.

-- The nodes that run: each writes its row anew every other second, and takes it away when it stops.
CREATE TABLE nodes (
    id TEXT PRIMARY KEY,
    started_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL
);

-- What ended when somebody left. The member's row may be gone; the receipt stays.
CREATE TABLE deprovisions (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    member_id TEXT NOT NULL,
    member_email TEXT NOT NULL,
    -- suspended, deleted, last_granting_group
    cause TEXT NOT NULL,
    group_id TEXT,
    -- the version of the workspace from which on it holds
    version BIGINT NOT NULL,
    at BIGINT NOT NULL,
    ended TEXT NOT NULL,
    items TEXT NOT NULL
);
CREATE INDEX deprovisions_by_workspace ON deprovisions (workspace_id, id);
CREATE INDEX deprovisions_by_member ON deprovisions (workspace_id, member_id, id);

-- Each node that ran when somebody left, and when it had let go of them.
CREATE TABLE deprovision_nodes (
    deprovision_id TEXT NOT NULL REFERENCES deprovisions (id) ON DELETE CASCADE,
    node_id TEXT NOT NULL,
    applied_at BIGINT,
    streams_ended BIGINT NOT NULL,
    PRIMARY KEY (deprovision_id, node_id)
);
CREATE INDEX deprovision_nodes_pending ON deprovision_nodes (node_id, applied_at);

CREATE INDEX authorization_codes_by_member ON authorization_codes (workspace_id, member_id);
CREATE INDEX one_time_links_by_member ON one_time_links (member_id);

-- Client sessions are listed beside those of the console.
ALTER TABLE grants ADD COLUMN ip TEXT NOT NULL DEFAULT '';
ALTER TABLE grants ADD COLUMN user_agent TEXT NOT NULL DEFAULT '';
ALTER TABLE grants ADD COLUMN last_used_at BIGINT;
