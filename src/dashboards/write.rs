//! `windvane dashboards write DIR`.

use windvane_dashboards::{Provisioning, files};

use super::WriteArguments;
use crate::exit::{Because, CommandResult, Exit, Reason};
use crate::report;

/// Writes every file.
pub fn run(arguments: &WriteArguments) -> CommandResult {
    let provisioning = Provisioning {
        url: arguments.url.clone(),
        host: arguments.clickhouse_host.clone(),
        port: arguments.clickhouse_port,
        folder: arguments.grafana_dir.clone(),
        webhook: arguments.webhook.clone().unwrap_or_default(),
    };
    let files = files(&provisioning);
    for file in &files {
        let path = arguments.dir.join(&file.path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)
                .map_err(|error| anyhow::anyhow!("cannot make the folder `{}`: {error}", folder.display()))
                .because(Reason::Unavailable)?;
        }
        report::write(&path, &file.text)?;
        crate::output::print(&format!("{}\n", path.display()))?;
    }
    Ok(Exit::Ok)
}
