//! What a name means where two columns of a prediction have it: one that its model was sent with, and one that is told of every prediction.
//!
//! Whoever sends predictions names features and tags, and may call them `ts`, `outcome`, `unit_id` or `prediction.score`. Where columns are
//! looked at, and where rows are cut into segments, such a name is the feature's or the tag's. As a role (what was true, when the model
//! answered) it is always what is told of the prediction: these columns are kept apart, so that no feature takes their place.

use super::predictions::{ANSWERS, PROBABILITY};
use super::{OUTCOME, Population, PopulationColumn, Storage};

impl Population {
    /// The column that a role of this name reads: what is told of each prediction, else the column of this name.
    #[must_use]
    pub fn role(&self, name: &str) -> Option<&PopulationColumn> {
        let told = self.told.iter().find(|column| column.name == name);
        // What no prediction was answered with is absent, also where a feature is called so.
        let has_outcomes =
            |column: &PopulationColumn| column.name == OUTCOME && column.storage != Storage::Nothing;
        let absent = self.told.iter().any(has_outcomes)
            && (ANSWERS.iter().any(|(answer, ..)| *answer == name) || name.starts_with(PROBABILITY));
        told.or_else(|| self.column(name).filter(|_| !absent))
    }

    /// What is told of each prediction beside its features and tags.
    #[must_use]
    pub fn told(&self) -> &[PopulationColumn] {
        &self.told
    }

    /// Adds what is told of each prediction: a role, and a column where no feature and no tag has its name.
    pub fn tell(&mut self, name: &str, storage: Storage) {
        let column = PopulationColumn { name: name.to_owned(), storage };
        if self.column(name).is_none() && !self.extra_segments.iter().any(|(extra, _)| extra == name) {
            self.columns.push(column.clone());
        }
        self.told.push(column);
    }

    /// Lets a role be missing in every row where there is no column of its name, and says whether that is so: a file whose outcomes are all to
    /// come has no column for them.
    pub fn lack(&mut self, name: &str) -> bool {
        let lacks = !self.without_columns && self.role(name).is_none();
        if lacks {
            self.told.push(PopulationColumn { name: name.to_owned(), storage: Storage::Nothing });
        }
        lacks
    }

    /// Lets a name mean the same on two sides: what is a feature or a tag of one is absent from the other where it has none, and not what is
    /// told of its predictions.
    pub fn agree(&mut self, other: &mut Self) {
        self.yield_names(other);
        other.yield_names(self);
    }

    fn yield_names(&mut self, other: &Self) {
        let Self { columns, told, extra_segments, .. } = self;
        columns.retain(|column| !told.contains(column) || !other.is_own(&column.name));
        extra_segments.retain(|(name, sql)| *sql != of_every_prediction(name) || !other.is_own(name));
    }

    /// Whether rows are cut by a feature or a tag where they are cut by this name.
    fn is_own(&self, name: &str) -> bool {
        match self.column(name) {
            Some(column) => !self.told.contains(column),
            None => {
                let cut = self.extra_segments.iter().find(|(extra, _)| extra == name);
                cut.is_some_and(|(_, sql)| *sql != of_every_prediction(name))
            }
        }
    }
}

/// The expression of a column of the table by which rows can be cut into segments.
pub(super) fn of_every_prediction(column: &str) -> String {
    format!("toNullable({column})")
}

#[cfg(test)]
mod tests {
    use crate::populations::{OUTCOME, Population, PopulationColumn, Sql, Storage, TIME};

    const UNIT: &str = "unit_id";
    const SCORE: &str = "prediction.score";

    fn number(sql: &str) -> Storage {
        Storage::Number(Sql(sql.to_owned()))
    }

    /// Predictions with outcomes, with these features and tags.
    fn labelled(features: &[&str], tags: &[&str]) -> Population {
        let feature = |name: &&str| PopulationColumn {
            name: (*name).to_owned(),
            storage: number(&format!("num['{name}']")),
        };
        let columns = features.iter().map(feature).collect();
        let mut population = Population::of_sql("rows".to_owned(), "t".to_owned(), columns);
        let tag = |name: &&str| ((*name).to_owned(), format!("tags['{name}']"));
        population.extra_segments.push(("version".to_owned(), "toNullable(version)".to_owned()));
        population.extra_segments.extend(tags.iter().map(tag));
        population.extra_segments.push((UNIT.to_owned(), "toNullable(unit_id)".to_owned()));
        population.tell(OUTCOME, number("truth"));
        population.tell(TIME, Storage::Unsupported("DateTime64(6, 'UTC')".to_owned()));
        population
    }

