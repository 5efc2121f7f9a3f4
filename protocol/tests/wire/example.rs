//! One structure with a member of each kind, and the service it would belong to.

use kiln_protocol::{Blob, Map, ServiceModel, TimeFormat, member, shape};

shape! {
    pub struct Tag {
        key: String = member("Key").required().min(1).max(8),
        value: Option<String> = member("Value").keeps_empty().sensitive(),
    }
    pub struct Group {
        name: String = member("Name").required().min(1).max(10).pattern(r"[\w-]+").element("groupName"),
        size: Option<i32> = member("Size").min(0).max(5).element("size"),
        ratio: Option<f64> = member("Ratio").element("ratio"),
        on: Option<bool> = member("On").element("on"),
        data: Option<Blob> = member("Data").element("data"),
        at: Option<kiln_protocol::Timestamp> = member("At").element("at"),
        http: Option<kiln_protocol::Timestamp> = member("Http").time(TimeFormat::Http).element("http"),
        state: Option<String> = member("State").one_of(&["up", "down"]).element("state"),
        names: Vec<String> = member("Names").item_min(1).item_max(4).element("nameSet").max(3),
        flat: Vec<String> = member("Flat").flattened().element("flat"),
        tags: Vec<Tag> = member("Tags").key("Tag").item("item").element("tagSet"),
        labels: Map<String> = member("Labels").element("labels").item_max(4),
        attributes: Map<String> = member("Attributes").key("Attribute").flattened().map_names("Name", "Value").element("attribute"),
        parent: Option<Box<Group>> = member("Parent").element("parent"),
        password: Option<String> = member("Password").max(4).sensitive().element("password"),
        token: String = member("Token").required().token().element("token"),
    }
}

pub const MODEL: ServiceModel = ServiceModel {
    target_prefix: "Example",
    api_version: "2020-01-01",
    xml_namespace: "https://example.test/doc",
    operations: &["DescribeGroup"],
    ..ServiceModel::named("example")
};

/// A group with something in every member.
pub fn full() -> Group {
    Group {
        name: "web".into(),
        size: Some(3),
        ratio: Some(0.25),
        on: Some(true),
        data: Some(Blob(b"\x00\xffdata".to_vec())),
        at: Some(kiln_protocol::Timestamp::from_millis(1_767_323_045_678)),
        http: Some(kiln_protocol::Timestamp::from_millis(1_767_323_045_000)),
        state: Some("up".into()),
        names: vec!["a".into(), "b&<".into()],
        flat: vec!["x".into(), "y".into()],
        tags: vec![Tag { key: "k".into(), value: Some("v".into()) }, Tag { key: "l".into(), value: None }],
        labels: [("one".to_owned(), "1".to_owned())].into(),
        attributes: [("a.b".to_owned(), "2".to_owned())].into(),
        parent: Some(Box::new(Group { name: "up".into(), ..Default::default() })),
        password: Some("pw".into()),
        token: "t".into(),
    }
}
