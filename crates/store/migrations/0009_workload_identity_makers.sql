-- Whose work a workload identity is: who leaves may have made one that acts as somebody who stays.

-- A member or an API key; none where it is not known.
ALTER TABLE workload_identities ADD COLUMN created_by TEXT;
-- Whoever chose whose tokens it takes or as whom it acts, as JSON: members, and API keys with the members
-- who know them.
ALTER TABLE workload_identities ADD COLUMN makers TEXT NOT NULL DEFAULT '[]';
-- Of those of before the ledger says who made them, or else the first owner did.
UPDATE workload_identities SET created_by = (SELECT MIN(actor_id) FROM events
    WHERE events.workspace_id = workload_identities.workspace_id AND type = 'workload_identity.created'
        AND target LIKE '%"' || workload_identities.id || '"%');
UPDATE workload_identities SET makers = '["' || COALESCE(created_by,
    (SELECT MIN(id) FROM members WHERE members.workspace_id = workload_identities.workspace_id
        AND builtin_role = 'owner')
) || '"]' WHERE created_by IS NOT NULL OR EXISTS
    (SELECT 1 FROM members WHERE members.workspace_id = workload_identities.workspace_id AND builtin_role = 'owner');
UPDATE workload_identities SET makers = '["' || created_by || '",' ||
    SUBSTR((SELECT known_by FROM api_keys WHERE api_keys.id = workload_identities.created_by), 2)
    WHERE EXISTS (SELECT 1 FROM api_keys WHERE api_keys.id = workload_identities.created_by AND known_by <> '[]');

-- Which keys were made with a key, when somebody leaves.
CREATE INDEX api_keys_by_maker ON api_keys (workspace_id, created_by);
