//! What a metric is called, and how that is kept: one text that begins with what lists ask for.

/// Between the parts of a metric's name in the key; no name has it, since control characters are refused.
const BETWEEN: char = '\u{1f}';

/// What a metric is called: whose and where, its namespace, name and dimensions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Metric {
    pub account: String,
    pub region: String,
    pub namespace: String,
    pub name: String,
    /// In the order of their names.
    pub dimensions: Vec<(String, String)>,
}

impl Metric {
    /// One text for all of it.
    pub fn key(&self) -> String {
        let parts = [&self.account, &self.region, &self.namespace, &self.name];
        let mut key = parts.map(String::as_str).join(&BETWEEN.to_string());
        for (name, value) in &self.dimensions {
            for part in [name, value] {
                key.push(BETWEEN);
                key.push_str(part);
            }
        }
        key
    }

    pub(crate) fn of_key(key: &str) -> Option<Self> {
        let mut parts = key.split(BETWEEN).map(str::to_owned);
        let (account, region) = (parts.next()?, parts.next()?);
        let (namespace, name) = (parts.next()?, parts.next()?);
        let mut dimensions = vec![];
        while let Some(dimension) = parts.next() {
            dimensions.push((dimension, parts.next()?));
        }
        Some(Self { account, region, namespace, name, dimensions })
    }
}

/// Which metrics a list is to have.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    pub account: String,
    pub region: String,
    pub namespace: Option<String>,
    pub name: Option<String>,
    /// Dimensions that each must have, of any value where none is given.
    pub dimensions: Vec<(String, Option<String>)>,
    /// Seconds since 1970: what had no data since then is left out.
    pub seen_since: i64,
}

impl Wanted {
    /// How the keys of all that may be wanted begin.
    pub(crate) fn prefix(&self) -> String {
        let mut prefix = format!("{}{BETWEEN}{}{BETWEEN}", self.account, self.region);
        if let Some(namespace) = &self.namespace {
            prefix.push_str(namespace);
            prefix.push(BETWEEN);
            if let Some(name) = &self.name {
                prefix.push_str(name);
            }
        }
        prefix
    }

    pub(crate) fn has(&self, metric: &Metric) -> bool {
        let dimension = |(name, value): &(String, Option<String>)| {
            let is = |(known, is): &(String, String)| known == name && value.as_ref().is_none_or(|value| value == is);
            metric.dimensions.iter().any(is)
        };
        self.namespace.as_ref().is_none_or(|namespace| *namespace == metric.namespace)
            && self.name.as_ref().is_none_or(|name| *name == metric.name)
            && self.dimensions.iter().all(dimension)
    }
}

/// Some metrics of a list, and where to go on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    pub metrics: Vec<Metric>,
    /// The key behind which the rest comes.
    pub next: Option<String>,
}
