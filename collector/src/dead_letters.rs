//! Dead letters: rows that ClickHouse cannot take, laid aside in files with the reason; listed, tried again, exported.

mod events;
mod write;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use windvane_store::{Block, Table, read_rows, row_ends};

pub(crate) use self::write::{is_there, write};
use crate::metrics::ByModel;

/// The folder of dead letters in the spool's.
pub(crate) const FOLDER: &str = "dead";

/// What is written beside the rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct About {
    schema: String,
    table: String,
    layout: u16,
    format: String,
    columns: Option<Vec<String>>,
    rows: u64,
    token: String,
    reason: String,
}

/// Rows that were laid aside together.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// Where they belong.
    pub table: Table,
    /// How many.
    pub rows: u64,
    /// The token that they were sent under.
    pub token: String,
    /// What ClickHouse said, or why it was not asked.
    pub reason: String,
    layout: u16,
    about_file: PathBuf,
}

/// What lies in the folder of dead letters.
#[derive(Debug, Clone, Default)]
pub struct DeadLetters {
    /// Those that can be read, by token.
    pub readable: Vec<DeadLetter>,
    /// Files that are no dead letters, or cannot be read, by name.
    pub unreadable: Vec<Unreadable>,
}

/// A file in the folder of dead letters that cannot be read as one.
#[derive(Debug, Clone)]
pub struct Unreadable {
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it; names the file.
    pub problem: String,
}

/// Whose the rows of a block are; nobody's where its table has no models, or its rows cannot be told apart.
pub(crate) fn by_model(block: &Block) -> ByModel {
    let mut counts = ByModel::default();
    let columns = block.table.columns(block.layout).unwrap_or_default();
    if !columns.iter().any(|column| column.name == "model") {
        return counts;
    }
    let body = block.body.concat();
    let Ok(ends) = row_ends(columns, &body) else { return counts };
    let mut from = 0;
    // Row by row, so that a large block is not in memory as JSON.
    for end in ends {
        let rows = read_rows(columns, &body[from..end]).unwrap_or_default();
        let model = rows.first().and_then(|row| row.get("model")?.as_str());
        counts.add(model.unwrap_or_default());
        from = end;
    }
    counts
}

impl DeadLetter {
    /// All dead letters of a spool, by token. Also while a service uses the spool.
    ///
    /// # Errors
    /// What the file system says of their folder.
    pub fn all(spool_dir: &Path) -> io::Result<DeadLetters> {
        let mut letters = DeadLetters::default();
        let entries = match fs::read_dir(spool_dir.join(FOLDER)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(letters),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            match Self::read(path.clone()) {
                Ok(letter) => letters.readable.push(letter),
                // Its rows were stored meanwhile.
                Err(_) if !path.exists() => {}
                Err(error) => letters.unreadable.push(Unreadable { file: path, problem: error.to_string() }),
            }
        }
        letters.readable.sort_by(|a, b| a.token.cmp(&b.token));
        letters.unreadable.sort_by(|a, b| a.file.cmp(&b.file));
        Ok(letters)
    }

    fn read(about_file: PathBuf) -> io::Result<Self> {
        let wrong = |what: &str| {
            io::Error::new(io::ErrorKind::InvalidData, format!("`{}` {what}", about_file.display()))
        };
        let read = fs::read(&about_file);
        let text = read.map_err(|error| {
            io::Error::new(error.kind(), format!("cannot read `{}`: {error}", about_file.display()))
        })?;
        let about: About = serde_json::from_slice(&text).map_err(|_| wrong("is no dead letter"))?;
        let table = Table::from_name(&about.table)
            .ok_or_else(|| wrong("belongs to a table that this windvane does not know"))?;
        let About { layout, rows, token, reason, .. } = about;
        Ok(Self { table, rows, token, reason, layout, about_file })
    }

