//! CPU credits of burstable instances. Nobody is slowed down when credits run out, as there are none
//! to run out: every burstable instance is `unlimited`, and `standard` is not built.

use crate::instance_types;
use crate::instances::records::Instance;
use crate::instances::targets::INSTANCE;
use crate::lookup;
use crate::targets::things;
use kiln_ec2_shapes::{
    DescribeInstanceCreditSpecificationsRequest, DescribeInstanceCreditSpecificationsResponse,
    InstanceCreditSpecification, ModifyInstanceCreditSpecificationRequest, ModifyInstanceCreditSpecificationResponse,
    SuccessfulInstanceCreditSpecificationItem, UnsuccessfulInstanceCreditSpecificationItem,
    UnsuccessfulInstanceCreditSpecificationItemError,
};
use kiln_service_kit::{Cx, Error, Operation, operation};

pub const OPERATIONS: &[Operation] = &[
    operation!(DescribeInstanceCreditSpecifications: describe_credits(DescribeInstanceCreditSpecificationsRequest),
        on everything),
    operation!(ModifyInstanceCreditSpecification: modify_credits(ModifyInstanceCreditSpecificationRequest),
        on things![INSTANCE instance_credit_specifications]),
];

fn has_credits(instance: &Instance) -> bool {
    instance_types::find(&instance.instance_type).is_some_and(|kind| kind.family.burstable)
}

async fn describe_credits(
    cx: &Cx,
    request: DescribeInstanceCreditSpecificationsRequest,
) -> Result<DescribeInstanceCreditSpecificationsResponse, Error> {
    let filters = crate::filters::Filters::read(&request.filters, &["instance-id"])?;
    let mut chosen = vec![];
    for (id, instance) in lookup::selected::<Instance>(cx, &request.instance_ids)? {
        if !has_credits(&instance) {
            continue;
        }
        let credits = "unlimited".to_owned();
        if !instance.is_terminated() && filters.accept(&instance.tags, |_| vec![id.to_string()]) {
            let specification =
                InstanceCreditSpecification { instance_id: Some(id.to_string()), cpu_credits: Some(credits) };
            chosen.push((id, specification));
        }
    }
    let page = lookup::page(chosen, request.next_token.as_deref(), request.max_results)?;
    Ok(DescribeInstanceCreditSpecificationsResponse {
        instance_credit_specifications: page.items,
        next_token: page.next_token,
    })
}

async fn modify_credits(
    cx: &Cx,
    request: ModifyInstanceCreditSpecificationRequest,
) -> Result<ModifyInstanceCreditSpecificationResponse, Error> {
    let asked = &request.instance_credit_specifications;
    if asked.iter().any(|one| one.cpu_credits.as_deref().is_some_and(|credits| credits != "unlimited")) {
        return Err(Error::not_built("ec2:ModifyInstanceCreditSpecification with CpuCredits standard"));
    }
    let mut answer = ModifyInstanceCreditSpecificationResponse::default();
    for one in asked {
        let instance_id = Some(one.instance_id.clone());
        let found = lookup::selected::<Instance>(cx, std::slice::from_ref(&one.instance_id));
        let refusal = match found {
            Ok(found) if found.iter().all(|(_, instance)| has_credits(instance)) => None,
            Ok(_) => Some((
                "InstanceCreditSpecification.NotSupported".to_owned(),
                format!("The instance '{}' is not of a burstable type.", one.instance_id),
            )),
            Err(error) => Some((error.code.to_string(), error.message.clone())),
        };
        match refusal {
            None => answer
                .successful_instance_credit_specifications
                .push(SuccessfulInstanceCreditSpecificationItem { instance_id }),
            Some((code, message)) => {
                answer.unsuccessful_instance_credit_specifications.push(UnsuccessfulInstanceCreditSpecificationItem {
                    instance_id,
                    error: Some(UnsuccessfulInstanceCreditSpecificationItemError {
                        code: Some(code),
                        message: Some(message),
                    }),
                })
            }
        }
    }
    Ok(answer)
}
