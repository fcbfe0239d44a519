//! The columns of a request, found, and what is asked before sums are: the arms, and whether each unit has one row.

use windvane_store::{
    Reader,
    experiment::{self, ArmTotal, ColumnFault, Complete, FooterRow, Frame, FrameColumns, Measure, ProbeRow},
};

use super::{
    ExperimentError,
    at_once::{AtOnce, at_once},
    metric::{Before, Measured},
    request::ExperimentRequest,
};

/// The columns of a request, and what was asked before sums are.
pub(super) struct Probed {
    pub(super) opened: Opened,
    pub(super) probe: ProbeRow,
    /// The sums of the numbers that [`Opened::complete`] reads, where they were asked for at once and each unit has one row.
    pub(super) totals: Option<Vec<ArmTotal>>,
}

/// Finds the columns and asks.
pub(super) async fn probed(reader: &Reader, request: &ExperimentRequest) -> Result<Probed, ExperimentError> {
    let mut opened = open(request)?;
    let units_seem_single = opened.ask_footer(reader, request).await;
    let (probe, totals) = match at_once(reader, request, (&opened, units_seem_single)).await {
        Some(AtOnce { probe, totals }) => (probe, totals),
        None => (opened.probe(reader, request).await?, None),
    };
    are_numbers(&opened.measures, &probe)?;
    if probe.unassigned == 0 {
        opened.trust_assignment();
    }
    Ok(Probed { opened, probe, totals })
}

/// Refuses values that are no numbers: to leave them out would be a choice that nobody made.
pub(super) fn are_numbers(measures: &[Measure], probe: &ProbeRow) -> Result<(), ExperimentError> {
    match measures.iter().zip(&probe.unreadable).find(|(_, unreadable)| unreadable.values > 0) {
        None => Ok(()),
        Some((measure, unreadable)) => Err(ExperimentError::NotNumbers {
            column: measure.name.clone(),
            values: unreadable.values,
            example: unreadable.example.chars().take(40).collect(),
        }),
    }
}

/// The columns of a request, found.
pub(super) struct Opened {
    pub(super) frame: Frame,
    pub(super) measures: Vec<Measure>,
    /// One entry a metric.
    pub(super) places: Vec<Places>,
    /// The same rows and numbers where the footer of their file says which are all there: these are summed in half the time.
    pub(super) complete: Option<Complete>,
}

impl Opened {
    /// Asks the footer of a Parquet file what the rows would have to be asked else. Answers whether units seem to have a row each, where it
    /// tells.
    async fn ask_footer(&mut self, reader: &Reader, request: &ExperimentRequest) -> Option<bool> {
        let columns = columns(request);
        let asked = experiment::footer(&request.population, &columns, &self.measures)?;
        // Without a footer that can be read the rows are asked; what is wrong with the file they say better.
        let footer: Vec<FooterRow> = reader.rows(&asked).await.unwrap_or_default();
        if let Some(bitmap) = experiment::close_units(&request.population, &request.unit, &footer) {
            self.frame.trust_close_units(bitmap);
        }
        self.complete =
            experiment::complete(&request.population, (&self.frame, &columns), &self.measures, &footer);
        experiment::units_seem_single(&request.population, &request.unit, &footer)
    }

    /// Leaves out no rows from here on.
    fn trust_assignment(&mut self) {
        self.frame.trust_assignment();
        if let Some(complete) = &mut self.complete {
            complete.frame.trust_assignment();
        }
    }

    /// Asks for the arms, and whether each unit has one row.
    async fn probe(
        &mut self,
        reader: &Reader,
        request: &ExperimentRequest,
    ) -> Result<ProbeRow, ExperimentError> {
        let none = || ExperimentError::OneArm { known: Vec::new() };
        if let Some(complete) = self.complete.take() {
            match reader.rows(&request.probe(&complete.frame, &complete.measures)).await {
                Ok(rows) => {
                    self.complete = Some(complete);
                    return rows.into_iter().next().ok_or_else(none);
                }
                Err(error) if experiment::value_is_missing(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let rows = reader.rows(&request.probe(&self.frame, &self.measures)).await?;
        rows.into_iter().next().ok_or_else(none)
    }
}

/// What says who, to which arm.
fn columns(request: &ExperimentRequest) -> FrameColumns<'_> {
    FrameColumns { unit: &request.unit, arm: &request.arm, segment_by: &[], timestamp: None }
}

/// Where the numbers of a metric are among the measures.
#[derive(Clone, Copy)]
pub(super) struct Places {
    pub(super) value: usize,
    pub(super) other: Option<usize>,
    pub(super) before: Option<[usize; 2]>,
}

/// Finds the columns.
pub(super) fn open(request: &ExperimentRequest) -> Result<Opened, ExperimentError> {
    let population = &request.population;
    let failed = |fault: ColumnFault| column(request, fault);
    // An empty file has no columns that could be missing, and no arms.
    if population.without_columns {
        return Err(ExperimentError::OneArm { known: Vec::new() });
    }
    let frame = experiment::frame(population, &columns(request)).map_err(failed)?;
    let mut measures: Vec<Measure> = Vec::new();
    let mut place = |name: &str| -> Result<usize, ExperimentError> {
        if let Some(place) = measures.iter().position(|measure| measure.name == name) {
            return Ok(place);
        }
        measures.push(experiment::measure(population, name).map_err(failed)?);
        Ok(measures.len() - 1)
    };
    let mut places = Vec::new();
    for metric in &request.metrics {
        let other = match &metric.measured {
            Measured::Ratio { denominator } => Some(denominator),
            Measured::Mean | Measured::Proportion => metric.covariate.as_ref().or(request.covariate.as_ref()),
            Measured::Quantile { .. } => None,
        };
        let other = other.map(|name| place(name)).transpose()?;
        let before = match &metric.before {
            Some(Before { numerator, denominator }) => Some([place(numerator)?, place(denominator)?]),
            None => None,
        };
        places.push(Places { value: place(&metric.name)?, other, before });
    }
    Ok(Opened { frame, measures, places, complete: None })
}

/// The fault of a column, with the columns that there are.
pub(super) fn column(request: &ExperimentRequest, fault: ColumnFault) -> ExperimentError {
    let known = request.population.columns.iter().map(|column| column.name.clone()).collect();
    ExperimentError::Column { fault, known }
}
