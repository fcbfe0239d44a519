-- Question: may predictions carry a projection although repeated events collapse while parts are merged?
-- A merge that replaces rows builds the projection again, so that both always say the same.
ALTER TABLE ${database}.predictions${local}${on_cluster} MODIFY SETTING deduplicate_merge_projection_mode = 'rebuild'
