-- Question: what do pages read of predictions from before `by_day` (0053)?
-- The same projection: it is made of the parts that there are, in the background. Only the columns that it needs are read.
ALTER TABLE ${database}.predictions${local}${on_cluster} MATERIALIZE PROJECTION IF EXISTS by_day
