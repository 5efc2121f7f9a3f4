//! Public aliases of machine images: parameters under `/aws/service/` that AWS and distributions
//! publish. None is stored: an alias is resolved by asking ec2 which image it means now.
//!
//! 1. An image of the caller with the tag `kiln:ssm-alias` = the parameter's name wins.
//! 2. Debian's own names mean the platform's base image.
//! 3. Anything else is ParameterNotFound with a message that says how to make the alias.

use kiln_ec2_shapes::{DescribeImagesRequest, Filter, Image};
use kiln_service_kit::{Cx, Error, Timestamp};

/// The tag that makes an image answer to a public parameter's name.
pub const ALIAS_TAG: &str = "kiln:ssm-alias";

const DEBIAN: &str = "/aws/service/debian/";

/// Debian's aliases that the base image answers to, with the image name each means.
const DEBIAN_ALIASES: [(&str, &str); 3] = [
    ("/aws/service/debian/release/12/latest/amd64", "debian-12-amd64*"),
    ("/aws/service/debian/release/bookworm/latest/amd64", "debian-12-amd64*"),
    ("/aws/service/debian/daily/bookworm/latest/amd64", "debian-12-amd64*"),
];

/// An alias and the image it means.
pub struct Alias {
    pub name: String,
    pub image_id: String,
    pub created: Option<Timestamp>,
}

/// Whether a name lies where AWS keeps public parameters.
pub fn is_public(name: &str) -> bool {
    name.starts_with("/aws/")
}

/// Whether Kiln publishes below a path, so that finding nothing there is the truth.
pub fn is_published(path: &str) -> bool {
    path.starts_with(DEBIAN) || path == DEBIAN.trim_end_matches('/') || matches!(path, "/aws" | "/aws/service")
}

/// Nothing is published below a path, and how to change that.
pub fn none_below(path: &str) -> Error {
    Error::not_built(format!(
        "the public parameters below {path} (images of your own answer to names there: aws ec2 create-tags --resources \
         AMI-ID --tags Key={ALIAS_TAG},Value=NAME)"
    ))
}

/// A public parameter's ARN: it belongs to no account.
pub fn arn(cx: &Cx, name: &str) -> String {
    format!("arn:aws:ssm:{}::parameter{name}", cx.region())
}

/// The image that a public parameter means; ParameterNotFound with advice where there is none.
pub async fn resolve(cx: &Cx, name: &str) -> Result<Alias, Error> {
    let tagged = images(cx, &format!("tag:{ALIAS_TAG}"), name).await?;
    if let Some(image) = newest(tagged) {
        return alias(name, image);
    }
    let Some((_, pattern)) = DEBIAN_ALIASES.iter().find(|(alias, _)| *alias == name) else {
        return Err(unknown(name));
    };
    match newest(images(cx, "name", pattern).await?) {
        Some(image) => alias(name, image),
        None => Err(Error::sender(
            "ParameterNotFound",
            format!(
                "Parameter {name} not found: the base image that it means is not built yet (kiln status shows how far \
                 it is)."
            ),
        )),
    }
}

/// Every alias below a path.
pub async fn under(cx: &Cx, path: &str, recursive: bool) -> Result<Vec<Alias>, Error> {
    let prefix = format!("{}/", path.trim_end_matches('/'));
    let below = |name: &str| name.strip_prefix(&prefix).is_some_and(|rest| recursive || !rest.contains('/'));
    let mut names: Vec<String> =
        DEBIAN_ALIASES.iter().map(|(name, _)| (*name).to_owned()).filter(|name| below(name)).collect();
    for image in images(cx, "tag-key", ALIAS_TAG).await? {
        let values = image.tags.into_iter().filter(|tag| tag.key.as_deref() == Some(ALIAS_TAG));
        names.extend(values.filter_map(|tag| tag.value).filter(|name| below(name)));
    }
    names.sort();
    names.dedup();
    let mut found = vec![];
    for name in names {
        match resolve(cx, &name).await {
            Ok(alias) => found.push(alias),
            Err(error) if error.is("ParameterNotFound") => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// Whether an image of that id is there, for parameters of data type `aws:ec2:image`.
pub async fn exists(cx: &Cx, image_id: &str) -> Result<bool, Error> {
    // Whatever else the value is stays here: it may be a secret, and ec2's refusal would repeat it.
    let digits = image_id.strip_prefix("ami-");
    if !digits.is_some_and(|d| d.len() <= 17 && d.bytes().all(|b| b.is_ascii_hexdigit())) {
        return Ok(false);
    }
    let request = DescribeImagesRequest { image_ids: vec![image_id.to_owned()], ..Default::default() };
    match cx.as_service("ssm.amazonaws.com").call(request).await {
        Ok(answer) => Ok(!answer.images.is_empty()),
        Err(error) if error.code.starts_with("InvalidAMIID") => Ok(false),
        Err(error) => Err(error),
    }
}

async fn images(cx: &Cx, filter: &str, value: &str) -> Result<Vec<Image>, Error> {
    let filters = vec![Filter { name: Some(filter.to_owned()), values: vec![value.to_owned()] }];
    let request = DescribeImagesRequest { filters, ..Default::default() };
    let answer = cx.as_service("ssm.amazonaws.com").call(request).await?;
    Ok(answer.images.into_iter().filter(|image| image.state.as_deref() == Some("available")).collect())
}

fn newest(images: Vec<Image>) -> Option<Image> {
    images.into_iter().max_by(|a, b| (&a.creation_date, &a.image_id).cmp(&(&b.creation_date, &b.image_id)))
}

fn alias(name: &str, image: Image) -> Result<Alias, Error> {
    let image_id = image.image_id.ok_or_else(|| Error::internal("ec2 described an image without an id"))?;
    let created = match image.creation_date.as_deref().map(Timestamp::parse) {
        None => None,
        Some(Ok(at)) => Some(at),
        Some(Err(error)) => return Err(Error::internal(format!("the creation date of {image_id}: {error}"))),
    };
    Ok(Alias { name: name.to_owned(), image_id, created })
}

fn unknown(name: &str) -> Error {
    let advice = if name.starts_with(DEBIAN) {
        let known: Vec<&str> = DEBIAN_ALIASES.iter().map(|(name, _)| *name).collect();
        format!("Kiln's base image answers to {}.", known.join(", "))
    } else {
        "Kiln publishes no images of other distributions.".to_owned()
    };
    Error::sender(
        "ParameterNotFound",
        format!(
            "Parameter {name} not found. {advice} To let an image of your own answer to this name, tag it: aws ec2 \
             create-tags --resources AMI-ID --tags Key={ALIAS_TAG},Value={name}"
        ),
    )
}
