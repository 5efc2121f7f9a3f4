//! Stacks in scripts.

use super::{Player, shown};
use kiln_cloudformation_shapes as cfn;
use std::path::Path;

impl Player<'_> {
    pub async fn create_stack(&mut self, name: &str, template: &str) -> Result<(), String> {
        // The parameter by which templates ask for the base image.
        self.base_image().await?;
        let request = cfn::CreateStackRequest {
            stack_name: name.to_owned(),
            template_body: Some(read(template)?),
            ..Default::default()
        };
        let id = self.kit.call(request).await.map_err(shown)?.stack_id.ok_or("a stack without an id")?;
        self.stacks.push(id);
        Ok(())
    }

    pub async fn update_stack(&self, name: &str, template: &str) -> Result<(), String> {
        let request = cfn::UpdateStackRequest {
            stack_name: name.to_owned(),
            template_body: Some(read(template)?),
            ..Default::default()
        };
        self.kit.call(request).await.map(drop).map_err(shown)
    }

    pub async fn delete_stack(&self, name: &str) -> Result<(), String> {
        let request = cfn::DeleteStackRequest { stack_name: name.to_owned(), ..Default::default() };
        self.kit.call(request).await.map(drop).map_err(shown)
    }

    /// The status of the newest stack of that name.
    pub async fn stack_status(&self, name: &str) -> Result<String, String> {
        let of_name = |id: &&String| id.contains(&format!(":stack/{name}/"));
        let id = self.stacks.iter().rev().find(of_name).ok_or_else(|| format!("there is no stack {name}"))?;
        let request = cfn::DescribeStacksRequest { stack_name: Some(id.clone()), ..Default::default() };
        let stack = self.kit.call(request).await.map_err(shown)?.stacks.into_iter().next();
        stack.and_then(|stack| stack.stack_status).ok_or_else(|| format!("{name} is not described"))
    }

    /// Tells of events since.
    pub async fn tell_of_stacks(&mut self) -> Result<(), String> {
        for id in self.stacks.clone() {
            let request = cfn::DescribeStackEventsRequest { stack_name: id, ..Default::default() };
            let events = self.kit.call(request).await.map_err(shown)?.stack_events;
            // The newest comes first.
            for event in events.into_iter().rev() {
                let member = |member: Option<String>| member.ok_or("an event is described without a member of its own");
                if !self.told.insert(member(event.event_id)?) {
                    continue;
                }
                let (name, resource) = (member(event.stack_name)?, member(event.logical_resource_id)?);
                let reason = event.resource_status_reason.map_or_else(String::new, |reason| format!(": {reason}"));
                let status = member(event.resource_status)?;
                self.kit.story().say(&format!("  event of {name}: {resource} {status}{reason}"));
            }
        }
        Ok(())
    }
}

/// A template beside the scripts.
fn read(file: &str) -> Result<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(file);
    std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))
}
