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
    -- the steps that it takes by itself (JSON list), at which it is, and since when
    stages TEXT NOT NULL,
    stage BIGINT NOT NULL,
    stage_since BIGINT NOT NULL,
    note TEXT NOT NULL,
    -- how both arms stood when it ended (JSON)
    figures TEXT,
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    ended_at BIGINT
);
CREATE INDEX rollouts_by_policy ON rollouts (workspace_id, policy_id, id);
-- One live rollout of a policy.
CREATE UNIQUE INDEX rollouts_live ON rollouts (policy_id) WHERE status IN ('running', 'paused');

-- What the devices with the baseline had done when a rollout began: what they do since is the difference.
CREATE TABLE rollout_marks (
    rollout_id TEXT NOT NULL REFERENCES rollouts (id) ON DELETE CASCADE,
    device TEXT NOT NULL,
    turns BIGINT NOT NULL,
    failed_turns BIGINT NOT NULL,
    PRIMARY KEY (rollout_id, device)
);
