-- Who made a workload identity: empty where it was made before this was noted.

ALTER TABLE workload_identities ADD COLUMN created_by TEXT NOT NULL DEFAULT '';
