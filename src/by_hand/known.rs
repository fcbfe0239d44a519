//! Whether predictions of a model that was named are stored: a name that nothing was ever sent under is misspelt, and no window
//! of it is one with too few rows.

use anyhow::anyhow;
use windvane_analyzer::drift::Deployment;
use windvane_store::Store;
use windvane_store::deployments::{self, Deployed};
use windvane_types::nearest::nearest;

use crate::connection;
use crate::exit::{Failure, Reason};

/// Names that an error tells.
const NAMES_TOLD: usize = 10;

/// Passes where a prediction of this deployment is stored, of whatever time.
///
/// # Errors
/// None is, and what there is instead is said; or the store does not answer.
pub async fn known(store: &Store, deployment: &Deployment) -> Result<(), Failure> {
    let Deployment { model, version, environment } = deployment;
    let narrowed = (version.as_deref(), environment.as_deref());
    if deployments::is_known(store, model, narrowed).await.map_err(connection::failure)? {
        return Ok(());
    }
    let deployed = deployments::of_model(store, model).await.map_err(connection::failure)?;
    let said = if deployed.is_empty() {
        no_model(model, &deployments::models(store).await.map_err(connection::failure)?)
    } else {
        no_deployment(deployment, &deployed)
    };
    Err(Failure { reason: Reason::Data, error: anyhow!(said) })
}

fn no_model(model: &str, models: &[String]) -> String {
    if models.is_empty() {
        return format!("there is no model `{model}`: no prediction of any model is stored yet");
    }
    let near = nearest(model, models.iter().map(String::as_str))
        .map_or(String::new(), |near| format!("did you mean `{near}`? "));
    let told = told(models.iter().map(|model| format!("`{model}`")));
    format!("there is no model `{model}`: none of its predictions is stored; {near}there are {told}")
}

fn no_deployment(asked: &Deployment, deployed: &[Deployed]) -> String {
    let word = |noun: &str, name: &str| match name {
        "" => format!("no {noun}"),
        name => format!("{noun} `{name}`"),
    };
    let version = asked.version.as_deref().map(|name| word("version", name));
    let environment = asked.environment.as_deref().map(|name| word("environment", name));
    let told = told(deployed.iter().map(|one| match one.environment.as_str() {
        "" => word("version", &one.version),
        environment => format!("{} in {}", word("version", &one.version), word("environment", environment)),
    }));
    format!(
        "model `{}` has no predictions of {}; it has some of {told}",
        asked.model,
        version.into_iter().chain(environment).collect::<Vec<_>>().join(" in ")
    )
}

/// The first few, and how many more there are.
fn told(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = names.len().saturating_sub(NAMES_TOLD);
    let told = names.take(NAMES_TOLD).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{told} and {more} more") } else { told }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_model_is_told_with_those_that_there_are() {
        let models: Vec<String> = (10..25).map(|i| format!("m{i}")).collect();
        let said = no_model("delai", &["delay".to_owned(), "fraud".to_owned()]);
        assert_eq!(
            said,
            "there is no model `delai`: none of its predictions is stored; did you mean `delay`? there are `delay`, `fraud`"
        );
        let said = no_model("x", &models);
        assert!(
            said.ends_with(
                "there are `m10`, `m11`, `m12`, `m13`, `m14`, `m15`, `m16`, `m17`, `m18`, `m19` and 5 more"
            ),
            "{said}"
        );
        assert!(no_model("x", &[]).ends_with("no prediction of any model is stored yet"));
    }

    #[test]
    fn an_unknown_version_is_told_with_those_of_its_model() {
        let deployed = [("", ""), ("7", ""), ("7", "prod")].map(|(version, environment)| Deployed {
            version: version.to_owned(),
            environment: environment.to_owned(),
        });
        let asked = |version: Option<&str>, environment: Option<&str>| {
            let of = |word: Option<&str>| word.map(str::to_owned);
            Deployment { model: "delay".to_owned(), version: of(version), environment: of(environment) }
        };
        assert_eq!(
            no_deployment(&asked(Some("8"), Some("prod")), &deployed),
            "model `delay` has no predictions of version `8` in environment `prod`; \
             it has some of no version, version `7`, version `7` in environment `prod`"
        );
        let said = no_deployment(&asked(None, Some("test")), &deployed);
        assert!(said.starts_with("model `delay` has no predictions of environment `test`; "), "{said}");
    }
}
