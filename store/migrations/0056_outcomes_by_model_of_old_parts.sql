-- Question: do outcomes from before `by_model` (0052) still collapse with their corrections?
-- Parts with different projections are never merged with each other, so the parts that there are get it too, in the background. Only the
--   column of models is read.
ALTER TABLE ${database}.outcomes${local}${on_cluster} MATERIALIZE PROJECTION IF EXISTS by_model
