-- Question: which alert changed its state when, and why? Grafana draws its annotations of these rows.
-- Row: one change of state of one alert. A row that is written again replaces itself.
-- Sort key: an alert's changes in time, rule by rule.
-- Partition: month of the change. Retention: 1,100 days, as long as the findings behind it, whole parts.
-- Growth: two to four rows an alert, about 400 bytes each: 50 alerts a day have 80 KB.
-- On a cluster every node holds all rows: they are few, and pages and dashboards read them all the time.
CREATE TABLE IF NOT EXISTS ${database}.alert_events${on_cluster}
(
    at DateTime64(6, 'UTC') COMMENT 'When the state changed, UTC',
    rule LowCardinality(String) COMMENT 'Name of the rule',
    fingerprint String COMMENT 'Hash of the labels, which names the alert',
    from_state LowCardinality(String) COMMENT 'inactive, pending, firing, recovering or resolved',
    to_state LowCardinality(String) COMMENT 'pending, firing, recovering, resolved or inactive',
    reason LowCardinality(String) COMMENT 'Why it changed, one of the words of docs/ALERTS.md',
    severity LowCardinality(String) COMMENT 'info, warning, error or critical',
    model LowCardinality(String) COMMENT 'Name of the model, or empty',
    labels Map(LowCardinality(String), LowCardinality(String)) COMMENT 'All labels of the alert',
    value Nullable(Float64) COMMENT 'The value that the rule looks at, in the unit of its source',
    window_start DateTime64(6, 'UTC') COMMENT 'Start of the window that was judged, UTC; 1970 without one',
    window_end DateTime64(6, 'UTC') COMMENT 'End of it, UTC',
    summary String COMMENT 'What people read, in a line',
    link String COMMENT 'The page of the finding, or empty',
    holder String COMMENT 'The process that judged'
)
ENGINE = ${everywhere:ReplacingMergeTree()}
PARTITION BY toYYYYMM(at)
ORDER BY (rule, fingerprint, at, to_state)
TTL toDateTime(at) + INTERVAL 1100 DAY
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 1000
COMMENT 'Every change of state of an alert'
