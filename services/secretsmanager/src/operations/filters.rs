//! Filters of listings. Source: AWS Secrets Manager API Reference, Filter; User Guide, "Find secrets in AWS Secrets
//! Manager".

use crate::errors::parameter;
use crate::records::Secret;
use kiln_secretsmanager_shapes::Filter;
use kiln_service_kit::Error;

/// What a listing is to show: all filters hold.
pub struct Filters<'r>(Vec<(By, Vec<Wanted<'r>>)>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Description,
    Name,
    TagKey,
    TagValue,
    /// Of these no secret here has one.
    Absent,
    All,
}

/// A value, with `!` in front the opposite of it.
struct Wanted<'r> {
    text: &'r str,
    not: bool,
}

impl<'r> Filters<'r> {
    pub fn read(given: &'r [Filter]) -> Result<Self, Error> {
        let mut filters = vec![];
        for filter in given {
            let key = match filter.key.as_deref() {
                Some("description") => By::Description,
                Some("name") => By::Name,
                Some("tag-key") => By::TagKey,
                Some("tag-value") => By::TagValue,
                Some("primary-region" | "owning-service") => By::Absent,
                Some("all") => By::All,
                _ => return Err(parameter("You must provide a filter key.")),
            };
            if filter.values.is_empty() {
                return Err(parameter("You must provide filter values."));
            }
            let wanted = |text: &'r String| match text.strip_prefix('!') {
                Some(text) => Wanted { text, not: true },
                None => Wanted { text, not: false },
            };
            filters.push((key, filter.values.iter().map(wanted).collect()));
        }
        Ok(Self(filters))
    }

    pub fn hold(&self, secret: &Secret) -> bool {
        self.0.iter().all(|(key, values)| values.iter().any(|wanted| key.has(secret, wanted.text) != wanted.not))
    }
}

impl By {
    fn has(self, secret: &Secret, text: &str) -> bool {
        let description = secret.description.as_deref().unwrap_or_default();
        match self {
            Self::Description => lower(description).starts_with(&lower(text)),
            Self::Name => secret.name.starts_with(text),
            Self::TagKey => secret.tags.keys().any(|key| key.starts_with(text)),
            Self::TagValue => secret.tags.values().any(|value| value.starts_with(text)),
            Self::Absent => false,
            Self::All => {
                let tags = secret.tags.iter().flat_map(|(key, value)| [key.as_str(), value.as_str()]);
                let texts: Vec<String> =
                    [secret.name.as_str(), description].into_iter().chain(tags).map(lower).collect();
                let has = |word: &str| texts.iter().any(|text| text.contains(&lower(word)));
                text.split_whitespace().all(has)
            }
        }
    }
}

fn lower(text: &str) -> String {
    text.to_lowercase()
}
