//! The file with the state: what is left of it after a crash is the whole state before, or the whole state after.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::desk::State;

/// The name in the folder.
const NAME: &str = "state.json";

/// What is on disk: the state, and what only this process can tell.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// The state; of one that takes its leave, the rest of it.
    #[serde(flatten)]
    pub state: State,
    /// Where it judged alone: the time of the state that it left for others before, microseconds since 1970 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alone_since_us: Option<i64>,
    /// The time of the state that was in ClickHouse last, for others: microseconds since 1970 UTC.
    #[serde(default)]
    pub stored_us: i64,
    /// Where another process judges by now: the ends of what this one told alone, and messages about them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaving: Option<State>,
}

/// The file of one process.
#[derive(Debug, Clone)]
pub struct StateFile {
    path: PathBuf,
}

impl StateFile {
    /// The file in a folder, which is made where it is missing.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn open(dir: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        Ok(Self { path: dir.join(NAME) })
    }

    /// The state that was kept last; a file that is none is laid aside, so that a start is never in its way.
    pub fn read(&self) -> Option<Kept> {
        let text = std::fs::read(&self.path).ok()?;
        match serde_json::from_slice(&text) {
            Ok(kept) => Some(kept),
            Err(error) => {
                let aside = self.path.with_extension("damaged");
                tracing::error!(%error, file = %aside.display(), "the state of alerts cannot be read and is laid aside");
                let _ = std::fs::rename(&self.path, aside);
                None
            }
        }
    }

    /// Keeps a state, on disk when it returns.
    ///
    /// # Errors
    /// The disk does not take it; the state before is still there.
    pub fn write(&self, kept: &[u8]) -> io::Result<()> {
        let draft = self.path.with_extension("new");
        let mut file = std::fs::File::create(&draft)?;
        file.write_all(kept)?;
        file.sync_data()?;
        std::fs::rename(&draft, &self.path)?;
        match self.path.parent() {
            Some(folder) => std::fs::File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::Failing;

    fn failing() -> (String, Failing) {
        ("B".to_owned(), Failing { since_us: 3, times: 2, error: "no".to_owned() })
    }

    #[test]
    fn a_state_comes_back_and_what_is_none_is_laid_aside() {
        let folder = std::env::temp_dir().join(format!("windvane-alert-state-{}", std::process::id()));
        let file = StateFile::open(&folder).unwrap();
        assert_eq!(file.read(), None);
        // A state alone is what versions before wrote.
        let state = State { revision: 7, looked_us: [("A".to_owned(), -1)].into(), ..State::default() };
        file.write(&serde_json::to_vec(&state).unwrap()).unwrap();
        assert_eq!(file.read(), Some(Kept { state: state.clone(), ..Kept::default() }));
        let leaving = Some(State { failing: [failing()].into(), ..State::default() });
        let kept = Kept { state, alone_since_us: Some(5), stored_us: 4, leaving };
        file.write(&serde_json::to_vec(&kept).unwrap()).unwrap();
        assert_eq!(file.read(), Some(kept));
        file.write(b"{\"revision\":").unwrap();
        assert_eq!(file.read(), None);
        assert!(folder.join("state.damaged").exists());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
