-- Question: none of its own; fills spans_trace_id_ts from each INSERT of spans.
-- Row: a trace within the INSERT.
CREATE MATERIALIZED VIEW IF NOT EXISTS ${database}.spans_trace_id_ts_mv${on_cluster}
TO ${database}.spans_trace_id_ts${local}
AS SELECT
    TraceId,
    min(toDateTime(Timestamp)) AS Start,
    max(toDateTime(Timestamp)) AS End,
    max(toDate(IngestedAt)) AS IngestedOn
FROM ${database}.spans${local}
WHERE TraceId != ''
GROUP BY TraceId
