//! The same sums cut into parts: by segment, by stratum, and by the day on which a unit was first seen.

use std::collections::{BTreeMap, BTreeSet};

use windvane_stats::experiment::sums::Sums;
use windvane_store::experiment::{
    self, Centred, ExtremesRow, Form, Frame, FrameColumns, Question, SegmentRow, SumsRow, TimingColumns,
    UnitsAre,
};

use super::{
    ExperimentError, anytime,
    facts::{Early, Extremes, Facts, MetricFacts, Part, Parts, Timed},
    forms::{self, Summed},
    gather::{self, Scan},
    metric::Measured,
    opened,
    quantiles::{self, Quantiles},
    request::ExperimentRequest,
};

/// Segments at most; the largest ones are compared.
pub const SEGMENTS_MAX: usize = 50;
/// Strata at most: with more of them most have too few units.
pub const STRATA_MAX: usize = 200;
/// Rows of sums by day at most: 64 arms over some three years.
const DAY_ROWS_MAX: usize = 65_536;

/// Extreme units of an arm that are looked at: one of so many, and at most so many.
const EXTREMES_ONE_IN: u64 = 1000;
const EXTREMES_MAX: usize = 100;

/// What is cut, and into what.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Cuts {
    /// The columns whose values together are a segment; none for the whole only.
    pub segment_by: Vec<String>,
    /// The least units of a segment.
    pub segment_units_min: u64,
    /// The column whose values are strata of means and proportions.
    pub stratify: Option<String>,
    /// When a row was seen.
    pub timestamp: Option<String>,
    /// When its unit was assigned.
    pub assigned: Option<String>,
    /// When the row arrived, and after how many microseconds it is late.
    pub received: Option<(String, i64)>,
    /// Whether the extreme units of means are looked at.
    pub outliers: bool,
}

/// Makes the cuts that are asked for.
pub(super) async fn cut(
    scan: &Scan<'_>,
    request: &ExperimentRequest,
    sums: &Summed,
) -> Result<Parts, ExperimentError> {
    let cuts = &request.cuts;
    let mut parts = Parts::default();
    if !cuts.segment_by.is_empty() {
        let frame = frame(request, &cuts.segment_by, None)?;
        let cutter = Cutter { scan, request, frame: &frame, forms: &sums.forms };
        (parts.segments, parts.segments_left_out) = cutter.segments().await?;
    }
    if let Some(column) = &cuts.stratify {
        let frame = frame(request, std::slice::from_ref(column), None)?;
        let cutter = Cutter { scan, request, frame: &frame, forms: &sums.forms };
        cutter.strata(column, &mut parts).await?;
    }
    if let Some(column) = &cuts.timestamp {
        let frame = frame(request, &[], Some(column))?;
        let cutter = Cutter { scan, request, frame: &frame, forms: &sums.forms };
        parts.days = cutter.days().await?;
        let has_units = units_by_arm(&sums.rows, scan.arms.len()).iter().any(|units| *units > 0);
        if parts.days.is_empty() && has_units {
            return Err(ExperimentError::NoTimes { column: column.clone() });
        }
    }
    parts.timed = timed(scan, request).await?;
    parts.anytime = anytime::anytime(scan, request, sums).await?;
    if cuts.outliers {
        parts.extremes = extremes(scan, request, sums).await?;
    }
    Ok(parts)
}

/// Counts units by when their rows were seen, where that can be held against another time.
async fn timed(scan: &Scan<'_>, request: &ExperimentRequest) -> Result<Option<Timed>, ExperimentError> {
    let Cuts { timestamp: Some(seen), assigned, received, .. } = &request.cuts else { return Ok(None) };
    if assigned.is_none() && received.is_none() {
        return Ok(None);
    }
    let columns = TimingColumns {
        seen,
        assigned: assigned.as_deref(),
        received: received.as_ref().map(|(column, _)| column.as_str()),
    };
    let timing = experiment::timing_columns(&request.population, columns)
        .map_err(|fault| opened::column(request, fault))?;
    let late_after_us = received.as_ref().map_or(0, |(_, after)| *after);
    let question = scan.question(&scan.opened.measures, &[]);
    let rows = scan.reader.rows(&experiment::timing(question, &timing, late_after_us)).await?;
    let early = assigned.is_some().then_some(Early::Rows);
    Ok(Some(Timed { rows, early, received: received.is_some() }))
}

