//! Public aliases of machine images: parameters under `/aws/service/` that AWS and distributions
//! publish. None is stored: an alias is resolved by asking ec2 which image it means now.
//!
//! 1. An image of the caller with the tag `kiln:ssm-alias` = the parameter's name wins.
//! 2. AWS's and distributions' own names mean the newest image with the owner and name that those
//!    parameters mean on AWS: Debian 12's the platform's base image, others the stand-ins that the
//!    user made with `kiln image alias`.
//! 3. Anything else is ParameterNotFound with a message that says how to make the alias.
//!
//! Sources: Amazon Linux 2023 and Amazon Linux 2 User Guides, Ubuntu on AWS, Debian Wiki.

use kiln_ec2_shapes::{DescribeImagesRequest, Filter, Image};
use kiln_service_kit::{Cx, Error, Timestamp};

/// The tag that makes an image answer to a public parameter's name.
pub const ALIAS_TAG: &str = "kiln:ssm-alias";

const DEBIAN: &str = "/aws/service/debian/";
const AMAZON_LINUX: &str = "/aws/service/ami-amazon-linux-latest/";
const UBUNTU: &str = "/aws/service/canonical/ubuntu/server/";

/// Published parameters below one path that mean the images of one owner.
struct Published {
    below: &'static str,
    owner: &'static str,
    /// The rest of the parameter's name, and the names of images it means.
    names: &'static [(&'static str, &'static str)],
}

const PUBLISHED: [Published; 3] = [
    Published {
        below: DEBIAN,
        owner: "136693071363",
        names: &[
            ("release/11/latest/amd64", "debian-11-amd64*"),
            ("release/11/latest/arm64", "debian-11-arm64*"),
            ("release/bullseye/latest/amd64", "debian-11-amd64*"),
            ("release/bullseye/latest/arm64", "debian-11-arm64*"),
            ("release/12/latest/amd64", "debian-12-amd64*"),
            ("release/12/latest/arm64", "debian-12-arm64*"),
            ("release/bookworm/latest/amd64", "debian-12-amd64*"),
            ("release/bookworm/latest/arm64", "debian-12-arm64*"),
            ("daily/bookworm/latest/amd64", "debian-12-amd64*"),
            ("daily/bookworm/latest/arm64", "debian-12-arm64*"),
            ("release/13/latest/amd64", "debian-13-amd64*"),
            ("release/13/latest/arm64", "debian-13-arm64*"),
            ("release/trixie/latest/amd64", "debian-13-amd64*"),
            ("release/trixie/latest/arm64", "debian-13-arm64*"),
        ],
    },
    Published {
        below: AMAZON_LINUX,
        owner: "137112412989",
        names: &[
            ("al2023-ami-kernel-default-x86_64", "al2023-ami-2023.*-x86_64"),
            ("al2023-ami-kernel-default-arm64", "al2023-ami-2023.*-arm64"),
            ("al2023-ami-kernel-6.1-x86_64", "al2023-ami-2023.*-kernel-6.1-x86_64"),
            ("al2023-ami-kernel-6.1-arm64", "al2023-ami-2023.*-kernel-6.1-arm64"),
            ("amzn2-ami-hvm-x86_64-gp2", "amzn2-ami-hvm-2.0.*-x86_64-gp2"),
            ("amzn2-ami-hvm-arm64-gp2", "amzn2-ami-hvm-2.0.*-arm64-gp2"),
            ("amzn2-ami-hvm-x86_64-ebs", "amzn2-ami-hvm-2.0.*-x86_64-ebs"),
            ("amzn2-ami-kernel-5.10-hvm-x86_64-gp2", "amzn2-ami-kernel-5.10-hvm-2.0.*-x86_64-gp2"),
            ("amzn2-ami-kernel-5.10-hvm-arm64-gp2", "amzn2-ami-kernel-5.10-hvm-2.0.*-arm64-gp2"),
        ],
    },
    Published {
        below: UBUNTU,
        owner: "099720109477",
        names: &[
            (
                "24.04/stable/current/amd64/hvm/ebs-gp3/ami-id",
                "ubuntu/images/hvm-ssd*/ubuntu-noble-24.04-amd64-server-*",
            ),
            (
                "24.04/stable/current/arm64/hvm/ebs-gp3/ami-id",
                "ubuntu/images/hvm-ssd*/ubuntu-noble-24.04-arm64-server-*",
            ),
            (
                "noble/stable/current/amd64/hvm/ebs-gp3/ami-id",
                "ubuntu/images/hvm-ssd*/ubuntu-noble-24.04-amd64-server-*",
            ),
            (
                "noble/stable/current/arm64/hvm/ebs-gp3/ami-id",
                "ubuntu/images/hvm-ssd*/ubuntu-noble-24.04-arm64-server-*",
            ),
            (
                "22.04/stable/current/amd64/hvm/ebs-gp2/ami-id",
                "ubuntu/images/hvm-ssd*/ubuntu-jammy-22.04-amd64-server-*",
            ),
            (
                "22.04/stable/current/arm64/hvm/ebs-gp2/ami-id",
                "ubuntu/images/hvm-ssd*/ubuntu-jammy-22.04-arm64-server-*",
            ),
            (
                "jammy/stable/current/amd64/hvm/ebs-gp2/ami-id",
                "ubuntu/images/hvm-ssd*/ubuntu-jammy-22.04-amd64-server-*",
            ),
            (
                "jammy/stable/current/arm64/hvm/ebs-gp2/ami-id",
                "ubuntu/images/hvm-ssd*/ubuntu-jammy-22.04-arm64-server-*",
            ),
            (
                "20.04/stable/current/amd64/hvm/ebs-gp2/ami-id",
                "ubuntu/images/hvm-ssd*/ubuntu-focal-20.04-amd64-server-*",
            ),
            (
                "20.04/stable/current/arm64/hvm/ebs-gp2/ami-id",
                "ubuntu/images/hvm-ssd*/ubuntu-focal-20.04-arm64-server-*",
            ),
            (
                "focal/stable/current/amd64/hvm/ebs-gp2/ami-id",
                "ubuntu/images/hvm-ssd*/ubuntu-focal-20.04-amd64-server-*",
            ),
            (
                "focal/stable/current/arm64/hvm/ebs-gp2/ami-id",
                "ubuntu/images/hvm-ssd*/ubuntu-focal-20.04-arm64-server-*",
            ),
        ],
    },
];

