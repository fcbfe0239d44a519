//! What is told while files are ingested and after: the progress, bad rows, the sum.

use std::time::Duration;

use clap::ValueEnum;
use comfy_table::{Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use windvane_types::counting::counted;

use super::Delivered;
use super::mapping::Mapping;
use super::source::Source;
use crate::delivery::Rejected;
use crate::exit::{CommandResult, Exit, Failure};
use crate::output::{self, pretty, print};

/// Bad rows that are told one by one; the rest is a number.
const BAD_ROWS_SHOWN: u64 = 20;

/// How the result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Table,
    Json,
}

/// What was counted so far.
#[derive(Debug)]
pub struct Report {
    files: Vec<(String, &'static str)>,
    sizes: Vec<u64>,
    bar: ProgressBar,
    sum: Sum,
    /// Bad rows told so far.
    told: u64,
}

/// The document of `--format json`.
#[derive(Debug, Default, Serialize)]
struct Sum {
    schema: &'static str,
    files: usize,
    /// Rows read, bad ones too.
    rows: u64,
    /// Predictions that the collector has on its disk.
    predictions_accepted: u64,
    predictions_rejected: u64,
    outcomes_accepted: u64,
    outcomes_rejected: u64,
    /// Rows that were never sent.
    rows_unreadable: u64,
    seconds: f64,
    rows_per_s: f64,
}

impl Report {
    pub fn new(files: &[(Source, Mapping)]) -> Self {
        let bar = ProgressBar::new(files.iter().map(|(source, _)| source.bytes()).sum());
        if let Ok(style) = ProgressStyle::with_template("{bar:32} {percent:>3} %  {msg}  ETA {eta}") {
            bar.set_style(style);
        }
        let sum = Sum { schema: "windvane.ingest/1", files: files.len(), ..Sum::default() };
        Self {
            files: files.iter().map(|(s, _)| (s.path().display().to_string(), s.unit())).collect(),
            sizes: files.iter().map(|(source, _)| source.bytes()).collect(),
            bar,
            sum,
            told: 0,
        }
    }

    /// Rows that were unreadable, and records that were rejected.
    pub fn bad_rows(&self) -> u64 {
        self.sum.rows_unreadable + self.sum.predictions_rejected + self.sum.outcomes_rejected
    }

    pub fn add(&mut self, delivered: Delivered) {
        match delivered {
            Delivered::Bad { file, number, problem } => {
                self.tell(file, number, &problem);
                self.sum.rows += 1;
                self.sum.rows_unreadable += 1;
            }
            Delivered::Batch { batch, predictions, outcomes } => {
                let refused = &predictions.rejected;
                self.sum.predictions_rejected += self.rejections(batch.file, refused, &batch.numbers);
                let refused = &outcomes.rejected;
                self.sum.outcomes_rejected += self.rejections(batch.file, refused, &batch.outcome_numbers);
                self.sum.rows += batch.numbers.len() as u64;
                self.sum.predictions_accepted += predictions.accepted;
                self.sum.outcomes_accepted += outcomes.accepted;
                let before: u64 = self.sizes[..batch.file].iter().sum();
                self.bar.set_position(before + batch.bytes);
                let rate = self.sum.rows as f64 / self.bar.elapsed().as_secs_f64().max(1e-3);
                self.bar.set_message(format!("{}  {rate:.0} rows/s", counted(self.sum.rows, "row", "rows")));
            }
        }
    }

    fn rejections(&mut self, file: usize, rejected: &[Rejected], numbers: &[u64]) -> u64 {
        for one in rejected {
            let number = numbers.get(one.index).copied().unwrap_or(0);
            self.tell(file, number, &format!("{}: {}", one.code, one.message));
        }
        rejected.len() as u64
    }

    fn tell(&mut self, file: usize, number: u64, problem: &str) {
        let (path, unit) = &self.files[file];
        let told = self.told;
        self.bar.suspend(|| match told {
            0..BAD_ROWS_SHOWN => output::tell(&format!("{path}: {unit} {number}: {problem}")),
            BAD_ROWS_SHOWN => output::tell("further bad rows are counted and not shown"),
            _ => {}
        });
        self.told += 1;
    }

    /// Prints the sum. Rows of which not one was accepted are bad data.
    pub fn finish(mut self, elapsed: Duration, format: Format) -> CommandResult {
        if self.sum.rows > 0 && self.sum.predictions_accepted + self.sum.outcomes_accepted == 0 {
            let why = format!("not one of {} was accepted", counted(self.sum.rows, "row", "rows"));
            return Err(self.stopped(elapsed, &why));
        }
        self.took(elapsed);
        match format {
            Format::Json => print(&pretty(&self.sum)?)?,
            Format::Table => print(&table(&self.sum))?,
        };
        Ok(Exit::Ok)
    }

    /// Ends the bar and says on standard error what had arrived by then: a command that fails prints nothing else.
    pub fn stopped(mut self, elapsed: Duration, why: &str) -> Failure {
        self.took(elapsed);
        output::tell(table(&self.sum).trim_end());
        super::bad_data(anyhow::anyhow!("{why}"))
    }

    fn took(&mut self, elapsed: Duration) {
        self.bar.finish_and_clear();
        self.sum.seconds = elapsed.as_secs_f64();
        self.sum.rows_per_s = self.sum.rows as f64 / self.sum.seconds.max(1e-3);
    }
}

fn table(sum: &Sum) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY).set_header(["", "accepted", "rejected"]);
    for (name, accepted, rejected) in [
        ("predictions", sum.predictions_accepted, sum.predictions_rejected),
        ("outcomes", sum.outcomes_accepted, sum.outcomes_rejected),
    ] {
        table.add_row([name.to_owned(), accepted.to_string(), rejected.to_string()]);
    }
    format!(
        "{table}\n{} of {} in {:.1} s, {:.0} rows/s; {} could not be read\n",
        counted(sum.rows, "row", "rows"),
        counted(sum.files as u64, "file", "files"),
        sum.seconds,
        sum.rows_per_s,
        sum.rows_unreadable
    )
}
