//! Pure statistics: slices or mergeable summaries in, named structs out. No clock, no creation of random generators,
//! no word of models or ClickHouse.
