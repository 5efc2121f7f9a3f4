//! Properties of a template as modelled structures.
//!
//! CloudFormation's nested properties carry the API's member names, but a template may write
//! numbers and booleans as text and texts as numbers. Each scalar is brought to the kind its
//! member has; the rest is the model's own reading.

use kiln_protocol::{Kind, Shape, stored};
use kiln_service_kit::Error;
use serde_json::{Map, Value as Json};

/// A structure read from properties of the same names.
pub fn modelled<T: Shape>(properties: Json) -> Result<T, Error> {
    let fitting = fit(properties, T::kind());
    stored::from_json(fitting).map_err(|error| Error::sender("ValidationError", error.message))
}

fn fit(value: Json, kind: Kind) -> Json {
    match (value, kind) {
        (Json::String(text), Kind::Bool) => match text.as_str() {
            "true" => Json::Bool(true),
            "false" => Json::Bool(false),
            _ => Json::String(text),
        },
        (Json::String(text), Kind::Int) => match text.parse::<i64>() {
            Ok(number) => Json::from(number),
            Err(_) => Json::String(text),
        },
        (Json::String(text), Kind::Float) => match text.parse::<f64>() {
            Ok(number) => Json::from(number),
            Err(_) => Json::String(text),
        },
        (Json::Number(number), Kind::Text) => Json::String(number.to_string()),
        (Json::Bool(flag), Kind::Text) => Json::String(flag.to_string()),
        (Json::Array(items), Kind::List(of)) => Json::Array(items.into_iter().map(|item| fit(item, of())).collect()),
        (Json::Object(members), Kind::Struct(shape)) => {
            let fitted = members.into_iter().map(|(name, value)| {
                let member = shape.members.iter().find(|member| member.name == name);
                let value = match member {
                    Some(member) => fit(value, (member.kind)()),
                    None => value,
                };
                (name, value)
            });
            Json::Object(fitted.collect::<Map<String, Json>>())
        }
        (value, _) => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kiln_ec2_shapes::RequestLaunchTemplateData;
    use serde_json::json;

    #[test]
    fn texts_become_what_the_member_is() {
        let data: RequestLaunchTemplateData = modelled(json!({
            "EbsOptimized": "true", "KeyName": 7,
            "MetadataOptions": {"HttpPutResponseHopLimit": "2"},
            "NetworkInterfaces": [{"DeviceIndex": "0", "AssociatePublicIpAddress": "false"}],
        }))
        .expect("fits");
        assert_eq!((data.ebs_optimized, data.key_name.as_deref()), (Some(true), Some("7")));
        assert_eq!(data.metadata_options.expect("given").http_put_response_hop_limit, Some(2));
        let interface = &data.network_interfaces[0];
        assert_eq!((interface.device_index, interface.associate_public_ip_address), (Some(0), Some(false)));
        assert!(modelled::<RequestLaunchTemplateData>(json!({"EbsOptimized": "perhaps"})).is_err());
    }
}
