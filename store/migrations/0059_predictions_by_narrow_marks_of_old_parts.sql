-- since: 26.1
-- Question: what do pages read of predictions from before the narrow marks (0058), or from before any projection?
-- The same projections: they are made of the parts that there are, in the background. Only the columns that they need are read.
ALTER TABLE ${database}.predictions${local}${on_cluster}
    MATERIALIZE PROJECTION IF EXISTS by_hour,
    MATERIALIZE PROJECTION IF EXISTS by_day
