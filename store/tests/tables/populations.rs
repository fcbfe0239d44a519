//! Populations on a real ClickHouse: columns that are counted together answer as each of them does alone.

use std::collections::BTreeMap;

use windvane_store::performance::{
    Chunking, ClassCount, Every, EveryRow, EveryRows, EverySink, Frame, OfTwo, Period, Roles, RowsBy, RowsOf,
    RowsRow, Said, TallyRow, every, frame, frame_of_classes, tally,
};
use windvane_store::populations::{
    self, CategoryColumn, CategoryRow, CodedSegment, CountRow, CountRows, CountSink, CountedColumn, LATENCY,
    OUTCOME, Pair, Population, PredictionFilter, SegmentKeys, SegmentRow, TIME, UNIT, Wanted,
};
use windvane_store::{DATABASE, Param, Reader, Statement};

use crate::endpoint::Running;

/// A time that no retention has passed: 2100.
const IN_2100_US: i64 = 130 * 365 * 86_400_000_000;
/// Names that statements use themselves, that end strings, or that are not ASCII.
const ODD: [&str; 3] = ["it's \\ a `name`\"", "航空", "category_1"];

/// The predictions of a model, of this span of microseconds.
fn filter(model: &str, (start_us, end_us): (i64, i64)) -> PredictionFilter {
    PredictionFilter {
        model: model.to_owned(),
        version: None,
        environment: None,
        start_us,
        end_us,
        stored_before_us: i64::MAX,
    }
}

async fn population(reader: &Reader, model: &str, span_us: (i64, i64)) -> Population {
    populations::open_predictions(reader, model.to_owned(), &filter(model, span_us)).await.unwrap()
}

/// Predictions one microsecond apart, from 0 on: `cat` and `tags` are expressions over their `number`.
async fn predict(running: &Running, model: &str, (rows, cat, tags): (u64, &str, &str)) {
    let sql = format!(
        "INSERT INTO {DATABASE}.predictions (event_id, ts, ingested_at, model, cat, tags) \
         SELECT toString(number), fromUnixTimestamp64Micro(toInt64(number)), fromUnixTimestamp64Micro({{in_2100:Int64}}), \
         {{model:String}}, {cat}, {tags} FROM numbers({{rows:UInt64}})"
    );
    let statement =
        Statement::new(sql).param("in_2100", IN_2100_US).param("model", model).param("rows", rows);
    running.store.execute(&statement.param("odd", Param::texts(&ODD))).await.unwrap();
}

/// A row of an answer without its column: segment, reference, current, categories, the first of them.
type Counted<'a> = (u32, u64, u64, u64, &'a str);

fn of_column(rows: &[CategoryRow], column: u32) -> Vec<Counted<'_>> {
    let of = rows.iter().filter(|row| row.column == column);
    of.map(|row| (row.segment, row.a, row.b, row.times, row.category.as_str())).collect()
}

/// The categories of a column with how often each occurs, in any order.
#[derive(Debug, Default)]
struct Counts(BTreeMap<String, u64>);

impl CountSink for Counts {
    fn push(&mut self, category: String, n: u64) {
        assert_eq!(self.0.insert(category, n), None, "a category comes once");
    }
}