    fn role(population: &Population, name: &str) -> Option<Storage> {
        population.role(name).map(|column| column.storage.clone())
    }

    fn cut(population: &Population, name: &str) -> Option<String> {
        population.segment_expression(name).map(|Sql(sql)| sql)
    }

    #[test]
    fn a_feature_has_its_name_and_a_role_has_what_is_told() {
        let time = "toUnixTimestamp64Micro(toDateTime64(`ts`, 6, 'UTC'))";
        let of = |sql: &str| {
            let text = format!("if(isNaN(toFloat64({sql})), NULL, toString({sql}))");
            Some(format!("CAST({text}, 'Nullable(String)')"))
        };
        let of_tag = |name: &str| Some(format!("tags['{name}']"));
        let (none, both): (&[&str], &[&str]) = (&[], &[OUTCOME, TIME]);
        for (features, tags, outcome, ts) in [
            (none, none, of("truth"), None),
            (both, none, of("num['outcome']"), of("num['ts']")),
            (none, both, of_tag(OUTCOME), of_tag(TIME)),
        ] {
            let population = labelled(features, tags);
            assert_eq!((cut(&population, OUTCOME), cut(&population, TIME)), (outcome, ts));
            assert_eq!(role(&population, OUTCOME), Some(number("truth")));
            assert_eq!(population.micros(TIME), Some(Sql(time.to_owned())));
        }
    }

    #[test]
    fn no_feature_takes_the_place_of_an_answer_that_there_is_not() {
        let mut population = labelled(&[SCORE, "prediction.probabilities.late", "x"], &[]);
        for name in [SCORE, "prediction.probabilities.late"] {
            assert!(population.column(name).is_some());
            assert_eq!(role(&population, name), None);
        }
        assert_eq!(role(&population, "x"), Some(number("num['x']")));
        population.tell(SCORE, Storage::Nothing);
        assert_eq!(role(&population, SCORE), Some(Storage::Nothing));
        let files = Population::of_sql("rows".to_owned(), "t".to_owned(), population.columns.clone());
        assert_eq!(role(&files, SCORE), Some(number("num['prediction.score']")), "of a file all are columns");
    }

    #[test]
    fn a_role_without_a_column_is_missing_and_no_column() {
        let columns =
            [SCORE, "x"].map(|name| PopulationColumn { name: name.to_owned(), storage: number(name) });
        let mut file = Population::of_sql("rows".to_owned(), "t".to_owned(), columns.to_vec());
        assert_eq!([OUTCOME, "x"].map(|name| file.lack(name)), [true, false]);
        assert_eq!((role(&file, OUTCOME), role(&file, "x")), (Some(Storage::Nothing), Some(number("x"))));
        assert!(file.column(OUTCOME).is_none());
        assert_eq!(role(&file, SCORE), Some(number(SCORE)), "of a file all are columns");
    }

    #[test]
    fn a_name_that_is_a_feature_of_one_side_is_not_told_of_the_other() {
        let sides = |features: &[&str], tags: &[&str]| {
            let (mut one, mut other) = (labelled(features, tags), labelled(&[], &[]));
            one.agree(&mut other);
            let (mut first, mut second) = (labelled(&[], &[]), labelled(features, tags));
            first.agree(&mut second);
            for population in [&second, &first] {
                assert_eq!(role(population, OUTCOME), Some(number("truth")));
                assert!(population.micros(TIME).is_some());
            }
            let names = [OUTCOME, TIME, UNIT, "version"];
            assert_eq!(names.map(|name| cut(&one, name)), names.map(|name| cut(&second, name)));
            assert_eq!(names.map(|name| cut(&other, name)), names.map(|name| cut(&first, name)));
            names.map(|name| cut(&other, name).is_some())
        };
        assert_eq!(sides(&["x"], &["y"]), [true, false, true, true]);
        assert_eq!(sides(&[OUTCOME, TIME, UNIT, "version"], &[]), [false; 4]);
        // Rows are cut by the version before a tag of that name.
        assert_eq!(sides(&[], &[OUTCOME, TIME, UNIT, "version"]), [false, false, false, true]);
    }
}
