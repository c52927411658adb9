-- Another policy for one member, for a time, with a reason, agreed to by somebody else.

CREATE TABLE policy_exceptions (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    member_id TEXT NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    -- which policy (it may be gone); who asks may leave the choice to who approves
    policy_id TEXT,
    reason TEXT NOT NULL,
    -- for how long, from its approval on
    minutes BIGINT NOT NULL,
    -- pending, approved, denied, withdrawn, ended, expired
    status TEXT NOT NULL,
    created_by TEXT NOT NULL,
    -- the members who stand behind the caller that asked: none of them may approve
    known_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    decided_by TEXT,
    decided_at BIGINT,
    expires_at BIGINT,
    ended_at BIGINT
);
CREATE INDEX policy_exceptions_by_member ON policy_exceptions (workspace_id, member_id, status);
CREATE INDEX policy_exceptions_by_end ON policy_exceptions (status, expires_at);