/// The extreme units of every mean: one of a thousand units of an arm, at least one.
async fn extremes(
    scan: &Scan<'_>,
    request: &ExperimentRequest,
    sums: &Summed,
) -> Result<Vec<Extremes>, ExperimentError> {
    let arms = scan.arms.len();
    let mean = |form: usize, arm: usize| forms::value_sums(sums, form, arm).and_then(|sums| sums.mean(0));
    let asked: Vec<Centred> = (0..request.metrics.len())
        .filter(|place| request.metrics[*place].measured == Measured::Mean)
        .map(|form| Centred { form, centres: (0..arms).map(|arm| mean(form, arm).unwrap_or(0.0)).collect() })
        .collect();
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let question = scan.question(&scan.opened.measures, &sums.forms);
    let rows: Vec<ExtremesRow> =
        scan.reader.rows(&experiment::extremes(question, &asked, EXTREMES_MAX)).await?;
    let values = |at: usize, form: usize, arm: usize| -> Vec<f64> {
        let n = forms::form_of(&sums.rows, form, arm).map_or(0, |row| row.n);
        let wanted = usize::try_from(n.div_ceil(EXTREMES_ONE_IN)).unwrap_or(EXTREMES_MAX).min(EXTREMES_MAX);
        let found = rows.iter().find(|row| row.arm as usize == arm).and_then(|row| row.values.get(at));
        found.map(|values| values.iter().take(wanted).map(|value| value.0).collect()).unwrap_or_default()
    };
    let of = |(at, asked): (usize, &Centred)| Extremes {
        metric: asked.form,
        arms: (0..arms).map(|arm| values(at, asked.form, arm)).collect(),
    };
    Ok(asked.iter().enumerate().map(of).collect())
}

fn frame(
    request: &ExperimentRequest,
    segment_by: &[String],
    timestamp: Option<&str>,
) -> Result<Frame, ExperimentError> {
    let columns = FrameColumns { unit: &request.unit, arm: &request.arm, segment_by, timestamp };
    experiment::frame(&request.population, &columns).map_err(|fault| opened::column(request, fault))
}

/// The rows of one frame, with the forms of the whole.
struct Cutter<'a> {
    scan: &'a Scan<'a>,
    request: &'a ExperimentRequest,
    frame: &'a Frame,
    forms: &'a [Form],
}

