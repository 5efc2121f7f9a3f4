//! The services of this kiln: one line each.

use kiln_service_kit::Service;

/// All services, in the order in which their starters run.
pub fn services() -> Vec<Service> {
    vec![
        kiln_iam::service(),
        kiln_sts::service(),
        kiln_ssm::service(),
        kiln_s3::service(),
        kiln_ec2::service(),
        kiln_elbv2::service(),
        kiln_autoscaling::service(),
        kiln_cloudformation::service(),
    ]
}
