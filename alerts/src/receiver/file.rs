//! A file: a line of JSON a notification, the body of a webhook with the notification's id.

use std::path::{Path, PathBuf};

use tokio::fs::OpenOptions;
use tokio::io::AsyncWriteExt;

use super::webhook;
use crate::delivery::Attempt;
use crate::notification::Notification;

/// A file that grows.
#[derive(Debug)]
pub struct Lines {
    /// Its path.
    pub path: PathBuf,
}

impl Lines {
    /// Appends a line and waits until it is on the disk.
    pub async fn send(&self, notification: &Notification) -> Attempt {
        let mut body = webhook::body(notification);
        body["id"] = notification.id.as_str().into();
        match append(&self.path, &format!("{body}\n")).await {
            Ok(()) => Attempt::Taken(format!("written to `{}`", self.path.display())),
            Err(error) => Attempt::Later {
                answer: format!("cannot write `{}`: {error}", self.path.display()),
                pause: None,
            },
        }
    }
}

async fn append(path: &Path, line: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(path).await?;
    file.write_all(line.as_bytes()).await?;
    file.sync_data().await
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[tokio::test]
    async fn notifications_are_lines_of_json() {
        let folder = std::env::temp_dir().join(format!("windvane-lines-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let lines = Lines { path: folder.join("alerts.ndjson") };
        for id in ["1", "2"] {
            let notification = Notification::test("log", id.to_owned(), Timestamp::UNIX_EPOCH);
            assert!(matches!(lines.send(&notification).await, Attempt::Taken(_)));
        }
        let text = std::fs::read_to_string(&lines.path).unwrap();
        let ids: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["id"].clone())
            .collect();
        assert_eq!(ids, ["1", "2"]);
        std::fs::remove_dir_all(&folder).unwrap();
        let notification = Notification::test("log", "3".to_owned(), Timestamp::UNIX_EPOCH);
        assert!(matches!(lines.send(&notification).await, Attempt::Later { .. }));
    }
}
