//! What each parameter of the read API means, for people: a name means one thing wherever it is taken.

/// A parameter's meaning; `None` of a name that no operation has.
pub fn meaning(name: &str) -> Option<&'static str> {
    Some(match name {
        "arm" => "Only comparisons of this arm with the control.",
        "candidate_sha256" => {
            "The SHA-256 of the candidate's file; a verdict on another one is not taken for it."
        }
        "check" => "Only this check, such as `missing_rate`.",
        "column" => "Only this column.",
        "experiment" => {
            "An experiment of which the latest look has to say `better` or `equivalent`, besides what the gate says."
        }
        "fingerprint" => "The alert's fingerprint, as `/api/v1/alerts` tells it.",
        "format" => "In which form the rows come.",
        "from" => {
            "Only what is of this time or later: windows that end after it. A time such as 2013-01-01 or 2013-01-01T05:00:00Z, UTC without a zone."
        }
        "id" => "The silence's id, as `/api/v1/silences` tells it.",
        "limit" => "How many entries come at most.",
        "max_age_s" => "How old the verdict may be, seconds; a day unless given.",
        "metric" => "Only this metric.",
        "model" => "Only what is of this model.",
        "monitor" => "Only what this monitor found; what was found by hand has none.",
        "offset" => {
            "How many entries are left out before the first one; `next_offset` of an answer begins the next page."
        }
        "rule" => "Only alerts of this rule.",
        "segment" => {
            "Only this segment, as `key:value`, with `(missing)` for rows that have no value; `none` for all rows together. Of latency and fairness what groups are cut by, such as `version`."
        }
        "severity" => "Only alerts of this severity.",
        "srm" => "Only experiments whose sample ratio was judged so.",
        "state" => "Only alerts in this state.",
        "to" => "Only what is before this time: windows that begin before it. Written as `from`.",
        "verdict" => "Only what has this verdict.",
        "view" => "The view's name, as `/api/v1/views` tells it.",
        "weight" => "The candidate's share of traffic now, per cent.",
        _ => return None,
    })
}
