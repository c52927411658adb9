-- Why a version was written, who else agreed, and what waits for a second person.

ALTER TABLE policy_versions ADD COLUMN note TEXT NOT NULL DEFAULT '';
-- Of a version that puts back an earlier one: which.
ALTER TABLE policy_versions ADD COLUMN restores BIGINT;
-- Of a version that a second person had to agree to: who did.
ALTER TABLE policy_versions ADD COLUMN approved_by TEXT;

CREATE TABLE policy_proposals (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    -- what would be done, as the request that asked for it
    kind TEXT NOT NULL,
    policy_id TEXT,
    body TEXT NOT NULL,
    -- what it was written against: it is stale when that has changed
    base TEXT NOT NULL,
    note TEXT NOT NULL,
    status TEXT NOT NULL,
    created_by TEXT NOT NULL,
    -- the members who stand behind the caller that asked: none of them is the second person
    known_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    decided_by TEXT,
    decided_at BIGINT
);
CREATE INDEX policy_proposals_by_status ON policy_proposals (workspace_id, status, id);
