//! The names the rules speak of.

/// Roots of the syntax tree that a reader may run.
pub(super) const READER_ROOTS: [&str; 18] = [
    "SelectWithUnionQuery",
    "SelectIntersectExceptQuery",
    "SelectQuery",
    "Explain",
    "DescribeQuery",
    "ExistsDatabaseQuery",
    "ExistsTableQuery",
    "ExistsViewQuery",
    "ExistsDictionaryQuery",
    "ShowTables",
    "ShowColumns",
    "ShowFunctions",
    "ShowEngineQuery",
    "ShowProcesslistQuery",
    "ShowSetting",
    "ShowCreateTableQuery",
    "ShowCreateViewQuery",
    "ShowCreateDatabaseQuery",
];

/// Roots that the writer may run beside those.
pub(super) const WRITER_ROOTS: [&str; 17] = [
    "InsertQuery",
    "CreateQuery",
    "CreateSQLFunctionQuery",
    "DropFunctionQuery",
    "DropQuery",
    "TruncateQuery",
    "UndropQuery",
    "DetachQuery",
    "AlterQuery",
    "Rename",
    "OptimizeQuery",
    "DeleteQuery",
    "UpdateQuery",
    "CheckQuery",
    "UseQuery",
    "Set",
    "KillQueryQuery",
];

/// Kinds of EXPLAIN that only show what they hold.
pub(super) const EXPLAINS: [&str; 7] = [
    "EXPLAIN",
    "EXPLAIN AST",
    "EXPLAIN SYNTAX",
    "EXPLAIN QUERY TREE",
    "EXPLAIN PIPELINE",
    "EXPLAIN ESTIMATE",
    "EXPLAIN PLAN",
];

/// Table functions that a reader may use.
pub(super) const READER_TABLE_FUNCTIONS: [&str; 7] =
    ["numbers", "numbers_mt", "zeros", "one", "values", "generateSeries", "view"];

/// Table functions that the writer may use beside those; none reaches outside of the engine.
pub(super) const WRITER_TABLE_FUNCTIONS: [&str; 14] = [
    "zeros_mt",
    "generate_series",
    "generateRandom",
    "generateSeries",
    "null",
    "input",
    "format",
    "viewIfPermitted",
    "viewExplain",
    "mergeTreeIndex",
    "mergeTreeProjection",
    "mergeTreeAnalyzeIndexes",
    "primes",
    "timeSeriesSelector",
];

/// Functions that reach outside of the engine wherever they stand; refused for everyone.
pub(super) const OUTSIDE: [&str; 61] = [
    "file",
    "filecluster",
    "fileview",
    "url",
    "urlcluster",
    "s3",
    "s3cluster",
    "s3queue",
    "gcs",
    "oss",
    "cosn",
    "hdfs",
    "hdfscluster",
    "azureblobstorage",
    "azureblobstoragecluster",
    "remote",
    "remotesecure",
    "cluster",
    "clusterallreplicas",
    "executable",
    "mysql",
    "postgresql",
    "sqlite",
    "mongodb",
    "redis",
    "odbc",
    "jdbc",
    "ytsaurus",
    "iceberg",
    "icebergs3",
    "icebergazure",
    "iceberghdfs",
    "iceberglocal",
    "icebergcluster",
    "icebergs3cluster",
    "deltalake",
    "deltalakes3",
    "deltalakeazure",
    "deltalakelocal",
    "deltalakecluster",
    "deltalakes3cluster",
    "hudi",
    "hudicluster",
    "paimon",
    "paimons3",
    "paimonazure",
    "paimonlocal",
    "paimonhdfs",
    "arrowflight",
    "arrowstream",
    "python",
    "hive",
    "prometheusquery",
    "prometheusqueryrange",
    "filesystem",
    "merge",
    "dictionary",
    "loop",
    "eval",
    "fuzzquery",
    "paimoncluster",
];

/// Functions that open an object named in a text or a model file, or call a service; refused for everyone.
pub(super) const BY_NAME: [&str; 12] = [
    "joinget",
    "joingetornull",
    "catboostevaluate",
    "hascolumnintable",
    "evalmlmethod",
    "modelevaluate",
    "showcertificate",
    "aiclassify",
    "aigenerate",
    "aiembed",
    "aiextract",
    "aitranslate",
];

/// Beginnings of the names of functions that open an object named in a text.
pub(super) const BY_NAME_PREFIXES: [&str; 3] = ["dictget", "dicthas", "dictis"];

/// Table engines that keep their data inside of the engine.
pub(super) const TABLE_ENGINES: [&str; 22] = [
    "MergeTree",
    "ReplacingMergeTree",
    "SummingMergeTree",
    "AggregatingMergeTree",
    "CollapsingMergeTree",
    "VersionedCollapsingMergeTree",
    "GraphiteMergeTree",
    "CoalescingMergeTree",
    "ReplicatedMergeTree",
    "ReplicatedReplacingMergeTree",
    "ReplicatedSummingMergeTree",
    "ReplicatedAggregatingMergeTree",
    "Memory",
    "Log",
    "TinyLog",
    "StripeLog",
    "Null",
    "Set",
    "Join",
    "Buffer",
    "GenerateRandom",
    "KeeperMap",
];

/// Database engines that keep their tables inside of the engine.
pub(super) const DATABASE_ENGINES: [&str; 3] = ["Atomic", "Memory", "Replicated"];
