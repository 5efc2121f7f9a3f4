//! What EC2's calls touch, for policies: `arn:aws:ec2:…:instance/i-…` and the like, with the tags
//! that each thing has or is to get. Source: Service Authorization Reference, "Actions, resources,
//! and condition keys for Amazon EC2".
//!
//! A row names the members of its request that name things, and what it makes:
//! `on things![VPC vpc_id, makes SUBNET]`. How a thing of a kind is found by what a request calls it stands
//! in its room's `targets`.

use crate::kinds::Kind;
use crate::tags::{Tagged, Tags, is_reserved};
use kiln_ec2_shapes::{
    BlockDeviceMapping, InstanceBlockDeviceMappingSpecification, InstanceCreditSpecificationRequest,
    SecurityGroupRuleUpdate,
};
use kiln_protocol::{Request, Shape, stored};
use kiln_service_kit::{Cx, Error, Fault, Target, Touched};
use serde_json::Value as Json;
use std::sync::Arc;

/// A kind of thing that policies know.
pub struct Thing {
    pub kind: &'static Kind,
    /// How its ARN ends and which tags it has, by what a request calls it.
    pub find: fn(&Cx, &str) -> Found,
}

/// What [`Thing`]s answer: nothing for what is not there.
pub type Found = Result<Option<(String, Tags)>, Error>;

impl Thing {
    /// Something that a request names. What is not there has a name all the same: the call itself says
    /// that it is not.
    pub fn named(&self, cx: &Cx, text: &str) -> Result<Target, Error> {
        let (id, tags) = (self.find)(cx, text)?.unwrap_or_else(|| (text.to_owned(), Tags::new()));
        Ok(Target::new(self.arn(cx, &id)).tagged("ec2", &tags))
    }

    /// Something that is to be made: policies see its kind and the tags it is to get.
    pub fn made(&self, cx: &Cx, request: &Json) -> Target {
        with_given(Target::new(self.arn(cx, "*")), &given_tags(request, self.kind.resource_type))
    }

    /// The ARN of one of the kind, `*` for any.
    pub fn arn(&self, cx: &Cx, id: &str) -> String {
        arn(cx, self.kind.resource_type, id)
    }
}

/// What a row's `on` lists: `things![INSTANCE instance_id, VOLUME volume_id]` are named by members of the
/// request, `makes VPC` is to be made, `makes KEY_PAIR key_name` under a name that the request gives.
macro_rules! things {
    ($($item:tt)*) => { |cx, request| {
        let mut things = $crate::targets::Things::of(cx, request);
        $crate::targets::things_of!(things, request, $($item)*);
        things.done()
    } };
}
pub(crate) use things;

macro_rules! things_of {
    ($things:ident, $request:ident $(,)?) => {};
    ($things:ident, $request:ident, makes $kind:ident $member:ident $(, $($rest:tt)*)?) => {
        $things.makes_named(&$kind, &$request.$member)?;
        $crate::targets::things_of!($things, $request $(, $($rest)*)?);
    };
    ($things:ident, $request:ident, makes $kind:ident $(, $($rest:tt)*)?) => {
        $things.makes(&$kind);
        $crate::targets::things_of!($things, $request $(, $($rest)*)?);
    };
    ($things:ident, $request:ident, $kind:ident $member:ident $(, $($rest:tt)*)?) => {
        $things.uses(&$kind, &$request.$member)?;
        $crate::targets::things_of!($things, $request $(, $($rest)*)?);
    };
}
pub(crate) use things_of;

/// Collects what one call touches.
pub struct Things<'a> {
    cx: &'a Cx,
    operation: &'static str,
    request: Json,
    targets: Vec<Target>,
}

impl<'a> Things<'a> {
    pub fn of<R: Request + Shape>(cx: &'a Cx, request: &R) -> Self {
        Self { cx, operation: R::OPERATION, request: stored::to_json(request), targets: vec![] }
    }

    pub fn uses(&mut self, thing: &Thing, named: &impl Names) -> Result<(), Error> {
        for text in named.names() {
            self.targets.push(thing.named(self.cx, text)?);
        }
        Ok(())
    }

