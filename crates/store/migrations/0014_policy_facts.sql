-- What clients were sent, and what they did with it.

-- A version of a policy that a device was sent. A device is the credential that it calls with: a client
-- session, an access token, or a device enrolment.
CREATE TABLE policy_deliveries (
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    device TEXT NOT NULL,
    -- empty for a device enrolment
    member_id TEXT NOT NULL,
    -- empty and 0: no policy
    policy_id TEXT NOT NULL,
    policy_version BIGINT NOT NULL,
    -- empty: it did not say
    client_version TEXT NOT NULL,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    fetches BIGINT NOT NULL,
    -- since it was sent: turns that began, those that failed or were refused, and when the last one was
    turns BIGINT NOT NULL,
    failed_turns BIGINT NOT NULL,
    last_turn_at BIGINT,
    PRIMARY KEY (workspace_id, device, policy_id, policy_version, client_version)
);
CREATE INDEX policy_deliveries_by_member ON policy_deliveries (workspace_id, member_id, last_at);
CREATE INDEX policy_deliveries_by_policy ON policy_deliveries (workspace_id, policy_id, policy_version);
CREATE INDEX policy_deliveries_by_time ON policy_deliveries (workspace_id, last_at);

-- A session of the agent, as its client reported it: what it really ran with.
CREATE TABLE agent_sessions (
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    -- the client's thread (conversation) id
    thread_id TEXT NOT NULL,
    member_id TEXT NOT NULL,
    device TEXT NOT NULL,
    client_version TEXT NOT NULL,
    originator TEXT NOT NULL,
    model TEXT NOT NULL,
    -- as the client spells them; empty: not reported
    approval_policy TEXT NOT NULL,
    sandbox_policy TEXT NOT NULL,
    -- 'on', 'off'; empty: not reported
    network_access TEXT NOT NULL,
    -- the better of the feeds that told of it: 'analytics', 'otlp'
    source TEXT NOT NULL,
    -- the policy that the device had been sent
    policy_id TEXT NOT NULL,
    policy_version BIGINT NOT NULL,
    -- in_step, behind, contradicting, unknown; and what says so (JSON)
    verdict TEXT NOT NULL,
    reasons TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, thread_id)
);
CREATE INDEX agent_sessions_by_time ON agent_sessions (workspace_id, last_at);
CREATE INDEX agent_sessions_by_member ON agent_sessions (workspace_id, member_id, last_at);
CREATE INDEX agent_sessions_by_device ON agent_sessions (workspace_id, device, last_at);
CREATE INDEX agent_sessions_by_verdict ON agent_sessions (workspace_id, verdict, last_at);

-- A command that the agent ran or wanted to run. Its words are content: kept only where the workspace
-- records commands, and sealed.
CREATE TABLE agent_commands (
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    thread_id TEXT NOT NULL,
    call_id TEXT NOT NULL,
    member_id TEXT NOT NULL,
    at BIGINT NOT NULL,
    -- a JSON list of words, sealed
    argv_sealed BYTEA NOT NULL,
    -- what became of it, as the client reported it: ran, approved, denied, blocked, failed
    outcome TEXT NOT NULL,
    PRIMARY KEY (workspace_id, thread_id, call_id)
);
CREATE INDEX agent_commands_by_time ON agent_commands (workspace_id, at);