    /// The file of the rows.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.about_file.with_extension("rowbinary")
    }

    /// The rows as a block, to be sent again under the token that it had: should ClickHouse have taken them after all, it keeps
    /// them once.
    ///
    /// # Errors
    /// What the file system says.
    pub fn block(&self) -> io::Result<Block> {
        let body = vec![Bytes::from(fs::read(self.file())?)];
        let Self { table, rows, token, layout, .. } = self.clone();
        Ok(Block { table, layout, rows, token, body })
    }

    /// The rows as events, as `/v1/…` takes them.
    ///
    /// # Errors
    /// The file cannot be read or does not hold such rows.
    pub fn events(&self) -> io::Result<Vec<serde_json::Value>> {
        let unknown = || {
            io::Error::new(io::ErrorKind::InvalidData, "rows of a layout that this windvane does not know")
        };
        let columns = self.table.columns(self.layout).ok_or_else(unknown)?;
        let rows = read_rows(columns, &fs::read(self.file())?)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        Ok(rows.into_iter().map(|row| events::event(self.table, row)).collect())
    }

    /// Removes it, once its rows are somewhere else.
    ///
    /// # Errors
    /// What the file system says.
    pub fn remove(&self) -> io::Result<()> {
        // The description goes first: rows without one are no letter any more, and are replaced if they come again.
        fs::remove_file(&self.about_file)?;
        fs::remove_file(self.file())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;
    use windvane_types::event::{Kind, Limits};

    use super::*;
    use crate::admission::Caller;
    use crate::decode::{Context, Format, IdMaker, decode_batch};
    use crate::door::Door;

    /// An event of each kind, with every field.
    fn sent() -> [(Kind, Table, serde_json::Value); 4] {
        [
            (
                Kind::Prediction,
                Table::Predictions,
                json!({
                    "event_id": "e", "ts": "2013-01-01T05:17:00.000001Z", "model": "m", "version": "7",
                    "environment": "prod", "unit_id": "u", "arms": {"x": "B"},
                    "features": {"a": 1.5, "b": "blue"}, "embeddings": {"text": [0.5, -2.0]},
                    "prediction": {"label": "late", "probabilities": {"late": 0.75, "on_time": 0.25}},
                    "latency_us": 830, "status": "ok", "trace_id": "t", "span_id": "s", "tags": {"region": "east"},
                }),
            ),
            (
                Kind::Outcome,
                Table::Outcomes,
                json!({"model": "m", "event_id": "e", "ts": "2013-01-01T05:17:00Z", "value": 17.0}),
            ),
            (
                Kind::Exposure,
                Table::Exposures,
                json!({"experiment": "x", "unit_id": "u", "arm": "B", "ts": "2013-01-01T05:17:00Z", "event_id": "e"}),
            ),
            (
                Kind::Measurement,
                Table::Measurements,
                json!({"metric": "r", "unit_id": "u", "ts": "2013-01-01T05:17:00Z", "value": 2.5, "event_id": "e"}),
            ),
        ]
    }

    #[test]
    fn a_letter_comes_back_as_the_events_that_were_sent() {
        let folder = tempfile::tempdir().unwrap();
        for (kind, table, event) in sent() {
            let (limits, ids, caller) = (Limits::default(), IdMaker::new(Uuid::nil()), Caller::default());
            let context = Context {
                limits: &limits,
                ids: &ids,
                body_bytes_max: 1 << 20,
                now_us: 1,
                caller: &caller,
                door: Door::open(),
            };
            let batch = decode_batch(kind, &event.to_string().into(), Format::Json, &context);
            assert_eq!(batch.accepted, 1, "{:?}", batch.rejected);
            let block = Block {
                table,
                layout: table.layout(),
                rows: 1,
                token: format!("t-{table}"),
                body: vec![batch.rows.into()],
            };
            write(&folder.path().join(FOLDER), &block, "told so").unwrap();
            let letters = DeadLetter::all(folder.path()).unwrap().readable;
            let [letter] = letters.as_slice() else { panic!("{letters:?}") };
            assert_eq!((letter.table, letter.rows, letter.reason.as_str()), (table, 1, "told so"));
            assert_eq!(letter.events().unwrap(), [event], "{table}");
            assert_eq!(letter.block().unwrap().body, block.body);
            letter.remove().unwrap();
        }
        assert!(DeadLetter::all(folder.path()).unwrap().readable.is_empty());
        assert!(DeadLetter::all(Path::new("/nowhere/at/all")).unwrap().readable.is_empty());
    }

    #[test]
    fn a_file_that_is_no_letter_hides_no_other_one() {
        let folder = tempfile::tempdir().unwrap();
        let dead = folder.path().join(FOLDER);
        let (table, body) = (Table::Predictions, vec![Bytes::from_static(b"rows")]);
        let block = Block { table, layout: table.layout(), rows: 1, token: "m".to_owned(), body };
        write(&dead, &block, "told so").unwrap();
        fs::write(dead.join("a.json"), "{").unwrap();
        let foreign = fs::read_to_string(dead.join("m.json")).unwrap().replace("predictions", "prophecies");
        fs::write(dead.join("z.json"), foreign).unwrap();
        fs::create_dir(dead.join("k.json")).unwrap();
        let letters = DeadLetter::all(folder.path()).unwrap();
        let tokens: Vec<_> = letters.readable.iter().map(|letter| letter.token.as_str()).collect();
        let problems: Vec<_> = letters.unreadable.iter().map(|one| one.problem.as_str()).collect();
        assert_eq!(tokens, ["m"]);
        let [a, k, z] = problems.as_slice() else { panic!("{problems:?}") };
        assert!(a.contains("a.json` is no dead letter"), "{a}");
        assert!(k.contains("cannot read") && k.contains("k.json"), "{k}");
        assert!(z.contains("z.json` belongs to a table"), "{z}");
    }
}
