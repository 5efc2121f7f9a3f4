//! Stand-ins: images of the user's that answer to the names and owners of somebody else's, because
//! the user said so (`kiln image alias`).
//!
//! Templates and `data aws_ami` look images up by owner and by patterns of names; what they find on
//! AWS is not here. A stand-in is an image of its own, public, with that owner and such a name; its
//! description says that it is one, and of which image. It shares the bytes, so it costs nothing, and
//! the snapshot behind it cannot be deleted while it is there. SSM's public parameters find it by its
//! name (`services/ssm/src/images.rs`).
//!
//! Different from AWS: the name holds the day on which the stand-in was made, and no release.
//!
//! Sources of names and owners: Amazon Linux 2023 and Amazon Linux 2 User Guides ("Amazon Linux on
//! Amazon EC2"), Ubuntu on AWS ("Find images"), Debian Wiki ("Cloud/AmazonEC2Image"), Red Hat's list
//! of its images.

use crate::images::records::{Image, ImageOrigin, ImageState, public_scope};
use kiln_ids::ImageId;
use kiln_service_kit::{Error, Platform, Timestamp};
use sha2::{Digest, Sha256};

/// What an image can stand in for.
struct Like {
    /// The word for it.
    word: &'static str,
    /// What people call it.
    called: &'static str,
    /// The owner's account.
    owner: &'static str,
    root_device: &'static str,
    /// Names: `{day}` is the day, `{arch}` the architecture as EC2 writes it, `{deb}` as Debian does.
    names: &'static [&'static str],
}

const AMAZON: &str = "137112412989";
const CANONICAL: &str = "099720109477";
const DEBIAN: &str = "136693071363";
const RED_HAT: &str = "309956199498";

const LIKES: [Like; 9] = [
    Like {
        word: "amazon-linux-2023",
        called: "Amazon Linux 2023",
        owner: AMAZON,
        root_device: "/dev/xvda",
        names: &["al2023-ami-2023.0.{day}.0-kernel-6.1-{arch}"],
    },
    Like {
        word: "amazon-linux-2",
        called: "Amazon Linux 2",
        owner: AMAZON,
        root_device: "/dev/xvda",
        names: &[
            "amzn2-ami-hvm-2.0.{day}.0-{arch}-gp2",
            "amzn2-ami-hvm-2.0.{day}.0-{arch}-ebs",
            "amzn2-ami-kernel-5.10-hvm-2.0.{day}.0-{arch}-gp2",
        ],
    },
    Like {
        word: "ubuntu-24.04",
        called: "Ubuntu 24.04 LTS",
        owner: CANONICAL,
        root_device: "/dev/sda1",
        names: &["ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-{deb}-server-{day}"],
    },
    Like {
        word: "ubuntu-22.04",
        called: "Ubuntu 22.04 LTS",
        owner: CANONICAL,
        root_device: "/dev/sda1",
        names: &["ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-{deb}-server-{day}"],
    },
    Like {
        word: "ubuntu-20.04",
        called: "Ubuntu 20.04 LTS",
        owner: CANONICAL,
        root_device: "/dev/sda1",
        names: &["ubuntu/images/hvm-ssd/ubuntu-focal-20.04-{deb}-server-{day}"],
    },
    Like {
        word: "debian-13",
        called: "Debian 13",
        owner: DEBIAN,
        root_device: "/dev/xvda",
        names: &["debian-13-{deb}-{day}-0000"],
    },
    Like {
        word: "debian-12",
        called: "Debian 12",
        owner: DEBIAN,
        root_device: "/dev/xvda",
        names: &["debian-12-{deb}-{day}-0000"],
    },
    Like {
        word: "debian-11",
        called: "Debian 11",
        owner: DEBIAN,
        root_device: "/dev/xvda",
        names: &["debian-11-{deb}-{day}-0000"],
    },
    Like {
        word: "rhel-9",
        called: "Red Hat Enterprise Linux 9",
        owner: RED_HAT,
        root_device: "/dev/sda1",
        names: &["RHEL-9.0.0_HVM-{day}-{arch}-0-Hourly2-GP3"],
    },
];

/// A stand-in, as it is listed.
pub struct StandIn {
    pub id: String,
    pub like: String,
    pub name: String,
    pub image: String,
}

