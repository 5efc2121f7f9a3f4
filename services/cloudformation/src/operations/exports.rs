//! Exports and who uses them.

use crate::errors::{bad_token, validation};
use crate::records::Stack;
use crate::stack::exports::users;
use kiln_cloudformation_shapes::*;
use kiln_service_kit::{Cx, Error, Operation, operation, paginate};

pub const OPERATIONS: &[Operation] = &[
    operation!(ListExports: list_exports(ListExportsRequest), on everything),
    operation!(ListImports: list_imports(ListImportsRequest), on everything),
];

/// Exports or stacks per page.
const PAGE: usize = 100;

async fn list_exports(cx: &Cx, request: ListExportsRequest) -> Result<ListExportsResponse, Error> {
    let mut all = vec![];
    for (_, stack) in cx.store().list::<Stack>(cx.scope())? {
        for output in stack.exports() {
            if let Some(name) = &output.export_name {
                let export = Export {
                    exporting_stack_id: Some(stack.id.clone()),
                    name: Some(name.clone()),
                    value: Some(output.value.clone()),
                };
                all.push((name.clone(), export));
            }
        }
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    let page = paginate(all, |(name, _)| name, request.next_token.as_deref(), PAGE, bad_token)?;
    let exports = page.items.into_iter().map(|(_, export)| export).collect();
    Ok(ListExportsResponse { exports, next_token: page.next_token })
}

async fn list_imports(cx: &Cx, request: ListImportsRequest) -> Result<ListImportsResponse, Error> {
    let mut names: Vec<String> =
        users(cx.store(), cx.scope(), &request.export_name)?.iter().map(|stack| stack.name.clone()).collect();
    if names.is_empty() {
        return Err(validation(format!("Export '{}' is not imported by any stack.", request.export_name)));
    }
    names.sort();
    let page = paginate(names, |name| name, request.next_token.as_deref(), PAGE, bad_token)?;
    Ok(ListImportsResponse { imports: page.items, next_token: page.next_token })
}
