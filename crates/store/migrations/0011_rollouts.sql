-- A version of a policy on its way to everybody who gets the policy.

CREATE TABLE rollouts (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    policy_id TEXT NOT NULL REFERENCES policies (id) ON DELETE CASCADE,
    -- what the others go on getting, and the version that is rolled out
    baseline_version BIGINT NOT NULL,
    candidate_version BIGINT NOT NULL,
    -- running, paused, halted, finished, cancelled
    status TEXT NOT NULL,
    -- hundredths of a percent of the members, stable by member
    share BIGINT NOT NULL,
    -- JSON lists; an empty one is everybody
    group_ids TEXT NOT NULL,
    min_client_version TEXT,
    max_client_version TEXT,
    -- when it halts by itself (JSON)
    guard TEXT NOT NULL,
    reason TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    ended_at BIGINT
);
CREATE INDEX rollouts_by_policy ON rollouts (workspace_id, policy_id, id);