    pub fn touches(&mut self, target: Target) {
        self.targets.push(target);
    }

    pub fn makes(&mut self, thing: &Thing) {
        self.targets.push(thing.made(self.cx, &self.request));
    }

    pub fn makes_named(&mut self, thing: &Thing, named: &impl Names) -> Result<(), Error> {
        let tags = given_tags(&self.request, thing.kind.resource_type);
        for text in named.names() {
            self.targets.push(with_given(thing.named(self.cx, text)?, &tags));
        }
        Ok(())
    }

    pub fn done(mut self) -> Touched {
        self.targets.extend(tagged_on_creation(self.cx, self.operation, &self.request));
        Ok(self.targets)
    }
}

/// A member of a request that names things: one, perhaps one, or several.
pub trait Names {
    fn names(&self) -> Vec<&str>;
}

impl Names for String {
    fn names(&self) -> Vec<&str> {
        vec![self]
    }
}

impl Names for Option<String> {
    fn names(&self) -> Vec<&str> {
        self.as_deref().into_iter().collect()
    }
}

impl Names for Vec<String> {
    fn names(&self) -> Vec<&str> {
        self.iter().map(String::as_str).collect()
    }
}

impl Names for Vec<InstanceCreditSpecificationRequest> {
    fn names(&self) -> Vec<&str> {
        self.iter().map(|each| each.instance_id.as_str()).collect()
    }
}

impl Names for Vec<SecurityGroupRuleUpdate> {
    fn names(&self) -> Vec<&str> {
        self.iter().map(|each| each.security_group_rule_id.as_str()).collect()
    }
}

/// Their snapshots.
impl Names for Vec<BlockDeviceMapping> {
    fn names(&self) -> Vec<&str> {
        self.iter().filter_map(|each| each.ebs.as_ref()?.snapshot_id.as_deref()).collect()
    }
}

/// Their volumes.
impl Names for Vec<InstanceBlockDeviceMappingSpecification> {
    fn names(&self) -> Vec<&str> {
        self.iter().filter_map(|each| each.ebs.as_ref()?.volume_id.as_deref()).collect()
    }
}

/// Things made with tags need ec2:CreateTags as well.
pub fn tagged_on_creation(cx: &Cx, operation: &str, request: &Json) -> Vec<Target> {
    let specifications = request["TagSpecifications"].as_array().into_iter().flatten();
    let mut kinds: Vec<&str> = specifications.filter_map(|each| each["ResourceType"].as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let mut targets = vec![];
    for kind in kinds {
        let tags = given_tags(request, kind);
        if !tags.is_empty() {
            let target = Target::new(arn(cx, kind, "*")).with("ec2:CreateAction", operation);
            targets.push(with_given(target, &tags).by("ec2:CreateTags"));
        }
    }
    targets
}

fn arn(cx: &Cx, resource_type: &str, id: &str) -> String {
    // Images and snapshots are named without their account.
    let account = if matches!(resource_type, "image" | "snapshot") { "" } else { cx.account() };
    format!("arn:{}:ec2:{}:{account}:{resource_type}/{id}", cx.partition(), cx.region())
}

/// The tags that a request gives things of a kind; those that services set are not the caller's.
fn given_tags(request: &Json, resource_type: &str) -> Vec<(String, String)> {
    let text = |value: &Json| value.as_str().unwrap_or("").to_owned();
    let specifications = request["TagSpecifications"].as_array().into_iter().flatten();
    let of_kind = specifications.filter(|each| each["ResourceType"].as_str() == Some(resource_type));
    let tags = of_kind.flat_map(|each| each["Tags"].as_array().into_iter().flatten());
    tags.map(|tag| (text(&tag["Key"]), text(&tag["Value"]))).filter(|(key, _)| !is_reserved(key)).collect()
}

fn with_given(target: Target, tags: &[(String, String)]) -> Target {
    target.given_tags(tags.iter().map(|(key, value)| (key.as_str(), value.as_str())))
}

/// What was found; none where the call itself says what is wrong with the request. Where kiln failed, nobody can be
/// judged: a policy that denies by what was not found would let in.
pub fn there<T>(found: Result<T, Error>) -> Result<Option<T>, Error> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.fault == Fault::Sender => Ok(None),
        Err(error) => Err(error),
    }
}

