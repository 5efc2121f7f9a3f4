//! Things of AWS's iam that cannot be made here (CreateLoginProfile, CreateVirtualMFADevice and the
//! like say so), so that a listing of them is truly empty and asking for one truly finds none. Tools
//! that remove a user or look through an account ask for all of them.

use super::named::named;
use super::users::or_caller;
use crate::errors;
use crate::holders::get;
use crate::records::User;
use kiln_iam_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(DeleteLoginProfile: delete_login_profile(DeleteLoginProfileRequest), on named),
    operation!(GetLoginProfile: get_login_profile(GetLoginProfileRequest), on named),
    operation!(ListMFADevices: mfa_devices(ListMFADevicesRequest), on named),
    operation!(ListOpenIDConnectProviders: oidc_providers(ListOpenIDConnectProvidersRequest), on everything),
    operation!(ListSAMLProviders: saml_providers(ListSAMLProvidersRequest), on everything),
    operation!(ListSSHPublicKeys: ssh_public_keys(ListSSHPublicKeysRequest), on named),
    operation!(ListServerCertificates: server_certificates(ListServerCertificatesRequest), on everything),
    operation!(ListServiceSpecificCredentials: service_credentials(ListServiceSpecificCredentialsRequest), on named),
    operation!(ListSigningCertificates: signing_certificates(ListSigningCertificatesRequest), on named),
    operation!(ListVirtualMFADevices: virtual_mfa_devices(ListVirtualMFADevicesRequest), on everything),
];

/// The user must be there all the same; the root user has nothing of the kind.
fn check(cx: &Cx, name: &Option<String>) -> Result<(), Error> {
    match name {
        Some(name) => get::<User>(cx, name).map(|_| ()),
        None => Ok(()),
    }
}

/// No user has a password.
fn no_login_profile<T>(cx: &Cx, name: &Option<String>) -> Result<T, Error> {
    let user = get::<User>(cx, &or_caller(cx, name)?)?;
    Err(errors::missing(format!("Login Profile for User {} cannot be found.", user.name)))
}

async fn delete_login_profile(cx: &Cx, input: DeleteLoginProfileRequest) -> Result<DeleteLoginProfileResponse, Error> {
    no_login_profile(cx, &input.user_name)
}

async fn get_login_profile(cx: &Cx, input: GetLoginProfileRequest) -> Result<GetLoginProfileResponse, Error> {
    no_login_profile(cx, &input.user_name)
}

async fn oidc_providers(
    _: &Cx,
    _: ListOpenIDConnectProvidersRequest,
) -> Result<ListOpenIDConnectProvidersResponse, Error> {
    Ok(Default::default())
}

async fn saml_providers(_: &Cx, _: ListSAMLProvidersRequest) -> Result<ListSAMLProvidersResponse, Error> {
    Ok(Default::default())
}

/// An empty page.
macro_rules! empty {
    ($($name:ident: $request:ident => $response:ident $(of $user:ident)?;)*) => { $(
        async fn $name(_cx: &Cx, _input: $request) -> Result<$response, Error> {
            $(check(_cx, &_input.$user)?;)?
            Ok($response { is_truncated: Some(false), ..Default::default() })
        }
    )* };
}
empty! {
    mfa_devices: ListMFADevicesRequest => ListMFADevicesResponse of user_name;
    ssh_public_keys: ListSSHPublicKeysRequest => ListSSHPublicKeysResponse of user_name;
    server_certificates: ListServerCertificatesRequest => ListServerCertificatesResponse;
    service_credentials: ListServiceSpecificCredentialsRequest => ListServiceSpecificCredentialsResponse of user_name;
    signing_certificates: ListSigningCertificatesRequest => ListSigningCertificatesResponse of user_name;
    virtual_mfa_devices: ListVirtualMFADevicesRequest => ListVirtualMFADevicesResponse;
}