impl Cutter<'_> {
    fn question<'a>(&'a self, forms: &'a [Form]) -> Question<'a> {
        Question { frame: self.frame, ..self.scan.question(&self.scan.opened.measures, forms) }
    }

    async fn segments(&self) -> Result<(Vec<Part>, u64), ExperimentError> {
        let question = Question { by_segment: true, ..self.question(&[]) };
        let listed: Vec<SegmentRow> =
            self.scan.reader.rows(&experiment::largest_segments(question, SEGMENTS_MAX)).await?;
        let all = listed.first().map_or(0, |row| row.segments);
        let least = self.request.cuts.segment_units_min;
        let kept: Vec<String> =
            listed.into_iter().filter(|row| row.units >= least).map(|row| row.segment).collect();
        let left_out = all - kept.len() as u64;
        if kept.is_empty() {
            return Ok((Vec::new(), left_out));
        }
        let question = Question { by_segment: true, ..self.question(self.forms) };
        let rows: Vec<SumsRow> = self.scan.reader.rows(&experiment::sums_within(question, &kept)).await?;
        let mut parts = Vec::new();
        for segment in kept {
            let own: Vec<SumsRow> = rows.iter().filter(|row| row.segment == segment).cloned().collect();
            let summed = self.centred(&segment, own).await?;
            // Quantiles are of rows, whose order the sums do not tell: each segment's rows are asked for their own.
            let frame = self.frame.of_segment(&segment, self.told_by(question.units_are));
            let scan = self.scan.over(&frame);
            let quantiles = quantiles::quantiles(&scan, &self.request.metrics, &summed.rows).await?;
            let mut facts = self.facts(&summed, &quantiles)?;
            facts.parts.anytime = anytime::anytime(&scan, self.request, &summed).await?;
            parts.push(Part { values: self.values(&segment), facts });
        }
        parts.sort_by(|a, b| a.values.cmp(&b.values));
        Ok((parts, left_out))
    }

    /// Whether each row tells the segment of its unit, or only all of a unit's rows do. Over the store each does.
    fn told_by(&self, units_are: UnitsAre) -> UnitsAre {
        let of_unit = |name: &String| name.ends_with(experiment::SEGMENT);
        match self.request.cuts.segment_by.iter().all(of_unit) {
            true => UnitsAre::Single,
            false => units_are,
        }
    }

    /// The sums of one segment, taken again around its own means where those of all units cost too many digits.
    async fn centred(&self, segment: &str, rows: Vec<SumsRow>) -> Result<Summed, ExperimentError> {
        let mut forms = self.forms.to_vec();
        let mut again = false;
        for (i, form) in forms.iter_mut().enumerate() {
            let more = forms::origins(&rows, i, self.scan.arms.len());
            if more.iter().flatten().any(|origin| *origin != 0.0) {
                let before = |arm: usize| form.origins.get(arm).copied().unwrap_or_default();
                form.origins = more
                    .iter()
                    .enumerate()
                    .map(|(arm, more)| std::array::from_fn(|variable| before(arm)[variable] + more[variable]))
                    .collect();
                again = true;
            }
        }
        if !again {
            return Ok(Summed { rows, forms });
        }
        let question = Question { by_segment: true, ..self.question(&forms) };
        let only = [segment.to_owned()];
        let rows = self.scan.reader.rows(&experiment::sums_within(question, &only)).await?;
        Ok(Summed { rows, forms })
    }

    fn values(&self, segment: &str) -> BTreeMap<String, Option<String>> {
        let values: Vec<Option<String>> = serde_json::from_str(segment).unwrap_or_default();
        self.request.cuts.segment_by.iter().cloned().zip(values).collect()
    }

    fn facts(&self, summed: &Summed, quantiles: &Quantiles) -> Result<Facts, ExperimentError> {
        let arms = gather::weighed(summed, self.scan.arms, &self.request.rule)?;
        let metrics = self.metrics((summed, quantiles), arms.len())?;
        Ok(Facts {
            source: self.request.population.source.clone(),
            rows: None,
            unassigned: 0,
            units: arms.iter().map(|arm| arm.units).sum(),
            several: 0,
            arms,
            metrics,
            parts: Parts::default(),
        })
    }

    /// The metrics of one part in so many arms, those that never came among them.
    fn metrics(
        &self,
        (summed, quantiles): (&Summed, &Quantiles),
        arms: usize,
    ) -> Result<Vec<MetricFacts>, ExperimentError> {
        let count = (self.scan.arms.len(), arms);
        let metrics = self.request.metrics.iter().enumerate();
        let metrics = metrics
            .map(|(i, metric)| forms::metric_facts(summed, (i, metric), quantiles.get(&i), count))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(forms::with_covariate(metrics, self.request))
    }

    /// The units of each stratum by arm, and for each metric their sums; none for metrics that are no means of units.
    async fn strata(&self, column: &str, parts: &mut Parts) -> Result<(), ExperimentError> {
        let question = Question { by_segment: true, ..self.question(&[]) };
        let listed: Vec<SegmentRow> =
            self.scan.reader.rows(&experiment::largest_segments(question, STRATA_MAX)).await?;
        if listed.first().is_some_and(|row| row.segments > STRATA_MAX as u64) {
            let column = column.strip_suffix(experiment::SEGMENT).unwrap_or(column).to_owned();
            return Err(ExperimentError::TooManyStrata { column, max: STRATA_MAX });
        }
        let names: Vec<String> = listed.into_iter().map(|row| row.segment).collect();
        let question = Question { by_segment: true, ..self.question(self.forms) };
        let rows: Vec<SumsRow> = self.scan.reader.rows(&experiment::sums_within(question, &names)).await?;
        let mut strata = Vec::new();
        for name in names {
            let own: Vec<SumsRow> = rows.iter().filter(|row| row.segment == name).cloned().collect();
            parts.strata_units.push(units_by_arm(&own, self.scan.arms.len()));
            strata.push(self.centred(&name, own).await?);
        }
        let of_metric = |i: usize| -> Vec<Vec<Sums>> {
            let stratum = |summed: &Summed| -> Vec<Sums> {
                (0..self.scan.arms.len())
                    .map(|arm| forms::value_sums(summed, i, arm).unwrap_or_default())
                    .collect()
            };
            match self.request.metrics[i].measured {
                Measured::Mean | Measured::Proportion => strata.iter().map(stratum).collect(),
                Measured::Ratio { .. } | Measured::Quantile { .. } => Vec::new(),
            }
        };
        parts.strata = (0..self.request.metrics.len()).map(of_metric).collect();
        Ok(())
    }

    /// The metrics by the day on which their units were first seen, days ascending.
    async fn days(&self) -> Result<Vec<(i32, Vec<MetricFacts>)>, ExperimentError> {
        let question = Question { by_day: true, ..self.question(self.forms) };
        let rows: Vec<SumsRow> =
            self.scan.reader.rows(&experiment::sums_by_day(question, DAY_ROWS_MAX + 1)).await?;
        if rows.len() > DAY_ROWS_MAX {
            let column = self.request.cuts.timestamp.clone().unwrap_or_default();
            return Err(ExperimentError::TooManyDays { column, max: DAY_ROWS_MAX });
        }
        let days: BTreeSet<i32> = rows.iter().filter_map(|row| row.day).collect();
        days.into_iter()
            .map(|day| {
                let own = rows.iter().filter(|row| row.day == Some(day)).cloned().collect();
                let summed = Summed { rows: own, forms: self.forms.to_vec() };
                // The trend of days is that of means; quantiles of single days have too few rows.
                Ok((day, self.metrics((&summed, &Quantiles::new()), self.scan.arms.len())?))
            })
            .collect()
    }
}

fn units_by_arm(rows: &[SumsRow], arms: usize) -> Vec<u64> {
    let of = |arm: usize| rows.iter().filter(|row| row.arm as usize == arm).map(|row| row.units).sum();
    (0..arms).map(of).collect()
}
