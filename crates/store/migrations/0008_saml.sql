-- Sign-ins through SAML that browsers have begun; each is answered once.
CREATE TABLE saml_requests (
    -- of the RelayState
    hash BYTEA PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    connection_id TEXT NOT NULL,
    -- the ID of the AuthnRequest
    request_id TEXT NOT NULL,
    -- of the cookie of the browser that began it
    browser BYTEA NOT NULL,
    next TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX saml_requests_by_expiry ON saml_requests (expires_at);

-- Assertions that were taken, until they are not good any more: none is taken twice, on any node.
CREATE TABLE saml_assertions (
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    connection_id TEXT NOT NULL,
    assertion_id TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, connection_id, assertion_id)
);
CREATE INDEX saml_assertions_by_expiry ON saml_assertions (expires_at);
