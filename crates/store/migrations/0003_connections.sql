-- Identity providers: connections, domains, who is who there.
CREATE TABLE connections (id TEXT PRIMARY KEY, workspace_id TEXT NOT NULL, protocol TEXT NOT NULL, config TEXT NOT NULL, enabled BOOLEAN NOT NULL, create_members BOOLEAN NOT NULL);
