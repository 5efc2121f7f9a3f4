//! Tags on all kinds of thing the service keeps.

use crate::errors;
use crate::records::Tags;
use kiln_elbv2_shapes::Tag;
use kiln_service_kit::Error;

/// Tags one thing may have.
const MOST: usize = 50;

/// Checks the tags of a new thing.
pub fn checked(given: &[Tag]) -> Result<Tags, Error> {
    let mut tags = vec![];
    put(&mut tags, given)?;
    Ok(tags)
}

/// Puts tags on, replacing the values of keys that are there.
pub fn put(tags: &mut Tags, given: &[Tag]) -> Result<(), Error> {
    for (index, tag) in given.iter().enumerate() {
        if given[..index].iter().any(|t| t.key == tag.key) {
            return Err(Error::sender(
                "DuplicateTagKeys",
                format!("The tag key '{}' was specified more than once", tag.key),
            ));
        }
        if tag.key.to_ascii_lowercase().starts_with("aws:") && !tag.key.starts_with("aws:cloudformation:") {
            return Err(errors::invalid(format!("The tag key '{}' must not begin with 'aws:'", tag.key)));
        }
        let value = tag.value.clone().unwrap_or_default();
        match tags.iter_mut().find(|(key, _)| *key == tag.key) {
            Some(found) => found.1 = value,
            None => tags.push((tag.key.clone(), value)),
        }
    }
    match tags.len() > MOST {
        true => Err(Error::sender("TooManyTags", format!("A resource can have at most {MOST} tags"))),
        false => Ok(()),
    }
}

/// As answers have them.
pub fn shapes(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag { key: key.clone(), value: Some(value.clone()) }).collect()
}
