-- Question: may outcomes carry a projection although corrected ones collapse while parts are merged?
-- A merge that replaces or drops rows builds the projection again, so that both always say the same.
ALTER TABLE ${database}.outcomes${local}${on_cluster} MODIFY SETTING deduplicate_merge_projection_mode = 'rebuild'
