//! What is wrong with a configuration: every fault, each with where it is, what it says and what is allowed.

use std::fmt;

use windvane_types::counting::counted;

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file and line, or the environment variable.
    pub origin: String,
    /// The key's path, where there is one.
    pub key: String,
    /// What is wrong, and what is allowed.
    pub problem: String,
    /// A correct line, where there is one.
    pub example: Option<&'static str>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.origin)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{}", self.problem)?;
        match self.example {
            Some(example) => write!(f, "; for example: {example}"),
            None => Ok(()),
        }
    }
}

/// All faults of a configuration.
#[derive(Debug)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration has {}", counted(self.0.len() as u64, "fault", "faults"))?;
        for fault in &self.0 {
            write!(f, "\n  {fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}