/// By the id under which a record is kept.
pub fn by_id<R: Tagged>(cx: &Cx, id: &str) -> Found {
    Ok(cx.store().get::<R>(cx.scope(), id)?.map(|record| (id.to_owned(), record.tags().clone())))
}

/// By the id, else the first record that is meant.
pub fn by_id_or<R: Tagged>(cx: &Cx, text: &str, is: impl Fn(&R) -> bool) -> Found {
    match by_id::<R>(cx, text)? {
        Some(found) => Ok(Some(found)),
        None => Ok(first::<R>(cx, is)?.map(|(id, record)| (id.to_string(), record.tags().clone()))),
    }
}

/// The first record that is meant, with its id.
pub fn first<R: Tagged>(cx: &Cx, is: impl Fn(&R) -> bool) -> Result<Option<(Arc<str>, Arc<R>)>, Error> {
    Ok(cx.store().list::<R>(cx.scope())?.into_iter().find(|(_, record)| is(record)))
}

#[cfg(test)]
mod tests {
    use crate::images::records::Image;
    use crate::templates::records::LaunchTemplate;
    use crate::tests::World;
    use kiln_ec2_shapes::*;
    use kiln_service_kit::{Record, StoreError};
    use kiln_testkit::judged;
    use serde::{Deserialize, Serialize};

    /// What stands in the place of an image or a launch template and does not read as one.
    #[derive(Clone, Serialize, Deserialize)]
    struct Damaged<const IMAGE: bool> {}

    impl<const IMAGE: bool> Record for Damaged<IMAGE> {
        const KIND: &'static str = if IMAGE { Image::KIND } else { LaunchTemplate::KIND };
    }

    fn deregister(image: &str) -> DeregisterImageRequest {
        DeregisterImageRequest { image_id: image.into(), ..Default::default() }
    }

    #[tokio::test]
    async fn nobody_is_judged_without_what_cannot_be_read() {
        let world = World::new();
        let (image, template) = ("ami-00000000000000001", "lt-00000000000000001");
        let damaged = world.cx.store().write::<_, StoreError>(|tx| {
            tx.put(world.cx.scope(), image, Damaged::<true> {})?;
            tx.put(world.cx.scope(), template, Damaged::<false> {})
        });
        damaged.await.unwrap();
        let delete = DeleteLaunchTemplateRequest { launch_template_id: Some(template.into()), ..Default::default() };
        let launch = RunInstancesRequest { min_count: 1, max_count: 1, ..Default::default() };
        let of_image = RunInstancesRequest { image_id: Some(image.into()), ..launch.clone() };
        let specification =
            LaunchTemplateSpecification { launch_template_id: Some(template.into()), ..Default::default() };
        let of_template = RunInstancesRequest { launch_template: Some(specification), ..launch };
        for (call, judged) in [
            ("an image's end", judged(&world.cx, deregister(image)).await),
            ("a template's end", judged(&world.cx, delete).await),
            ("a launch of an image", judged(&world.cx, of_image).await),
            ("a launch of a template", judged(&world.cx, of_template).await),
        ] {
            let refused = judged.expect_err(call);
            assert!(refused.chain().contains("00000000000000001"), "{call}: {}", refused.chain());
        }
        // What is not there, or is no name at all, is judged by its name.
        let world = World::new();
        for named in ["ami-00000000000000002", "my image"] {
            let asked = judged(&world.cx, deregister(named)).await.unwrap();
            assert!(asked.len() == 1 && asked[0].resource.ends_with(&format!("image/{named}")), "{asked:?}");
        }
    }

