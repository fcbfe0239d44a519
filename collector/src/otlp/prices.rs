//! What tokens of large language models cost: the price table of the configuration.

use std::collections::BTreeMap;

/// Prices of one model, for a million tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Price {
    /// Of the prompt.
    pub input: f64,
    /// Of the answer, reasoning included.
    pub output: f64,
    /// Of the prompt's tokens that came from the provider's cache.
    pub cache_read: f64,
    /// Of the prompt's tokens that were written to the provider's cache.
    pub cache_write: f64,
}

/// The price table.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Prices {
    /// The currency of all prices.
    pub currency: String,
    /// Prices by model.
    pub models: BTreeMap<String, Price>,
}

/// How many tokens of each kind a call took. Those from and to the cache are part of the input.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tokens {
    pub(super) input: Option<u64>,
    pub(super) output: Option<u64>,
    pub(super) cache_read: Option<u64>,
    pub(super) cache_write: Option<u64>,
}

impl Prices {
    /// The price of a model: of its own name, or of the name that it is a dated version of, as `gpt-4o-2024-08-06` is of `gpt-4o`.
    pub(super) fn of(&self, model: &str) -> Option<&Price> {
        let is_of = |name: &str| model.strip_prefix(name).is_some_and(is_version);
        self.models.get(model).or_else(|| {
            let named = self.models.iter().filter(|(name, _)| is_of(name));
            named.max_by_key(|(name, _)| name.len()).map(|(_, price)| price)
        })
    }
}

/// Whether the rest of a model's name is a date, a number or `latest`, as `-20250219`, `@001` and `:latest` are.
fn is_version(rest: &str) -> bool {
    let Some(version) = rest.strip_prefix(['-', '@', ':']) else { return false };
    version == "latest"
        || (!version.is_empty()
            && version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-' || byte == b'.'))
}

impl Price {
    /// What a call cost; nothing to say where it has no count of tokens at all.
    #[expect(clippy::cast_precision_loss, reason = "counts of tokens are far below 2^53")]
    pub(super) fn cost(&self, tokens: &Tokens) -> Option<f64> {
        if tokens.input.is_none() && tokens.output.is_none() {
            return None;
        }
        let of = |count: Option<u64>| count.unwrap_or_default();
        let (read, written) = (of(tokens.cache_read), of(tokens.cache_write));
        let fresh = of(tokens.input).saturating_sub(read).saturating_sub(written);
        let parts = [
            (fresh, self.input),
            (read, self.cache_read),
            (written, self.cache_write),
            (of(tokens.output), self.output),
        ];
        Some(parts.iter().map(|(count, price)| *count as f64 * price).sum::<f64>() / 1e6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Prices {
        let price =
            |input, output| Price { input, output, cache_read: input / 2.0, cache_write: input * 1.25 };
        let models = [
            ("gpt-4o", price(2.5, 10.0)),
            ("gpt-4o-mini", price(0.15, 0.6)),
            ("claude-3-7-sonnet", price(3.0, 15.0)),
        ];
        let models = models.into_iter().map(|(name, price)| (name.to_owned(), price)).collect();
        Prices { currency: "USD".to_owned(), models }
    }

    #[test]
    fn a_dated_version_has_the_price_of_its_model_and_another_model_has_none() {
        for (model, input) in [
            ("gpt-4o", Some(2.5)),
            ("gpt-4o-2024-08-06", Some(2.5)),
            ("gpt-4o-mini-2024-07-18", Some(0.15)),
            ("claude-3-7-sonnet-20250219", Some(3.0)),
            ("claude-3-7-sonnet@20250219", Some(3.0)),
            ("claude-3-7-sonnet-latest", Some(3.0)),
            ("gpt-4o-audio-preview", None),
            ("gpt-4", None),
            ("gpt-4o-", None),
            ("", None),
        ] {
            assert_eq!(table().of(model).map(|price| price.input), input, "{model}");
        }
    }

    #[test]
    fn tokens_of_the_cache_are_part_of_the_input_at_their_own_price() {
        let price = *table().of("gpt-4o").unwrap();
        let tokens = Tokens {
            input: Some(1_000_000),
            output: Some(100_000),
            cache_read: Some(400_000),
            cache_write: Some(200_000),
        };
        // 0.4 M at 2.5, 0.4 M at 1.25, 0.2 M at 3.125, 0.1 M at 10.
        assert_eq!(price.cost(&tokens), Some(1.0 + 0.5 + 0.625 + 1.0));
        assert_eq!(price.cost(&Tokens::default()), None);
    }
}
