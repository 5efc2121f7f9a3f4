//! Instance profiles on instances. The metadata service looks at the record at every request, so
//! an association holds from the moment it is kept.

use crate::errors::bad_token;
use crate::filters::{Filters, one};
use crate::instances::launch;
use crate::instances::records::{Instance, InstanceState, ProfileAssociation};
use crate::instances::targets::INSTANCE;
use crate::kinds;
use crate::targets::things;
use kiln_ec2_shapes::{
    AssociateIamInstanceProfileRequest, AssociateIamInstanceProfileResponse,
    DescribeIamInstanceProfileAssociationsRequest, DescribeIamInstanceProfileAssociationsResponse,
    DisassociateIamInstanceProfileRequest, DisassociateIamInstanceProfileResponse, IamInstanceProfile,
    IamInstanceProfileAssociation, ReplaceIamInstanceProfileAssociationRequest,
    ReplaceIamInstanceProfileAssociationResponse,
};
use kiln_ids::InstanceId;
use kiln_service_kit::{Cx, Error, Operation, Tx, operation, paginate};

pub const OPERATIONS: &[Operation] = &[
    operation!(AssociateIamInstanceProfile: associate(AssociateIamInstanceProfileRequest),
        on things![INSTANCE instance_id]),
    operation!(DescribeIamInstanceProfileAssociations: describe(DescribeIamInstanceProfileAssociationsRequest),
        on everything),
    operation!(DisassociateIamInstanceProfile: disassociate(DisassociateIamInstanceProfileRequest),
        on things![INSTANCE association_id]),
    operation!(ReplaceIamInstanceProfileAssociation: replace(ReplaceIamInstanceProfileAssociationRequest),
        on things![INSTANCE association_id]),
];

async fn associate(
    cx: &Cx,
    request: AssociateIamInstanceProfileRequest,
) -> Result<AssociateIamInstanceProfileResponse, Error> {
    kinds::INSTANCE.parse::<InstanceId>(&request.instance_id)?;
    let profile = launch::profile(cx, &request.iam_instance_profile, &request.instance_id).await?;
    let shown = cx
        .store()
        .write(|tx| {
            let found = tx.get::<Instance>(cx.scope(), &request.instance_id)?;
            let mut instance =
                found.map(|i| Instance::clone(&i)).ok_or_else(|| kinds::INSTANCE.none(&request.instance_id))?;
            if matches!(instance.state, InstanceState::ShuttingDown | InstanceState::Terminated) {
                return Err(Error::sender(
                    "IncorrectInstanceState",
                    format!("The instance '{}' is {}.", instance.id, instance.state.name()),
                ));
            }
            if instance.profile.is_some() {
                return Err(Error::sender(
                    "IncorrectState",
                    format!("There is an existing association for instance {}", instance.id),
                ));
            }
            instance.profile = Some(profile.clone());
            let shown = shown(&instance.id, &profile, "associated");
            tx.put(cx.scope(), &request.instance_id, instance)?;
            Ok(shown)
        })
        .await?;
    Ok(AssociateIamInstanceProfileResponse { iam_instance_profile_association: Some(shown) })
}

/// The instance that has this association.
fn holder(tx: &Tx, cx: &Cx, association: &str) -> Result<(Instance, ProfileAssociation), Error> {
    for (_, instance) in tx.by_key::<Instance>(cx.scope(), "profile association", association)? {
        if let Some(profile) = instance.profile.as_ref()
            && !instance.is_terminated()
        {
            return Ok((Instance::clone(&instance), profile.clone()));
        }
    }
    Err(Error::sender("NoSuchAssociation", format!("An invalid association-id of '{association}' was given")))
}

async fn disassociate(
    cx: &Cx,
    request: DisassociateIamInstanceProfileRequest,
) -> Result<DisassociateIamInstanceProfileResponse, Error> {
    let shown = cx
        .store()
        .write(|tx| {
            let (mut instance, profile) = holder(tx, cx, &request.association_id)?;
            instance.profile = None;
            let id = instance.id.clone();
            tx.put(cx.scope(), &id, instance)?;
            Ok::<_, Error>(shown(&id, &profile, "disassociated"))
        })
        .await?;
    Ok(DisassociateIamInstanceProfileResponse { iam_instance_profile_association: Some(shown) })
}

async fn replace(
    cx: &Cx,
    request: ReplaceIamInstanceProfileAssociationRequest,
) -> Result<ReplaceIamInstanceProfileAssociationResponse, Error> {
    let of = cx.store().by_key::<Instance>(cx.scope(), "profile association", &request.association_id)?;
    let of = of.into_iter().next();
    // One that is not there is said below.
    let of = of.map_or_else(|| "*".to_owned(), |(id, _)| id.to_string());
    let profile = launch::profile(cx, &request.iam_instance_profile, &of).await?;
    let shown = cx
        .store()
        .write(|tx| {
            let (mut instance, _) = holder(tx, cx, &request.association_id)?;
            instance.profile = Some(profile.clone());
            let id = instance.id.clone();
            tx.put(cx.scope(), &id, instance)?;
            Ok::<_, Error>(shown(&id, &profile, "associated"))
        })
        .await?;
    Ok(ReplaceIamInstanceProfileAssociationResponse { iam_instance_profile_association: Some(shown) })
}

async fn describe(
    cx: &Cx,
    request: DescribeIamInstanceProfileAssociationsRequest,
) -> Result<DescribeIamInstanceProfileAssociationsResponse, Error> {
    let filters = Filters::read(&request.filters, &["instance-id", "state"])?;
    let mut all = vec![];
    for (_, instance) in cx.store().list::<Instance>(cx.scope())? {
        let Some(profile) = instance.profile.as_ref().filter(|_| !instance.is_terminated()) else { continue };
        let named = &request.association_ids;
        let passes = filters.accept(&instance.tags, |name| match name {
            "instance-id" => one(&instance.id),
            _ => one("associated"),
        });
        if passes && (named.is_empty() || named.contains(&profile.association)) {
            all.push((profile.association.clone(), shown(&instance.id, profile, "associated")));
        }
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    let limit = request.max_results.map_or(usize::MAX, |n| n.max(5) as usize);
    let page = paginate(all, |(id, _)| id, request.next_token.as_deref(), limit, bad_token)?;
    Ok(DescribeIamInstanceProfileAssociationsResponse {
        iam_instance_profile_associations: page.items.into_iter().map(|(_, shown)| shown).collect(),
        next_token: page.next_token,
    })
}

fn shown(instance: &str, profile: &ProfileAssociation, state: &str) -> IamInstanceProfileAssociation {
    IamInstanceProfileAssociation {
        association_id: Some(profile.association.clone()),
        instance_id: Some(instance.to_owned()),
        iam_instance_profile: Some(IamInstanceProfile { arn: Some(profile.arn.clone()), id: Some(profile.id.clone()) }),
        state: Some(state.to_owned()),
        timestamp: Some(profile.at),
    }
}
