-- What the identity provider says of members and groups (RFC 7643). `scim` holds its attributes as JSON,
-- without id, meta, groups and members; NULL where an admin made it by hand.
ALTER TABLE members ADD COLUMN user_name TEXT;
ALTER TABLE members ADD COLUMN user_key TEXT;
ALTER TABLE members ADD COLUMN external_id TEXT;
ALTER TABLE members ADD COLUMN scim TEXT;
-- A member made by hand goes by its address.
UPDATE members SET user_name = email, user_key = email_key;
CREATE UNIQUE INDEX members_by_user_key ON members (workspace_id, user_key);
CREATE INDEX members_by_external_id ON members (workspace_id, external_id, id) WHERE external_id IS NOT NULL;

ALTER TABLE groups ADD COLUMN external_id TEXT;
ALTER TABLE groups ADD COLUMN scim TEXT;
CREATE INDEX groups_by_external_id ON groups (workspace_id, external_id, id) WHERE external_id IS NOT NULL;

-- What SQLite, which keeps no statistics here, takes for the shortest way must be one: by workspace alone
-- it would walk through everyone to find some, and sort everyone to show a page.
CREATE UNIQUE INDEX members_by_workspace ON members (workspace_id, id);
CREATE UNIQUE INDEX groups_by_workspace ON groups (workspace_id, id);
DROP INDEX group_members_by_workspace;
DROP INDEX members_by_role;
CREATE INDEX members_by_ownership ON members (workspace_id) WHERE builtin_role = 'owner';
