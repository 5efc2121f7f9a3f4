//! Identity and Access Management: users, roles, policies, and the decision about every call.

mod access;
mod attachments;
mod documents;
mod errors;
mod holders;
mod last_used;
mod linked_roles;
mod listing;
mod managed;
mod names;
mod operations;
mod parsed;
mod records;
mod resources;
mod rights;
mod secrets;
mod tags;
mod targets;

pub use secrets::any_sealed;

use kiln_service_kit::{Service, records};

/// The service.
pub fn service() -> Service {
    let mut service = Service::new(
        &kiln_iam_shapes::SERVICE,
        &[
            operations::users::OPERATIONS,
            operations::user_policies::OPERATIONS,
            operations::access_keys::OPERATIONS,
            operations::last_used::OPERATIONS,
            operations::groups::OPERATIONS,
            operations::group_policies::OPERATIONS,
            operations::roles::OPERATIONS,
            operations::role_policies::OPERATIONS,
            operations::boundaries::OPERATIONS,
            operations::instance_profiles::OPERATIONS,
            operations::policies::OPERATIONS,
            operations::policy_versions::OPERATIONS,
            operations::account::OPERATIONS,
            operations::service_linked_roles::OPERATIONS,
            operations::simulate::OPERATIONS,
            operations::details::OPERATIONS,
            operations::never_made::OPERATIONS,
        ],
    );
    service.resources = resources::all();
    service.start.push(access::start);
    service.records = records![
        records::AccessKey,
        records::Alias,
        records::DeletionTask,
        records::Group,
        records::InstanceProfile,
        records::LastUsed,
        records::ManagedPolicy,
        records::Role,
        records::User
    ];
    service
}

#[cfg(test)]
mod tests;
