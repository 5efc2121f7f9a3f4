//! Tags of iam's things. Source: AWS IAM User Guide, "Tags for AWS Identity and Access Management
//! resources".

use crate::errors;
use crate::records::Tags;
use kiln_iam_shapes::Tag;
use kiln_service_kit::Error;

/// As answers show them.
pub fn shown(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag { key: key.clone(), value: value.clone() }).collect()
}

/// As requests give them.
pub fn given(given: Vec<Tag>) -> Result<Tags, Error> {
    let mut tags = Tags::new();
    add(&mut tags, given)?;
    Ok(tags)
}

/// Adds tags; at most 50 in all. Keys differ without regard to case.
pub fn add(tags: &mut Tags, given: Vec<Tag>) -> Result<(), Error> {
    let mut seen: Vec<String> = vec![];
    for tag in given {
        let lower = tag.key.to_lowercase();
        if lower.starts_with("aws:") {
            return Err(errors::invalid_input("Tag keys beginning with aws: are reserved for AWS use."));
        }
        if seen.contains(&lower) {
            let text = "Duplicate tag keys found. Please note that Tag keys are case insensitive.";
            return Err(errors::invalid_input(text));
        }
        tags.retain(|key, _| key.to_lowercase() != lower);
        tags.insert(tag.key, tag.value);
        seen.push(lower);
    }
    if tags.len() > 50 {
        return Err(errors::limit("Cannot exceed quota for TagsPerResource: 50"));
    }
    Ok(())
}
