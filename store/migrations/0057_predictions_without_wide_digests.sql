-- since: 26.1
-- Question: why do pages of one model read the digests of a thousand others?
-- A mark of `by_hour` (0020) and `by_day` (0053) holds as many rows as one of predictions, 8,192, each with a digest of some 2 KB: a reader of
--   one model's week takes 13 MB apart for 0.7. They are made anew with narrow marks (0058). Servers before 26.1 keep them as they are.
ALTER TABLE ${database}.predictions${local}${on_cluster}
    DROP PROJECTION IF EXISTS by_hour,
    DROP PROJECTION IF EXISTS by_day