    #[tokio::test]
    async fn what_is_named_is_judged_as_the_call_finds_it() {
        let w = World::new();
        let one = async |request: Result<Vec<kiln_testkit::Question>, kiln_service_kit::Error>| {
            let asked = request.unwrap();
            let resource = asked[0].resource.rsplit('/').next().unwrap().to_owned();
            (resource, asked[0].keys.iter().any(|(key, value)| key == "aws:ResourceTag/mine" && value == "yes"))
        };
        let tagged = |kind: &str| {
            let tags = vec![Tag { key: Some("mine".into()), value: Some("yes".into()) }];
            vec![TagSpecification { resource_type: Some(kind.into()), tags }]
        };
        // A group's name is one of the default VPC's.
        let vpc = CreateVpcRequest { cidr_block: Some("10.0.0.0/16".into()), ..Default::default() };
        let vpc_id = w.cx.call(vpc).await.unwrap().vpc.unwrap().vpc_id;
        let group = |vpc_id: Option<String>, kind: &str| CreateSecurityGroupRequest {
            group_name: "web".into(),
            description: "web".into(),
            vpc_id,
            tag_specifications: tagged(kind),
            ..Default::default()
        };
        w.cx.call(group(vpc_id, "security-group")).await.unwrap();
        let by_name = || DeleteSecurityGroupRequest { group_name: Some("web".into()), ..Default::default() };
        assert_eq!(one(judged(&w.cx, by_name()).await).await, ("web".to_owned(), false), "the default VPC has none");
        let made = CreateSecurityGroupRequest { tag_specifications: vec![], ..group(None, "") };
        let id = w.cx.call(made).await.unwrap().group_id.unwrap();
        assert_eq!(one(judged(&w.cx, by_name()).await).await, (id, false));
        // A template whose name looks like an id.
        let data = RequestLaunchTemplateData { instance_type: Some("t3.micro".into()), ..Default::default() };
        let template = CreateLaunchTemplateRequest {
            launch_template_name: "lt-00000000000000001".into(),
            launch_template_data: data,
            tag_specifications: tagged("launch-template"),
            ..Default::default()
        };
        let id = w.cx.call(template).await.unwrap().launch_template.unwrap().launch_template_id.unwrap();
        let named = Some("lt-00000000000000001".to_owned());
        let delete = DeleteLaunchTemplateRequest { launch_template_name: named.clone(), ..Default::default() };
        assert_eq!(one(judged(&w.cx, delete).await).await, (id, true));
        let delete = DeleteLaunchTemplateRequest { launch_template_id: named, ..Default::default() };
        assert_eq!(one(judged(&w.cx, delete).await).await, ("lt-00000000000000001".to_owned(), false));
        // A key whose name is another's id.
        let key = |name: &str, tag_specifications| CreateKeyPairRequest {
            key_name: name.into(),
            tag_specifications,
            ..Default::default()
        };
        let victim = w.cx.call(key("victim", vec![])).await.unwrap().key_pair_id;
        for _ in 0..8 {
            w.cx.call(key(victim.as_deref().unwrap(), tagged("key-pair"))).await.unwrap();
            let delete = DeleteKeyPairRequest { key_pair_id: victim.clone(), ..Default::default() };
            assert_eq!(one(judged(&w.cx, delete).await).await, ("victim".to_owned(), false));
            let delete = DeleteKeyPairRequest { key_name: victim.clone(), ..Default::default() };
            assert_eq!(one(judged(&w.cx, delete.clone()).await).await, (victim.clone().unwrap(), true));
            w.cx.call(delete).await.unwrap();
        }
    }

    #[tokio::test]
    async fn an_image_that_is_copied_is_one_of_its_region() {
        let w = World::new();
        let copy = CopyImageRequest {
            source_region: "us-west-2".into(),
            source_image_id: "ami-00000000000000001".into(),
            name: "copy".into(),
            ..Default::default()
        };
        let asked = judged(&w.cx, copy).await.unwrap();
        let resources: Vec<&str> = asked.iter().map(|asked| &*asked.resource).collect();
        let wanted = [
            "arn:aws:ec2:us-west-2::image/ami-00000000000000001",
            "arn:aws:ec2:us-east-1::image/*",
            "arn:aws:ec2:us-east-1::snapshot/*",
        ];
        assert_eq!(resources, wanted);
    }
}
