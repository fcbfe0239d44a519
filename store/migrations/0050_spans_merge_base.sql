-- Question: how many parts of alike size does ClickHouse wait for before it merges spans?
-- As of predictions: a merge costs a row as much as its INSERT, and spans come in as large blocks too.
ALTER TABLE ${database}.spans${local}${on_cluster} MODIFY SETTING merge_selector_base = 10
