//! Files of rows that ClickHouse cannot take: the rows as they were sent, and beside them why.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::json;
use windvane_store::Block;

/// Writes a block into the folder, durably, and answers the file of its rows. Doing it again for the same block replaces it.
pub(super) fn write(folder: &Path, block: &Block, reason: &str) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let about = json!({
        "schema": "windvane.dead_letter/1",
        "table": block.table.name(),
        "layout": block.layout,
        "format": "RowBinary",
        "columns": block.table.columns(block.layout).map(|columns| {
            columns.iter().map(|column| column.name).collect::<Vec<_>>()
        }),
        "rows": block.rows,
        "token": block.token,
        "reason": reason,
    });
    let rows = folder.join(format!("{}.rowbinary", block.token));
    durable(&rows, |file| block.body.iter().try_for_each(|chunk| file.write_all(chunk)))?;
    durable(&rows.with_extension("json"), |file| {
        serde_json::to_writer_pretty(file, &about).map_err(io::Error::from)
    })?;
    File::open(folder)?.sync_all()?;
    Ok(rows)
}

fn durable(path: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let mut file = File::create(path)?;
    fill(&mut file)?;
    file.sync_all()
}