/// The owner and the names of images that a published parameter means.
fn published(name: &str) -> Option<(&'static str, &'static str)> {
    PUBLISHED.iter().find_map(|published| {
        let rest = name.strip_prefix(published.below)?;
        published.names.iter().find(|(known, _)| *known == rest).map(|(_, pattern)| (published.owner, *pattern))
    })
}

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
    format!("arn:{}:ssm:{}::parameter{name}", cx.partition(), cx.region())
}

/// The image that a public parameter means; ParameterNotFound with advice where there is none.
pub async fn resolve(cx: &Cx, name: &str) -> Result<Alias, Error> {
    let tagged = images(cx, &[(&format!("tag:{ALIAS_TAG}"), name)]).await?;
    if let Some(image) = newest(tagged) {
        return alias(name, image);
    }
    let Some((owner, pattern)) = published(name) else { return Err(unknown(name)) };
    match newest(images(cx, &[("owner-id", owner), ("name", pattern)]).await?) {
        Some(image) => alias(name, image),
        None => Err(none_there(name)),
    }
}

/// Every alias below a path.
pub async fn under(cx: &Cx, path: &str, recursive: bool) -> Result<Vec<Alias>, Error> {
    let prefix = format!("{}/", path.trim_end_matches('/'));
    let below = |name: &str| name.strip_prefix(&prefix).is_some_and(|rest| recursive || !rest.contains('/'));
    let known = PUBLISHED.iter().flat_map(|p| p.names.iter().map(|(rest, _)| format!("{}{rest}", p.below)));
    let mut names: Vec<String> = known.filter(|name| below(name)).collect();
    for image in images(cx, &[("tag-key", ALIAS_TAG)]).await? {
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

async fn images(cx: &Cx, filters: &[(&str, &str)]) -> Result<Vec<Image>, Error> {
    let filter =
        |(name, value): &(&str, &str)| Filter { name: Some((*name).to_owned()), values: vec![(*value).to_owned()] };
    let filters = filters.iter().map(filter).collect();
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
        Some(Err(error)) => return Err(Error::failed(format_args!("read the creation date of {image_id}"), error)),
    };
    Ok(Alias { name: name.to_owned(), image_id, created })
}

/// A parameter that is known, but there is no image for it here.
fn none_there(name: &str) -> Error {
    let why = match name.starts_with(DEBIAN) && name.ends_with("amd64") {
        true => "the base image is not built yet (kiln status shows how far it is), or it is of another release",
        false => "Kiln has no such image",
    };
    Error::sender(
        "ParameterNotFound",
        format!(
            "Parameter {name} not found: {why}. To let an image of your own stand in for it: kiln image alias AMI-ID \
             --like NAME (kiln image alias --help lists the names). To let it answer to this name alone, tag it: aws ec2 \
             create-tags --resources AMI-ID --tags Key={ALIAS_TAG},Value={name}"
        ),
    )
}

fn unknown(name: &str) -> Error {
    let known = PUBLISHED.iter().find(|published| name.starts_with(published.below));
    let advice = match known {
        Some(published) => {
            let names: Vec<&str> = published.names.iter().map(|(rest, _)| *rest).collect();
            format!("Below {} Kiln knows {}.", published.below, names.join(", "))
        }
        None => "Kiln publishes no images of other distributions.".to_owned(),
    };
    Error::sender(
        "ParameterNotFound",
        format!(
            "Parameter {name} not found. {advice} To let an image of your own answer to this name, tag it: aws ec2 \
             create-tags --resources AMI-ID --tags Key={ALIAS_TAG},Value={name}"
        ),
    )
}
