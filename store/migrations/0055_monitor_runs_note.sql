-- Question: what should people know of a run that is done, such as a name in its monitor that nothing has?
-- Rows from before have none.
ALTER TABLE ${database}.monitor_runs${on_cluster}
    ADD COLUMN IF NOT EXISTS note String COMMENT 'What is odd about a run that is done, such as a name that no prediction has; or empty' AFTER error
