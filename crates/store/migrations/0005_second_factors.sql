-- Second factors of local accounts.
CREATE TABLE second_factors (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    member_id TEXT NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    -- totp, passkey
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    -- of TOTP the secret, of a passkey its public key and counter, both sealed
    sealed BYTEA NOT NULL,
    -- of TOTP: the last time step that was used; each is taken once
    last_step BIGINT,
    created_at BIGINT NOT NULL,
    -- none until its member has shown that it works: it counts for nothing before
    confirmed_at BIGINT,
    last_used_at BIGINT
);
CREATE INDEX second_factors_by_member ON second_factors (member_id);

CREATE TABLE recovery_codes (
    hash BYTEA PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    member_id TEXT NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL
);
CREATE INDEX recovery_codes_by_member ON recovery_codes (member_id);

-- Sign-ins whose password (or link) was right and that wait for the second factor.
CREATE TABLE pending_sign_ins (
    -- of the cookie of the browser that began it
    hash BYTEA PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    member_id TEXT NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    -- password, link
    method TEXT NOT NULL,
    next TEXT NOT NULL,
    -- the factor that is set up on the way, where the workspace requires one and there is none
    factor_id TEXT,
    tries BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX pending_sign_ins_by_member ON pending_sign_ins (member_id);

-- What a passkey is asked, until it answers: once.
CREATE TABLE passkey_challenges (
    -- of the session or the pending sign-in
    hash BYTEA PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    member_id TEXT NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    sealed BYTEA NOT NULL,
    expires_at BIGINT NOT NULL
);
