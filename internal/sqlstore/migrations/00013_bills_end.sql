-- Bills are asked about by a job of each; those from before get theirs here. Times as in the first.

-- +goose Up
INSERT INTO job (id, kind, key, payload, run_at, attempt, worker, lease_until)
    SELECT -ROW_NUMBER() OVER (ORDER BY id), 'invoice.inquire', id, '{"merchant":"' || merchant || '","invoice":"' || id || '"}', 1, 0, '', 0
    FROM invoice WHERE status IN ('unknown', 'open');

-- +goose Down
DELETE FROM job WHERE kind = 'invoice.inquire';
