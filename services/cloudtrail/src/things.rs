//! Which things a record is about: what its request and answer call by a name that says the kind. Source: AWS CloudTrail User
//! Guide, "Resource types supported by CloudTrail Event history".

use serde_json::Value as Json;

/// Members that name things, by the service whose records have them.
const NAMES: [(&str, &[(&str, &str)]); 12] = [
    (
        "autoscaling",
        &[
            ("autoScalingGroupName", "AWS::AutoScaling::AutoScalingGroup"),
            ("launchConfigurationName", "AWS::AutoScaling::LaunchConfiguration"),
            ("policyName", "AWS::AutoScaling::ScalingPolicy"),
        ],
    ),
    ("cloudformation", &[("stackName", "AWS::CloudFormation::Stack"), ("stackId", "AWS::CloudFormation::Stack")]),
    (
        "ec2",
        &[
            ("allocationId", "AWS::EC2::EIP"),
            ("groupId", "AWS::EC2::SecurityGroup"),
            ("groupName", "AWS::EC2::SecurityGroup"),
            ("imageId", "AWS::EC2::Ami"),
            ("instanceId", "AWS::EC2::Instance"),
            ("internetGatewayId", "AWS::EC2::InternetGateway"),
            ("keyName", "AWS::EC2::KeyPair"),
            ("networkAclId", "AWS::EC2::NetworkAcl"),
            ("networkInterfaceId", "AWS::EC2::NetworkInterface"),
            ("routeTableId", "AWS::EC2::RouteTable"),
            ("snapshotId", "AWS::EC2::Snapshot"),
            ("subnetId", "AWS::EC2::Subnet"),
            ("volumeId", "AWS::EC2::Volume"),
            ("vpcId", "AWS::EC2::VPC"),
        ],
    ),
    (
        "elasticloadbalancing",
        &[
            ("loadBalancerArn", "AWS::ElasticLoadBalancingV2::LoadBalancer"),
            ("targetGroupArn", "AWS::ElasticLoadBalancingV2::TargetGroup"),
            ("listenerArn", "AWS::ElasticLoadBalancingV2::Listener"),
        ],
    ),
    (
        "iam",
        &[
            ("accessKeyId", "AWS::IAM::AccessKey"),
            ("groupName", "AWS::IAM::Group"),
            ("instanceProfileName", "AWS::IAM::InstanceProfile"),
            ("policyArn", "AWS::IAM::Policy"),
            ("policyName", "AWS::IAM::Policy"),
            ("roleName", "AWS::IAM::Role"),
            ("userName", "AWS::IAM::User"),
        ],
    ),
    ("kms", &[("keyId", "AWS::KMS::Key"), ("aliasName", "AWS::KMS::Alias")]),
    ("monitoring", &[("alarmName", "AWS::CloudWatch::Alarm"), ("dashboardName", "AWS::CloudWatch::Dashboard")]),
    ("s3", &[("bucketName", "AWS::S3::Bucket"), ("bucket", "AWS::S3::Bucket")]),
    ("secretsmanager", &[("secretId", "AWS::SecretsManager::Secret"), ("arn", "AWS::SecretsManager::Secret")]),
    ("sns", &[("topicArn", "AWS::SNS::Topic"), ("subscriptionArn", "AWS::SNS::Subscription")]),
    ("sqs", &[("queueUrl", "AWS::SQS::Queue"), ("queueName", "AWS::SQS::Queue")]),
    ("sts", &[("roleArn", "AWS::IAM::Role"), ("accessKeyId", "AWS::IAM::AccessKey")]),
];

/// At most so many of one record.
const MOST: usize = 100;

/// Kinds and names, each once.
pub fn things(event: &Json) -> Vec<(&'static str, String)> {
    let source = event["eventSource"].as_str().and_then(|source| source.split('.').next());
    let mut found = vec![];
    let Some((_, names)) = NAMES.iter().find(|(service, _)| Some(*service) == source) else { return found };
    for part in ["requestParameters", "responseElements"] {
        look(&event[part], names, &mut found);
    }
    found
}

fn look(json: &Json, names: &[(&str, &'static str)], found: &mut Vec<(&'static str, String)>) {
    match json {
        Json::Object(members) => {
            for (member, value) in members {
                let kind = names.iter().find(|(name, _)| name == member);
                if let (Some((_, kind)), Some(name)) = (kind, value.as_str()) {
                    if found.len() < MOST && !found.iter().any(|(known, of)| known == kind && of == name) {
                        found.push((kind, name.to_owned()));
                    }
                } else {
                    look(value, names, found);
                }
            }
        }
        Json::Array(items) => items.iter().for_each(|item| look(item, names, found)),
        _ => {}
    }
}
