//! Observations of ingestion: how long a model has been silent, against its own longest silence.

use super::{Kind, Measure};

pub(super) const KIND: Kind = Kind {
    name: "ingestion",
    about: "models whose predictions stop coming",
    measures: &[
        Measure {
            name: "silence_ratio",
            about: "the silence until now over the longest one between two active hours of the past week, at least an hour",
        },
        Measure { name: "silence_s", about: "the silence until now, seconds" },
    ],
    windows: false,
    sample: r#"{"labels":{"model":"delay","environment":"prod"},"window_end_us":1362182400000000,"value":3.5,
        "evidence":160.0,"silence_s":12600,"longest_s":3600,"last_us":1362169800000000,"rows":240000}"#,
    statement: STATEMENT,
};

/// Evidence is the number of hours with predictions in the past week: a nightly job has seven.
const STATEMENT: &str = "
    WITH fromUnixTimestamp64Micro({to:Int64}, 'UTC') AS now
    SELECT map('model', toString(model), 'environment', toString(environment)) AS labels,
           0 AS window_start_us, {to:Int64} AS window_end_us,
           if({measure:String} = 'silence_ratio', silence_s / greatest(3600, longest_s),
              if({measure:String} = 'silence_s', toFloat64(silence_s), NULL)) AS value,
           toFloat64(active) AS evidence, silence_s, longest_s, last_us, rows
    FROM (
        SELECT model, environment, count() AS active, sum(n) AS rows,
               toUnixTimestamp64Micro(max(last)) AS last_us,
               intDiv({to:Int64} - last_us, 1000000) AS silence_s,
               arrayMax(arrayDifference(arraySort(groupArray(toInt64(toUnixTimestamp(hour)))))) AS longest_s
        FROM (
            SELECT model, environment, toStartOfHour(ingested_at) AS hour, max(ingested_at) AS last, count() AS n
            FROM windvane.predictions
            WHERE ts > now - INTERVAL 8 DAY AND ts < now + INTERVAL 1 DAY
              AND ingested_at > now - INTERVAL 7 DAY AND ingested_at <= now
            GROUP BY model, environment, hour
        )
        GROUP BY model, environment
    )
    WHERE {from:Int64} < {to:Int64} AND ({any:Bool} OR NOT {any:Bool}) AND {latest:UInt64} > 0
    ORDER BY model, environment
    LIMIT {rows:UInt64}";
