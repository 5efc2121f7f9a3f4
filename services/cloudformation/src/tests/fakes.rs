//! Resource types under the names of real ones, whose things are entries of a map.

use kiln_service_kit::*;
use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// All pretended things, and what is to go wrong with them.
#[derive(Default)]
pub struct World {
    /// Physical id to type and properties.
    pub things: Mutex<BTreeMap<String, (String, Json)>>,
    tokens: Mutex<BTreeMap<String, String>>,
    /// Calls that took effect, in order: `create Vpc`.
    pub log: Mutex<Vec<String>>,
    /// `create Vpc`: refused.
    pub refuse: Mutex<BTreeSet<String>>,
    /// `create Vpc`: refused with its properties.
    quoted: Mutex<BTreeSet<String>>,
    /// `delete Vpc`: refused because something uses it.
    pub busy: Mutex<BTreeSet<String>>,
    /// `Vpc`: how often it says "not yet".
    pub slow: Mutex<BTreeMap<String, u32>>,
    count: Mutex<u32>,
}

impl World {
    /// The things there are: `Vpc-1 {"CidrBlock":"10.0.0.0/16"}`.
    pub fn shown(&self) -> Vec<String> {
        self.things.lock().iter().map(|(id, (_, properties))| format!("{id} {properties}")).collect()
    }

    pub fn ids(&self) -> Vec<String> {
        self.things.lock().keys().cloned().collect()
    }

    pub fn take_log(&self) -> Vec<String> {
        std::mem::take(&mut *self.log.lock())
    }

    pub fn refuse(&self, what: &str) {
        self.refuse.lock().insert(what.to_owned());
    }

    pub fn quote(&self, what: &str) {
        self.quoted.lock().insert(what.to_owned());
    }

    pub fn allow(&self, what: &str) {
        self.refuse.lock().remove(what);
    }

    fn ask(&self, verb: &str, logical_id: &str) -> Result<(), Error> {
        let what = format!("{verb} {logical_id}");
        if self.busy.lock().contains(&what) {
            return Err(Error::sender("DependencyViolation", format!("{logical_id} is in use")));
        }
        match self.refuse.lock().contains(&what) {
            true => Err(Error::sender("Refused", format!("cannot {what}"))),
            false => Ok(()),
        }
    }
}

/// One pretended type.
pub struct Fake(pub &'static str, pub Arc<World>);

#[async_trait]
impl ResourceType for Fake {
    fn type_name(&self) -> &'static str {
        self.0
    }

    fn name_property(&self) -> Option<&'static str> {
        match self.0 {
            "AWS::EC2::KeyPair" => Some("KeyName"),
            "AWS::EC2::SecurityGroup" => Some("GroupName"),
            _ => None,
        }
    }

    async fn create(&self, _: &Cx, request: &ResourceRequest) -> Result<String, Error> {
        let world = &self.1;
        world.ask("create", &request.logical_id)?;
        if world.quoted.lock().contains(&format!("create {}", request.logical_id)) {
            let text = request.text("GroupDescription").unwrap_or_default();
            return Err(Error::sender("Quoted", format!("the description cannot be {text}")));
        }
        if let Some(id) = world.tokens.lock().get(&request.token) {
            return Ok(id.clone());
        }
        let gateway = request.properties.get("InternetGatewayId");
        let taken = |(_, (kind, there)): (&String, &(String, Json))| {
            *kind == self.0 && gateway.is_some() && there.get("InternetGatewayId") == gateway
        };
        if world.things.lock().iter().any(taken) {
            return Err(Error::sender("Resource.AlreadyAssociated", "it is attached already"));
        }
        let id = {
            let mut count = world.count.lock();
            *count += 1;
            format!("{}-{count}", request.logical_id)
        };
        world.tokens.lock().insert(request.token.clone(), id.clone());
        world.things.lock().insert(id.clone(), (self.0.to_owned(), request.properties.clone()));
        world.log.lock().push(format!("create {id}"));
        Ok(id)
    }

    async fn stability(&self, _: &Cx, _: &str, request: &ResourceRequest) -> Result<Stability, Error> {
        match self.1.slow.lock().get_mut(&request.logical_id) {
            Some(left) if *left > 0 => {
                *left -= 1;
                Ok(Stability::Pending("it is slow".to_owned()))
            }
            _ => Ok(Stability::Ready),
        }
    }

    async fn update(&self, _: &Cx, id: &str, request: &ResourceRequest) -> Result<(), Error> {
        self.1.ask("update", &request.logical_id)?;
        let mut things = self.1.things.lock();
        let thing = things.get_mut(id).ok_or_else(|| Error::sender("NotFound", format!("{id} is gone")))?;
        if thing.1 != request.properties {
            assert_eq!(thing.1, request.previous, "the type is told what the thing is now");
            thing.1 = request.properties.clone();
            self.1.log.lock().push(format!("update {id}"));
        }
        Ok(())
    }

    async fn delete(&self, _: &Cx, id: &str, request: &ResourceRequest) -> Result<Stability, Error> {
        self.1.ask("delete", &request.logical_id)?;
        if self.1.things.lock().remove(id).is_some() {
            self.1.log.lock().push(format!("delete {id}"));
        }
        Ok(Stability::Ready)
    }

    async fn read(&self, _: &Cx, id: &str, _: &Json) -> Result<Option<Properties>, Error> {
        let things = self.1.things.lock();
        let members = things.get(id).and_then(|(_, properties)| properties.as_object().cloned());
        Ok(members
            .map(|members| members.into_iter().fold(Properties::default(), |read, (name, v)| read.with(&name, v))))
    }

    async fn attributes(&self, _: &Cx, id: &str, request: &ResourceRequest) -> Result<BTreeMap<String, Json>, Error> {
        let cidr = request.properties.get("CidrBlock").cloned().unwrap_or(Json::Null);
        let names = ["VpcId", "GroupId", "InternetGatewayId", "KeyPairId"];
        let mut all: BTreeMap<String, Json> = names.map(|name| (name.to_owned(), json!(id))).into();
        all.insert("CidrBlock".to_owned(), cidr);
        Ok(all)
    }
}
