//! Writing a dead letter: the rows as they were sent, and beside them why.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use windvane_store::Block;

use super::About;

/// Writes a block into the folder, durably, and answers the file of its rows. Doing it again for the same block replaces it.
pub(crate) fn write(folder: &Path, block: &Block, reason: &str) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let columns = block.table.columns(block.layout);
    let about = About {
        schema: "windvane.dead_letter/1".to_owned(),
        table: block.table.name().to_owned(),
        layout: block.layout,
        format: "RowBinary".to_owned(),
        columns: columns.map(|columns| columns.iter().map(|column| column.name.to_owned()).collect()),
        rows: block.rows,
        token: block.token.clone(),
        reason: reason.to_owned(),
    };
    let rows = folder.join(format!("{}.rowbinary", block.token));
    durable(&rows, |file| block.body.iter().try_for_each(|chunk| file.write_all(chunk)))?;
    durable(&rows.with_extension("json"), |file| {
        serde_json::to_writer_pretty(file, &about).map_err(io::Error::from)
    })?;
    File::open(folder)?.sync_all()?;
    Ok(rows)
}

/// Whether a block lies in the folder already.
pub(crate) fn is_there(folder: &Path, token: &str) -> bool {
    folder.join(format!("{token}.json")).exists()
}

/// Under another name first, so that whoever lists the folder meanwhile sees no half of a file.
fn durable(path: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let draft = path.with_extension("new");
    let mut file = File::create(&draft)?;
    fill(&mut file)?;
    file.sync_all()?;
    fs::rename(&draft, path)
}