/// Lets an image stand in for others. What stood in for them before no longer does.
pub async fn alias(platform: &Platform, given: &str, likes: &[String]) -> Result<Vec<StandIn>, Error> {
    let likes = likes.iter().map(|word| find(word)).collect::<Result<Vec<_>, _>>()?;
    let scope = public_scope();
    platform
        .store()
        .write(|tx| {
            let all = tx.list_everywhere::<Image>()?;
            let (_, _, image) = all
                .iter()
                .find(|(_, id, image)| **id == *given && !matches!(image.origin, ImageOrigin::StandIn { .. }))
                .ok_or_else(|| wrong(format!("there is no image {given} (aws ec2 describe-images lists them)")))?;
            if image.state != ImageState::Available {
                return Err(wrong(format!("the image {given} is {}, not available", image.state.name())));
            }
            let day: String = tx.now().iso8601().chars().take(10).filter(char::is_ascii_digit).collect();
            let mut made = vec![];
            for like in &likes {
                for (_, id, old) in &all {
                    if matches!(&old.origin, ImageOrigin::StandIn { like: word, .. } if word == like.word) {
                        tx.delete::<Image>(&scope, id);
                    }
                }
                for image in like.images(image, &day, tx.now())? {
                    made.push(listed(&image));
                    let id = image.id.clone();
                    tx.put(&scope, &id, image)?;
                }
            }
            Ok(made.into_iter().flatten().collect())
        })
        .await
}

/// Ends it.
pub async fn unalias(platform: &Platform, like: &str) -> Result<Vec<StandIn>, Error> {
    let like = find(like)?;
    platform
        .store()
        .write(|tx| {
            let mut gone = vec![];
            for (scope, id, image) in tx.list_everywhere::<Image>()? {
                if matches!(&image.origin, ImageOrigin::StandIn { like: word, .. } if word == like.word) {
                    gone.extend(listed(&image));
                    tx.delete::<Image>(&scope, &id);
                }
            }
            match gone.is_empty() {
                true => Err(wrong(format!("no image stands in for {}", like.word))),
                false => Ok(gone),
            }
        })
        .await
}

/// Those there are.
pub fn aliases(platform: &Platform) -> Result<Vec<StandIn>, Error> {
    let all = platform.store().list_everywhere::<Image>()?;
    let mut found: Vec<StandIn> = all.iter().filter_map(|(_, _, image)| listed(image)).collect();
    found.sort_by(|a, b| (&a.like, &a.name).cmp(&(&b.like, &b.name)));
    Ok(found)
}

fn find(word: &str) -> Result<&'static Like, Error> {
    let known = || LIKES.map(|like| like.word).join(", ");
    LIKES
        .iter()
        .find(|like| like.word == word)
        .ok_or_else(|| wrong(format!("an image can not be made like {word:?}; it can be like {}", known())))
}

fn wrong(text: String) -> Error {
    Error::sender("InvalidParameterValue", text)
}

fn listed(image: &Image) -> Option<StandIn> {
    let ImageOrigin::StandIn { image: of, like } = &image.origin else { return None };
    Some(StandIn { id: image.id.to_string(), like: like.clone(), name: image.name.clone(), image: of.to_string() })
}

impl Like {
    /// The images that stand in.
    fn images(&self, image: &Image, day: &str, now: Timestamp) -> Result<Vec<Image>, Error> {
        let deb = if image.architecture == "arm64" { "arm64" } else { "amd64" };
        let made = self.names.iter().map(|template| {
            let name = template.replace("{day}", day).replace("{arch}", &image.architecture).replace("{deb}", deb);
            let digest = hex::encode(Sha256::digest(format!("stand-in {template} {}", image.id)));
            let id: ImageId = format!("ami-{}", &digest[..17])
                .parse()
                .map_err(|e: kiln_ids::BadId| Error::failed("make an id", e))?;
            Ok(Image {
                id,
                description: Some(format!(
                    "Stand-in for {} by kiln image alias: this is {} ({}), not {}",
                    self.called, image.name, image.id, self.called
                )),
                name,
                owner: self.owner.to_owned(),
                // Also Canonical's and the other verified publishers': their answers on AWS have this alias
                // and `amazon/…` as place, beside an owner of their own. (AWS's documents only list aliases.)
                owner_alias: Some("amazon".to_owned()),
                root_device: self.root_device.to_owned(),
                origin: ImageOrigin::StandIn { image: image.id.clone(), like: self.word.to_owned() },
                public: true,
                launch_accounts: vec![],
                created: now,
                tags: Default::default(),
                ..image.clone()
            })
        });
        made.collect()
    }
}
