-- Question: how many outcomes does each model have, without reading one?
-- Row of the projection: one model. It lives inside each part of outcomes and is written with it; an outcome that was corrected counts
--   twice until its rows are merged, as it does where rows are counted.
-- Readers ask for `count()` by model; ClickHouse takes the projection by itself. Parts from before this migration are read as before.
-- Growth: a row a model in each part.
ALTER TABLE ${database}.outcomes${local}${on_cluster} ADD PROJECTION IF NOT EXISTS by_model (
    SELECT model, count()
    GROUP BY model
)
