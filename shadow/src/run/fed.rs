//! Which traffic feeds the models, where there are two kinds of the same requests: recorded features, and tensors of a part of them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::{Job, RunError};
use crate::pace::Pace;
use crate::policy::Policy;
use crate::session::Session;
use crate::traffic::{Traffic, TrafficError, Wanted};

/// What is asked.
#[derive(Debug)]
pub(super) struct Fed<'j> {
    /// The job, with the traffic that is asked.
    pub(super) job: Cow<'j, Job>,
    /// That traffic.
    pub(super) traffic: Traffic,
    /// What a reader should know about the choice.
    pub(super) note: Option<String>,
}

/// The traffic of the job, or the other where that has the inputs that it lacks.
///
/// # Errors
/// The other traffic cannot be read.
pub(super) fn choose<'j>(job: &'j Job, traffic: Traffic, wanted: &Wanted) -> Result<Fed<'j>, RunError> {
    let Some(instead) = &job.instead else {
        return Ok(Fed { job: Cow::Borrowed(job), traffic, note: None });
    };
    let (asked, not_asked) = &instead.notes;
    if let Err(lacking @ TrafficError::Missing { .. }) = traffic.check(wanted) {
        let other = Traffic::open(&instead.traffic)?;
        if other.check(wanted).is_ok() {
            let (traffic, name) = (instead.traffic.clone(), Some(instead.traffic_name.clone()));
            let job = Job { traffic, traffic_name: name, instead: None, ..job.clone() };
            let note = Some(format!("{asked}: {lacking}"));
            return Ok(Fed { job: Cow::Owned(job), traffic: other, note });
        }
    }
    Ok(Fed { job: Cow::Borrowed(job), traffic, note: Some(not_asked.clone()) })
}

/// The column with outcomes.
pub(super) fn target(job: &Job, policy: &Policy) -> Option<String> {
    job.target.clone().or_else(|| policy.quality.as_ref()?.target.clone())
}

/// What is wanted of the traffic: the inputs of both models, and the columns that the job names.
pub(super) fn wanted(job: &Job, sessions: (&Session, &Session), target: Option<&String>) -> Wanted {
    let mut inputs = BTreeMap::new();
    for session in [sessions.0, sessions.1] {
        for port in session.inputs() {
            let declared = format!("model `{}` as {port}", session.model());
            inputs.entry(port.name.clone()).or_insert((port.element, declared));
        }
    }
    let time = job.time.iter().filter(|_| matches!(job.pace, Pace::Original(_)));
    let extras: BTreeSet<String> = job.segment_by.iter().chain(target).chain(time).cloned().collect();
    Wanted { inputs, extras }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::super::Instead;
    use super::*;
    use crate::device::SessionOptions;
    use crate::pace::Batching;
    use crate::tensor::Element;

    /// A folder with one request that has this input.
    fn folder(parent: &Path, input: &str) -> std::path::PathBuf {
        let folder = parent.join(input);
        std::fs::create_dir(&folder).unwrap();
        let request =
            serde_json::json!({"inputs": [{"name": input, "datatype": "FP32", "shape": [1], "data": [0.5]}]});
        std::fs::write(folder.join("0.json"), request.to_string()).unwrap();
        folder
    }

    fn job(parent: &Path) -> Job {
        Job {
            library: "libonnxruntime.so".into(),
            champion: "a.onnx".into(),
            candidate: "b.onnx".into(),
            traffic: folder(parent, "month"),
            traffic_name: Some("features".to_owned()),
            instead: Some(Instead {
                traffic: folder(parent, "image"),
                traffic_name: "payloads".to_owned(),
                notes: ("asked with payloads".to_owned(), "asked with features".to_owned()),
            }),
            policy: String::new(),
            session: SessionOptions { call_limit: Duration::from_secs(1), ..SessionOptions::default() },
            pace: Pace::Max,
            batching: Batching::NONE,
            sample: None,
            segment_by: Vec::new(),
            target: None,
            time: None,
            seed: 1,
        }
    }

    #[test]
    fn traffic_without_an_input_gives_way_to_the_other_that_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let job = job(folder.path());
        for (input, name, said) in [
            ("month", "features", "asked with features"),
            ("image", "payloads", "asked with payloads: traffic `"),
            ("neither", "features", "asked with features"),
        ] {
            let declared = (Element::F32, "model `a` as it".to_owned());
            let wanted = Wanted { inputs: [(input.to_owned(), declared)].into(), ..Wanted::default() };
            let fed = choose(&job, Traffic::open(&job.traffic).unwrap(), &wanted).unwrap();
            assert_eq!(fed.job.traffic_name.as_deref(), Some(name), "{input}");
            assert!(fed.note.unwrap().starts_with(said), "{input}");
        }
    }
}
