-- Question: which outcomes has a fairness run seen, so that a window is compared again when later ones come?
-- Rows from before say 1970: their windows are compared once more where outcomes came since shortly before they ran.
ALTER TABLE ${database}.fairness_findings${on_cluster}
    ADD COLUMN IF NOT EXISTS outcomes_until DateTime64(6, 'UTC') COMMENT 'When the latest of the outcomes that the run has seen in its window was received, UTC; 1970 for none' AFTER granularity