async fn counts(reader: &Reader, population: &Population, columns: &[CountedColumn<'_>]) -> Vec<Counts> {
    let sinks = columns.iter().map(|_| Counts::default()).collect();
    let statement = populations::counts(population, columns);
    reader.fold(&statement, "RowBinary", CountRows::new(sinks)).await.unwrap().sinks
}

#[tokio::test(flavor = "multi_thread")]
async fn engine_counts_columns_together_as_it_counts_each_alone() {
    let running = Running::migrated().await;
    // Eight rows of the reference, then six of the current population; `early` and `late` are on one side only.
    let cat = "mapFromArrays(\
               arrayConcat([{odd:Array(String)}[1], {odd:Array(String)}[3], if(number < 8, 'early', 'late')], \
               if(number % 2 = 0, [{odd:Array(String)}[2]], [])), \
               arrayConcat([if(number % 2 = 0, 'é', 'a'), toString(number % 3), \
               multiIf(number < 8, 'x', number % 2 = 0, 'True', 'true')], if(number % 2 = 0, [''], [])))";
    predict(&running, "delay", (14, cat, "map('site', if(number < 4, 'it''s', 'other'))")).await;
    let reader = Reader::Store(running.store.clone());
    let reference = population(&reader, "delay", (0, 8)).await;
    let current = population(&reader, "delay", (8, 14)).await;
    let pair = Pair { reference: &reference, current: &current };
    let columns: Vec<CategoryColumn<'_>> = [ODD[0], ODD[1], ODD[2], "late", "early", "nowhere"]
        .into_iter()
        .map(|name| CategoryColumn {
            sides: [reference.column(name), current.column(name)],
            fold_case: name == "late",
        })
        .collect();
    let whole = SegmentKeys::default();
    let site = SegmentKeys { names: vec!["site".to_owned()], keys: vec![r#"["it's"]"#.to_owned()] };
    let expected_of_whole: [&[Counted<'_>]; 6] = [
        &[(0, 4, 3, 2, "a")],
        &[(0, 4, 3, 1, "")],
        &[(0, 2, 2, 1, "2"), (0, 3, 2, 2, "0")],
        &[(0, 0, 6, 1, "true")],
        &[(0, 8, 0, 1, "x")],
        &[],
    ];
    let expected_of_site: [&[Counted<'_>]; 6] = [
        &[(0, 2, 0, 2, "a")],
        &[(0, 2, 0, 1, "")],
        &[(0, 1, 0, 2, "1"), (0, 2, 0, 1, "0")],
        &[],
        &[(0, 4, 0, 1, "x")],
        &[],
    ];
    for (segments, expected) in [(&whole, expected_of_whole), (&site, expected_of_site)] {
        let together: Vec<CategoryRow> =
            reader.rows(&populations::categories(pair, &columns, segments)).await.unwrap();
        for (i, expected) in expected.into_iter().enumerate() {
            let alone = populations::categories(pair, &columns[i..=i], segments);
            let alone: Vec<CategoryRow> = reader.rows(&alone).await.unwrap();
            assert_eq!(
                of_column(&together, u32::try_from(i).unwrap()),
                expected,
                "column {i} of {segments:?}"
            );
            assert_eq!(of_column(&alone, 0), expected, "column {i} alone of {segments:?}");
        }
    }

    let of_current: Vec<CountedColumn<'_>> = columns
        .iter()
        .map(|column| CountedColumn { column: column.sides[1], fold_case: column.fold_case })
        .collect();
    let expected: [&[(&str, u64)]; 6] =
        [&[("a", 3), ("é", 3)], &[("", 3)], &[("0", 2), ("1", 2), ("2", 2)], &[("true", 6)], &[], &[]];
    let together = counts(&reader, &current, &of_current).await;
    for (i, expected) in expected.into_iter().enumerate() {
        let expected: BTreeMap<String, u64> =
            expected.iter().map(|(category, n)| ((*category).to_owned(), *n)).collect();
        let alone = counts(&reader, &current, &of_current[i..=i]).await;
        assert_eq!((&together[i].0, &alone[0].0), (&expected, &expected), "column {i}");
    }
    drop(reader);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn engine_counts_an_event_that_was_sent_twice_once_before_its_rows_are_merged() {
    let running = Running::migrated().await;
    let reader = Reader::Store(running.store.clone());
    for (rows, cat, expected) in [
        (6, "map('k', 'first')", vec![("first", 6)]),
        (4, "map('k', 'second')", vec![("first", 2), ("second", 4)]),
    ] {
        predict(&running, "twice", (rows, cat, "map()")).await;
        let population = population(&reader, "twice", (0, 14)).await;
        let column = CountedColumn { column: population.column("k"), fold_case: false };
        let expected: BTreeMap<String, u64> =
            expected.into_iter().map(|(category, n)| (category.to_owned(), n)).collect();
        assert_eq!(counts(&reader, &population, &[column]).await[0].0, expected, "after {rows} rows more");
        let filter = filter("twice", (0, 14));
        let latencies = populations::latencies(&reader, "twice".to_owned(), &filter).await.unwrap();
        let counted = populations::row_count(&latencies, latencies.column(LATENCY).unwrap());
        let counted: Vec<CountRow> = reader.rows(&counted).await.unwrap();
        assert_eq!(counted[0].rows, 6, "after {rows} rows more");
    }
    drop(reader);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn engine_refuses_to_count_a_column_of_many_categories_beside_others() {
    let running = Running::migrated().await;
    let rows = 200_000;
    predict(&running, "wide", (rows, "map('id', toString(number), 'kind', 'k')", "map()")).await;
    let reader = Reader::Store(running.store.clone());
    let reference = population(&reader, "wide", (0, i64::MAX)).await;
    let nothing = populations::without_rows(String::new(), []);
    let pair = Pair { reference: &reference, current: &nothing };
    let column = |name| CategoryColumn { sides: [reference.column(name), None], fold_case: false };
    let columns = [column("id"), column("kind")];
    let whole = SegmentKeys::default();
    let refused =
        reader.rows::<CategoryRow>(&populations::categories(pair, &columns, &whole)).await.unwrap_err();
    assert!(populations::too_many_categories(&refused), "{refused}");
    for (column, expected) in columns.iter().zip([(0, 1, 0, rows, "0"), (0, rows, 0, 1, "k")]) {
        let alone: Vec<CategoryRow> =
            reader.rows(&populations::categories(pair, &[*column], &whole)).await.unwrap();
        assert_eq!(of_column(&alone, 0), [expected]);
    }
    drop(reader);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn engine_reads_roles_of_predictions_whose_features_are_called_so() {
    let running = Running::migrated().await;
    // Taken for roles, the features would be other times, one true class, and scores above every threshold.
    let predictions = format!(
        "INSERT INTO {DATABASE}.predictions (event_id, ts, ingested_at, model, unit_id, score, num, tags) \
         SELECT toString(number), fromUnixTimestamp64Micro(toInt64(number)), fromUnixTimestamp64Micro({{in_2100:Int64}}), \
         'named', toString(number), 0.25, map('ts', toFloat64(number % 2), 'outcome', 7., 'prediction.score', 3.), \
         map('unit_id', 'tag') FROM numbers(6)"
    );
    let outcomes = format!(
        "INSERT INTO {DATABASE}.outcomes (model, event_id, ts, ingested_at, label) \
         SELECT 'named', toString(number), fromUnixTimestamp64Micro(toInt64(0)), fromUnixTimestamp64Micro({{in_2100:Int64}}), \
         if(number < 2, 'late', 'early') FROM numbers(4)"
    );
    for sql in [predictions, outcomes] {
        running.store.execute(&Statement::new(sql).param("in_2100", IN_2100_US)).await.unwrap();
    }
    let reader = Reader::Store(running.store.clone());
    let opened = populations::open_labelled(&reader, "named".to_owned(), &filter("named", (0, 6))).await;
    let population = opened.unwrap();

    let pair = Pair { reference: &population, current: &population };
    for (name, expected) in [
        (TIME, &[(r#"["0"]"#, 3), (r#"["1"]"#, 3)][..]),
        (OUTCOME, &[(r#"["7"]"#, 6)][..]),
        ("prediction.score", &[(r#"["3"]"#, 6)][..]),
        (UNIT, &[(r#"["tag"]"#, 6)][..]),
    ] {
        let statement = populations::segments(pair, &[name.to_owned()], 10).unwrap();
        let rows: Vec<SegmentRow> = reader.rows(&statement).await.unwrap();
        let found: Vec<(&str, u64)> = rows.iter().map(|row| (row.key.as_str(), row.current)).collect();
        assert_eq!(found, expected, "{name}");
        assert!(rows.iter().all(|row| row.segments == expected.len() as u64), "{name}: {rows:?}");
        let largest = populations::segments(pair, &[name.to_owned()], 1).unwrap();
        let largest: Vec<SegmentRow> = reader.rows(&largest).await.unwrap();
        assert_eq!(largest, rows[..1], "all are counted, however few are asked for");
    }

    let named = |name: &str| Some(name.to_owned());
    let roles = Roles {
        target: named(OUTCOME),
        score: named("prediction.score"),
        timestamp: named(TIME),
        group: named(UNIT),
        ..Roles::default()
    };
    let whole = SegmentKeys::default();
    let frame = frame(&population, &roles, (Chunking::Whole, &whole), &[TIME.to_owned()]).unwrap();
    let statement = tally(&frame, Said::Score(0.5), "wv_g = toString(wv_time) AND wv_n0 = wv_time % 2");
    let rows: Vec<TallyRow> = reader.rows(&statement).await.unwrap();
    let found: Vec<_> = rows
        .iter()
        .map(|row| {
            (row.truth.as_deref(), row.said.as_deref(), row.rows, row.unscored, row.first_us, row.last_us)
        })
        .collect();
    let expected = [
        (Some("early"), Some("0"), 2, 0, Some(2), Some(3)),
        (Some("late"), Some("0"), 2, 0, Some(0), Some(1)),
        (None, Some("0"), 2, 0, Some(4), Some(5)),
    ];
    assert_eq!(found, expected);
    drop(reader);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn engine_numbers_segments_by_the_values_that_cut_them() {
    let running = Running::migrated().await;
    // Two odd sites, an empty one, and none.
    let tags = "mapFromArrays(if(number % 4 = 3, [], ['site']), if(number % 4 = 3, [], \
                [[{odd:Array(String)}[1], {odd:Array(String)}[2], ''][number % 4 + 1]]))";
    predict(&running, "sites", (14, "map('x', 'y')", tags)).await;
    let reader = Reader::Store(running.store.clone());
    let population = population(&reader, "sites", (0, 14)).await;
    let names = vec!["site".to_owned()];
    let statement = populations::segments(Pair { reference: &population, current: &population }, &names, 10);
    let found: Vec<SegmentRow> = reader.rows(&statement.unwrap()).await.unwrap();
    let mut found: Vec<(String, u64)> = found.into_iter().map(|row| (row.key, row.current)).collect();
    found.sort();
    let sites = [Some(ODD[0]), Some(ODD[1]), Some(""), None];
    let mut expected: Vec<(String, u64)> = sites
        .into_iter()
        .zip([4, 4, 3, 3])
        .map(|(site, rows)| (serde_json::to_string(&[site]).unwrap(), rows))
        .collect();
    expected.sort();
    assert_eq!(found, expected);
    // All of them, without one after the other, that of no site alone, and with a second column.
    let keys: Vec<String> = found.iter().map(|(key, _)| key.clone()).collect();
    let without = |place: usize| {
        let mut keys = keys.clone();
        keys.remove(place);
        (names.clone(), keys)
    };
    let mut asked: Vec<(Vec<String>, Vec<String>)> = (0..4).map(without).collect();
    asked.push((names.clone(), keys.clone()));
    asked.push((names.clone(), vec!["[null]".to_owned()]));
    let and_x = |key: &String| key.replace(']', ",\"y\"]");
    asked.push((vec!["site".to_owned(), "x".to_owned()], keys.iter().map(and_x).collect()));
    for (names, keys) in asked {
        let segments = SegmentKeys { names, keys };
        let cut = (Chunking::Whole, &segments);
        let frame = frame(&population, &Roles::default(), cut, &[]).unwrap();
        let rows: Vec<TallyRow> = reader.rows(&tally(&frame, Said::Nothing, "1")).await.unwrap();
        let numbered: BTreeMap<usize, u64> =
            rows.iter().map(|row| (usize::from(row.segment), row.rows)).collect();
        let mut expected: BTreeMap<usize, u64> = BTreeMap::new();
        for (key, rows) in &found {
            let number = segments.keys.iter().position(|known| known == key || *known == and_x(key));
            *expected.entry(number.unwrap_or(segments.keys.len())).or_default() += rows;
        }
        assert_eq!(numbered, expected, "{segments:?}");
    }
    drop(reader);
    running.end().await;
}

/// Rows as they come.
#[derive(Debug, Default)]
struct Rows(Vec<EveryRow>);

impl EverySink for Rows {
    fn push(&mut self, row: EveryRow) {
        self.0.push(row);
    }
}

/// All rows of a frame of two classes.
async fn all_rows(
    reader: &Reader,
    frame: &Frame,
    (classes, by): (&[String], RowsBy),
) -> (Vec<EveryRow>, Vec<u64>) {
    let asked = ClassCount { classes, from_label: false, threshold: 0.5 };
    let statement = every(frame, asked, (RowsOf::One, by));
    let read = reader.fold(&statement, "Native", EveryRows::new(frame, Rows::default())).await.unwrap();
    let Every { sink, codes } = read.finish().unwrap();
    (sink.0, codes)
}

/// The same with the segments of codes at their places among `keys`.
async fn rows_of_codes(
    reader: &Reader,
    (population, segments): (&Population, &SegmentKeys),
    (frame, classes, by): (&Frame, &[String], RowsBy),
) -> Vec<EveryRow> {
    let (mut rows, codes) = all_rows(reader, frame, (classes, by)).await;
    let statement = population.segments_of_codes(&segments.names, codes.len()).unwrap();
    let found: Vec<CodedSegment> = reader.rows(&statement).await.unwrap();
    assert_eq!(found.len(), codes.len(), "{found:?}");
    for row in &mut rows {
        let named = found.iter().find(|segment| segment.code == codes[usize::from(row.segment)]).unwrap();
        let place = segments.keys.iter().position(|key| *key == named.key).unwrap_or(segments.keys.len());
        row.segment = u16::try_from(place).unwrap();
    }
    rows
}

/// What is asked for alone is read as it is where all is asked for, and what is not there is looked for among all.
async fn is_opened_by_what_is_wanted(reader: &Reader, whole: &Population) {
    let score = "prediction.score";
    for (segment_by, answer, microseconds, is_there) in [
        (&["region"][..], score, 40, true),
        (&["region", "version"], score, 40, true),
        (&[], score, 40, true),
        (&["region", "none"], score, 40, false),
        (&["unit_id"], score, 40, false),
        (&["region"], "prediction.value", 40, false),
        (&["region"], score, 0, false),
    ] {
        let segment_by = segment_by.iter().map(|name| (*name).to_owned()).collect();
        let wanted = Wanted { segment_by, answer };
        let filter = filter("classes", (0, microseconds));
        let opened = populations::open_labelled_of(reader, "classes".to_owned(), &filter, &wanted).await;
        let found = opened.unwrap();
        assert_eq!(found.is_some(), is_there, "{wanted:?}");
        let Some(found) = found else { continue };
        for name in &wanted.segment_by {
            assert_eq!(found.segment_expression(name), whole.segment_expression(name), "{name}");
        }
        for role in [score, "prediction.label", OUTCOME, TIME, UNIT] {
            assert_eq!(found.role(role), whole.role(role), "{role}");
        }
        assert_eq!(found.labelled_within(20), whole.labelled_within(20));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn engine_joins_reduced_rows_as_it_joins_whole_ones() {
    let running = Running::migrated().await;
    let predictions = format!(
        "INSERT INTO {DATABASE}.predictions (event_id, ts, ingested_at, model, score, cat) \
         SELECT toString(number), fromUnixTimestamp64Micro(toInt64(number)), fromUnixTimestamp64Micro({{in_2100:Int64}}), \
         'classes', if(number % 10 = 9, NULL, number / 40), map('region', toString(number % 3)) FROM numbers(40)"
    );
    // Every eighth event has no outcome, and every eighth one that says nothing.
    let outcomes = format!(
        "INSERT INTO {DATABASE}.outcomes (model, event_id, ts, ingested_at, label, value) \
         SELECT 'classes', toString(number), fromUnixTimestamp64Micro(toInt64(0)), fromUnixTimestamp64Micro({{in_2100:Int64}}), \
         multiIf(number % 8 = 1, '0', number % 8 = 2, '1', number % 8 = 3, '2', number % 8 = 4, '', NULL), \
         multiIf(number % 8 = 5, 1., number % 8 = 6, 7., NULL) FROM numbers(40) WHERE number % 8 > 0"
    );
    for sql in [predictions, outcomes] {
        running.store.execute(&Statement::new(sql).param("in_2100", IN_2100_US)).await.unwrap();
    }
    let reader = Reader::Store(running.store.clone());
    let opened = populations::open_labelled(&reader, "classes".to_owned(), &filter("classes", (0, 40))).await;
    let population = opened.unwrap();
    is_opened_by_what_is_wanted(&reader, &population).await;
    let named = |name: &str| Some(name.to_owned());
    let roles = Roles {
        target: named(OUTCOME),
        score: named("prediction.score"),
        timestamp: named(TIME),
        ..Roles::default()
    };
    let classes = ["0", "1"].map(str::to_owned);
    let keys = [r#"["0"]"#, r#"["1"]"#].map(str::to_owned).to_vec();
    let segments = SegmentKeys { names: vec!["region".to_owned()], keys };
    for chunking in [Chunking::Whole, Chunking::Period(Period::Day)] {
        let cut = (chunking, segments.names.as_slice());
        let reduced = frame_of_classes(&population, &roles, cut, (&[], &classes)).unwrap();
        let of = (&population, &segments);
        let mut found = rows_of_codes(&reader, of, (&reduced, &classes, RowsBy::ChunkAndScore)).await;
        assert!(found.is_sorted_by(|a, b| a.score >= b.score), "{found:?}");
        let mut by_chunk = rows_of_codes(&reader, of, (&reduced, &classes, RowsBy::Chunk)).await;
        // By time alone the chunk is known, and times are left out.
        let mut expected: Vec<EveryRow> = (0..40_u16)
            .map(|number| EveryRow {
                chunk: 0,
                segment: number % 3,
                truth: match number % 8 {
                    1 => OfTwo::First,
                    2 | 5 => OfTwo::Second,
                    3 | 4 | 6 => OfTwo::Neither,
                    _ => OfTwo::Unknown,
                },
                said: match number {
                    _ if number % 10 == 9 => OfTwo::Unknown,
                    20.. => OfTwo::Second,
                    _ => OfTwo::First,
                },
                score: (number % 10 != 9).then(|| f64::from(number) / 40.0),
                weight: 1.0,
                at_us: (chunking == Chunking::Whole).then_some(i64::from(number)),
                of: [true, false],
            })
            .collect();
        let whole = frame(&population, &roles, (chunking, &segments), &[]).unwrap();
        let (mut of_whole, _) = all_rows(&reader, &whole, (&classes, RowsBy::ChunkAndScore)).await;
        for rows in [&mut found, &mut by_chunk, &mut of_whole, &mut expected] {
            rows.sort_by_key(|row| format!("{row:?}"));
        }
        assert_eq!(found, expected, "{chunking:?}");
        assert_eq!(by_chunk, expected, "{chunking:?}");
        assert_eq!(of_whole, expected, "{chunking:?}");
    }
    drop(reader);
    running.end().await;
}

/// Three ids with the same CityHash64, by which reduced outcomes are found.
const COLLIDED: [&str; 3] = ["prediction-00001", "vqtoiCyF00145237", "PSZ6XTC100198313"];

#[tokio::test(flavor = "multi_thread")]
async fn engine_gives_no_prediction_the_outcome_of_an_id_with_the_same_hash() {
    let running = Running::migrated().await;
    // Of the three that share a hash the last one has no outcome; another event has one, and one has none.
    let predictions = format!(
        "INSERT INTO {DATABASE}.predictions (event_id, ts, ingested_at, model, score) \
         SELECT arrayJoin(arrayConcat({{ids:Array(String)}}, ['known', 'unknown'])), fromUnixTimestamp64Micro(toInt64(0)), \
         fromUnixTimestamp64Micro({{in_2100:Int64}}), 'collided', 0.75"
    );
    let outcomes = format!(
        "INSERT INTO {DATABASE}.outcomes (model, event_id, ts, ingested_at, label) \
         SELECT 'collided', arrayJoin([{{ids:Array(String)}}[1], {{ids:Array(String)}}[2], 'known']) AS id, \
         fromUnixTimestamp64Micro(toInt64(0)), fromUnixTimestamp64Micro({{in_2100:Int64}}), if(id = 'known', '0', '1')"
    );
    for sql in [predictions, outcomes] {
        let statement = Statement::new(sql).param("in_2100", IN_2100_US);
        running.store.execute(&statement.param("ids", Param::texts(&COLLIDED))).await.unwrap();
    }
    let reader = Reader::Store(running.store.clone());
    let hashes =
        Statement::new("SELECT uniqExact(cityHash64(arrayJoin({ids:Array(String)}))) AS rows, 0 AS timed")
            .param("ids", Param::texts(&COLLIDED));
    let hashes: Vec<RowsRow> = reader.rows(&hashes).await.unwrap();
    assert_eq!(hashes[0].rows, 1, "the ids share a hash");

    let opened =
        populations::open_labelled(&reader, "collided".to_owned(), &filter("collided", (0, 1))).await;
    let population = opened.unwrap();
    let named = |name: &str| Some(name.to_owned());
    let roles = Roles {
        target: named(OUTCOME),
        score: named("prediction.score"),
        timestamp: named(TIME),
        ..Roles::default()
    };
    let classes = ["0", "1"].map(str::to_owned);
    let segments = SegmentKeys::default();
    let day = Chunking::Period(Period::Day);
    let whole = frame(&population, &roles, (day, &segments), &[]).unwrap();
    let reduced = frame_of_classes(&population, &roles, (day, &[]), (&[], &classes)).unwrap();
    use OfTwo::{First, Neither, Second, Unknown};
    for (frame, expected) in [
        (whole, [Second, Second, First, Unknown, Unknown]),
        // One of the three found its own outcome, the others that of another id.
        (reduced, [Second, Neither, Neither, First, Unknown]),
    ] {
        let (rows, _) = all_rows(&reader, &frame, (&classes, RowsBy::Chunk)).await;
        let mut found: Vec<OfTwo> = rows.iter().map(|row| row.truth).collect();
        let mut expected = expected.to_vec();
        for truths in [&mut found, &mut expected] {
            truths.sort_by_key(|truth| *truth as u8);
        }
        assert_eq!(found, expected);
    }
    drop(reader);
    running.end().await;
}
