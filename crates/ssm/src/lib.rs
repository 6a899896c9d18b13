//! The proofs that drills leave in Systems Manager, in the region of the copies.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use aws_sdk_ssm::Client;
use domain::drill_proof::{DrillProof, path, subject};
use domain::error::Error;
use domain::kind::DatabaseKind;
use domain::ownership::Owner;
use rds::codes;

/// The last proof of each database, by its kind and its resource id.
pub type AllProofs = BTreeMap<(DatabaseKind, String), DrillProof>;

/// Knows the proofs.
pub trait ReadProofs {
    /// The last proof of each database of an owner. One that cannot be read is none.
    fn all(&self, owner: &Owner) -> impl Future<Output = Result<AllProofs, Error>>;
}

/// Systems Manager in the region of the copies.
#[derive(Debug, Clone)]
pub struct Proofs(Client);

impl Proofs {
    /// Systems Manager through `client`, which must be of the region of the copies.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self(client)
    }
}

impl ReadProofs for Proofs {
    async fn all(&self, owner: &Owner) -> Result<AllProofs, Error> {
        let mut pages = self
            .0
            .get_parameters_by_path()
            .path(path(owner.id(), owner.source_region()))
            .into_paginator()
            .send();
        let mut proofs = AllProofs::new();
        while let Some(page) = pages.next().await {
            for parameter in page.map_err(codes::error)?.parameters.unwrap_or_default() {
                let (name, value) = (parameter.name.unwrap_or_default(), parameter.value.unwrap_or_default());
                if let (Some((kind, resource_id)), Ok(proof)) = (subject(&name), serde_json::from_str(&value)) {
                    proofs.insert((kind, resource_id.to_owned()), proof);
                } else {
                    // Written by hand, or by a release that is newer than this one.
                    tracing::warn!(parameter = name, "the proof of a drill cannot be read");
                }
            }
        }
        Ok(proofs)
    }
}

impl<P: ReadProofs> ReadProofs for &P {
    async fn all(&self, owner: &Owner) -> Result<AllProofs, Error> {
        (*self).all(owner).await
    }
}

/// Proofs that are at hand, for tests.
impl ReadProofs for AllProofs {
    async fn all(&self, _owner: &Owner) -> Result<AllProofs, Error> {
        Ok(self.clone())
    }
}
