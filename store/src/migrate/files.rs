//! The table of migration files. A test compares it with the folder.

use super::Migration;

macro_rules! migration {
    ($version:literal, $name:literal, $file:literal) => {
        Migration { version: $version, name: $name, text: include_str!(concat!("../../migrations/", $file)) }
    };
}

/// Every migration, in order.
pub(super) const MIGRATIONS: &[Migration] = &[
    migration!(1, "database", "0001_database.sql"),
    migration!(2, "schema_migrations", "0002_schema_migrations.sql"),
    migration!(3, "predictions", "0003_predictions.sql"),
    migration!(4, "predictions_distributed", "0004_predictions_distributed.sql"),
    migration!(5, "outcomes", "0005_outcomes.sql"),
    migration!(6, "outcomes_distributed", "0006_outcomes_distributed.sql"),
    migration!(7, "exposures", "0007_exposures.sql"),
    migration!(8, "exposures_distributed", "0008_exposures_distributed.sql"),
    migration!(9, "measurements", "0009_measurements.sql"),
    migration!(10, "measurements_distributed", "0010_measurements_distributed.sql"),
    migration!(11, "baselines", "0011_baselines.sql"),
    migration!(12, "drift_findings", "0012_drift_findings.sql"),
    migration!(13, "monitor_runs", "0013_monitor_runs.sql"),
    migration!(14, "job_leases", "0014_job_leases.sql"),
    migration!(15, "monitors", "0015_monitors.sql"),
    migration!(16, "experiment_findings", "0016_experiment_findings.sql"),
    migration!(17, "experiment_looks", "0017_experiment_looks.sql"),
    migration!(18, "performance_findings", "0018_performance_findings.sql"),
    migration!(19, "predictions_projection_mode", "0019_predictions_projection_mode.sql"),
    migration!(20, "predictions_by_hour", "0020_predictions_by_hour.sql"),
];
