//! Which column of a file becomes which field of an event: by flags first, then by convention, and the rest are features.

use clap::Args;

use super::cell::{Column, Kind};

/// Which column is which. Columns that are not named here are mapped by convention; see `--dry-run`.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Columns")]
pub struct Flags {
    /// The time of the prediction: a time, RFC 3339 text, or whole microseconds since 1970 (UTC where no zone is given).
    #[arg(long, value_name = "COLUMN")]
    pub ts: Option<String>,
    /// The id that joins a prediction with its outcome.
    #[arg(long, value_name = "COLUMN")]
    pub event_id: Option<String>,
    /// Who or what the prediction is about.
    #[arg(long, value_name = "COLUMN")]
    pub unit: Option<String>,
    /// The model's score.
    #[arg(long, value_name = "COLUMN")]
    pub score: Option<String>,
    /// The model's label.
    #[arg(long, value_name = "COLUMN")]
    pub label: Option<String>,
    /// The model's value, of a regression.
    #[arg(long, value_name = "COLUMN")]
    pub value: Option<String>,
    /// Microseconds that the model took.
    #[arg(long, value_name = "COLUMN")]
    pub latency: Option<String>,
    /// The features; without this, every column that is nothing else.
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',')]
    pub features: Option<Vec<String>>,
    /// Columns to leave out.
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',')]
    pub exclude: Vec<String>,
    /// Columns to keep as tags, for segments, and not as features.
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',')]
    pub tags: Vec<String>,
    /// The true label, where it is known.
    #[arg(long, value_name = "COLUMN")]
    pub outcome_label: Option<String>,
    /// The true value, where it is known.
    #[arg(long, value_name = "COLUMN")]
    pub outcome_value: Option<String>,
    /// When the outcome became known.
    #[arg(long, value_name = "COLUMN")]
    pub outcome_ts: Option<String>,
}

impl Flags {
    fn named(&self) -> Vec<(&'static str, &String, Role)> {
        let single = [
            ("--ts", &self.ts, Role::Ts),
            ("--event-id", &self.event_id, Role::EventId),
            ("--unit", &self.unit, Role::Unit),
            ("--score", &self.score, Role::Score),
            ("--label", &self.label, Role::Label),
            ("--value", &self.value, Role::Value),
            ("--latency", &self.latency, Role::Latency),
            ("--outcome-label", &self.outcome_label, Role::OutcomeLabel),
            ("--outcome-value", &self.outcome_value, Role::OutcomeValue),
            ("--outcome-ts", &self.outcome_ts, Role::OutcomeTs),
        ];
        let mut named: Vec<(&'static str, &String, Role)> =
            single.into_iter().filter_map(|(flag, name, role)| Some((flag, name.as_ref()?, role))).collect();
        named.extend(self.tags.iter().map(|name| ("--tags", name, Role::Tag(name.clone()))));
        named.extend(self.exclude.iter().map(|name| ("--exclude", name, Role::LeftOut("excluded"))));
        let features = self.features.iter().flatten();
        named.extend(features.map(|name| ("--features", name, Role::Feature(name.clone()))));
        named
    }
}

/// What becomes of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    Ts,
    EventId,
    Unit,
    Environment,
    Latency,
    Status,
    TraceId,
    SpanId,
    Score,
    Label,
    Value,
    Probability(String),
    Feature(String),
    Tag(String),
    Arm(String),
    Embedding(String),
    OutcomeLabel,
    OutcomeValue,
    OutcomeTs,
    /// Not sent; says why.
    LeftOut(&'static str),
}

impl Role {
    /// The field of the event, as CONTRACT.md names it.
    pub fn field(&self) -> String {
        match self {
            Self::Ts => "ts".to_owned(),
            Self::EventId => "event_id".to_owned(),
            Self::Unit => "unit_id".to_owned(),
            Self::Environment => "environment".to_owned(),
            Self::Latency => "latency_us".to_owned(),
            Self::Status => "status".to_owned(),
            Self::TraceId => "trace_id".to_owned(),
            Self::SpanId => "span_id".to_owned(),
            Self::Score => "prediction.score".to_owned(),
            Self::Label => "prediction.label".to_owned(),
            Self::Value => "prediction.value".to_owned(),
            Self::Probability(class) => format!("prediction.probabilities.{class}"),
            Self::Feature(name) => format!("features.{name}"),
            Self::Tag(name) => format!("tags.{name}"),
            Self::Arm(name) => format!("arms.{name}"),
            Self::Embedding(name) => format!("embeddings.{name}"),
            Self::OutcomeLabel => "outcome.label".to_owned(),
            Self::OutcomeValue => "outcome.value".to_owned(),
            Self::OutcomeTs => "outcome.ts".to_owned(),
            Self::LeftOut(reason) => format!("- ({reason})"),
        }
    }
}

/// The role of each column of a file, in the file's order; grows when a later row of NDJSON brings a new key.
#[derive(Debug, Clone)]
pub struct Mapping {
    flags: Flags,
    roles: Vec<Role>,
}

impl Mapping {
    /// Maps the columns of a file.
    ///
    /// # Errors
    /// A flag names a column that the file lacks, two columns have one name, or outcomes are mapped without the event id that joins them.
    pub fn new(flags: Flags, columns: &[Column]) -> Result<Self, String> {
        for (i, column) in columns.iter().enumerate() {
            if columns[..i].iter().any(|earlier| earlier.name == column.name) {
                return Err(format!(
                    "it has the column `{}` twice; each needs a name of its own",
                    column.name
                ));
            }
        }
        for (flag, name, _) in flags.named() {
            if !columns.iter().any(|column| column.name == *name) {
                let known = columns.iter().map(|c| c.name.as_str()).collect::<Vec<_>>().join(", ");
                return Err(format!(
                    "{flag} names column `{name}`, which is not there; the columns are {known}"
                ));
            }
        }
        let mut mapping = Self { flags, roles: Vec::with_capacity(columns.len()) };
        mapping.extend(columns);
        Ok(mapping)
    }

    /// The role of each column.
    pub fn roles(&self) -> &[Role] {
        &self.roles
    }

    /// Whether a column has this role.
    pub fn has(&self, role: &Role) -> bool {
        self.roles.contains(role)
    }

    /// Maps the columns that were not there before.
    pub fn extend(&mut self, columns: &[Column]) {
        for column in &columns[self.roles.len()..] {
            let role = self.role(column);
            self.roles.push(role);
        }
    }

    fn role(&self, column: &Column) -> Role {
        let named = self.flags.named().into_iter().find(|(_, name, _)| **name == column.name);
        let role = match named {
            Some((_, _, role)) => role,
            None => by_convention(column, self.flags.features.is_some()),
        };
        // A flag takes a role away from the column that has it by convention, and the first column keeps it.
        let taken = |role: &Role| {
            let flagged = self.flags.named().iter().any(|(_, name, r)| r == role && **name != column.name);
            !matches!(role, Role::LeftOut(_)) && (flagged || self.roles.contains(role))
        };
        match role {
            Role::OutcomeValue if self.roles.contains(&Role::OutcomeLabel) => {
                Role::LeftOut("an outcome has a label or a value")
            }
            role if taken(&role) => Role::LeftOut("another column has its place"),
            role => fit(role, column.kind),
        }
    }
}

/// The role that a column's name gives it.
fn by_convention(column: &Column, features_are_named: bool) -> Role {
    let name = column.name.as_str();
    match name {
        "ts" | "timestamp" => return Role::Ts,
        "event_id" => return Role::EventId,
        "unit_id" => return Role::Unit,
        "environment" => return Role::Environment,
        "latency_us" => return Role::Latency,
        "status" => return Role::Status,
        "trace_id" => return Role::TraceId,
        "span_id" => return Role::SpanId,
        "score" | "prediction.score" => return Role::Score,
        "label" | "prediction.label" => return Role::Label,
        "value" | "prediction.value" => return Role::Value,
        "outcome_label" | "outcome.label" => return Role::OutcomeLabel,
        "outcome_value" | "outcome.value" => return Role::OutcomeValue,
        "outcome_ts" | "outcome.ts" => return Role::OutcomeTs,
        "model" | "version" => return Role::LeftOut("given on the command line"),
        _ => {}
    }
    /// Makes the role of a name behind its prefix.
    type Named = fn(String) -> Role;
    let prefixes: [(&str, Named); 6] = [
        ("features.", Role::Feature),
        ("tags.", Role::Tag),
        ("arms.", Role::Arm),
        ("embeddings.", Role::Embedding),
        ("prediction.probabilities.", Role::Probability),
        ("probabilities.", Role::Probability),
    ];
    for (prefix, role) in prefixes {
        if let Some(rest) = name.strip_prefix(prefix).filter(|rest| !rest.is_empty()) {
            return role(rest.to_owned());
        }
    }
    match features_are_named {
        true => Role::LeftOut("not among --features"),
        false => Role::Feature(name.to_owned()),
    }
}

/// A feature is a scalar: times and lists are left out, and say so.
fn fit(role: Role, kind: Kind) -> Role {
    match (&role, kind) {
        (Role::Feature(_), Kind::Time) => Role::LeftOut("a time is no feature"),
        (Role::Feature(_), Kind::Numbers) => Role::LeftOut("a list is no feature; name it embeddings.NAME"),
        (Role::LeftOut(_), _) => role,
        (_, Kind::Other) => Role::LeftOut("neither number, text, boolean nor time"),
        _ => role,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(names: &[(&str, Kind)]) -> Vec<Column> {
        names.iter().map(|(name, kind)| Column { name: (*name).to_owned(), kind: *kind }).collect()
    }

    fn fields(flags: Flags, names: &[(&str, Kind)]) -> Vec<String> {
        Mapping::new(flags, &columns(names)).unwrap().roles().iter().map(Role::field).collect()
    }

    #[test]
    fn names_of_the_contract_map_by_convention_and_the_rest_are_features() {
        let mapped = fields(
            Flags::default(),
            &[
                ("event_id", Kind::Text),
                ("ts", Kind::Time),
                ("unit_id", Kind::Text),
                ("prediction.score", Kind::Number),
                ("features.age", Kind::Number),
                ("tags.region", Kind::Text),
                ("embeddings.text", Kind::Numbers),
                ("distance", Kind::Number),
                ("born", Kind::Time),
                ("outcome_label", Kind::Text),
                ("outcome_value", Kind::Number),
            ],
        );
        assert_eq!(
            mapped,
            [
                "event_id",
                "ts",
                "unit_id",
                "prediction.score",
                "features.age",
                "tags.region",
                "embeddings.text",
                "features.distance",
                "- (a time is no feature)",
                "outcome.label",
                "- (an outcome has a label or a value)",
            ]
        );
    }

    #[test]
    fn a_flag_takes_the_place_of_a_convention() {
        let flags = Flags { score: Some("p".to_owned()), ..Flags::default() };
        let mapped = fields(flags, &[("score", Kind::Number), ("p", Kind::Number)]);
        assert_eq!(mapped, ["- (another column has its place)", "prediction.score"]);
    }

    #[test]
    fn two_columns_do_not_become_one_feature() {
        let mapped = fields(Flags::default(), &[("x", Kind::Number), ("features.x", Kind::Number)]);
        assert_eq!(mapped, ["features.x", "- (another column has its place)"]);
        let error =
            Mapping::new(Flags::default(), &columns(&[("x", Kind::Number), ("x", Kind::Text)])).unwrap_err();
        assert_eq!(error, "it has the column `x` twice; each needs a name of its own");
    }

    #[test]
    fn named_features_leave_the_others_out() {
        let flags = Flags { features: Some(vec!["a".to_owned()]), ..Flags::default() };
        let mapped = fields(flags, &[("a", Kind::Number), ("b", Kind::Number), ("ts", Kind::Time)]);
        assert_eq!(mapped, ["features.a", "- (not among --features)", "ts"]);
    }

    #[test]
    fn a_flag_for_an_absent_column_names_the_columns() {
        let flags = Flags { exclude: vec!["agee".to_owned()], ..Flags::default() };
        let error = Mapping::new(flags, &columns(&[("age", Kind::Number)])).unwrap_err();
        assert_eq!(error, "--exclude names column `agee`, which is not there; the columns are age");
    }
}
