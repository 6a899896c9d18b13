//! What stands in for the signature of a call: it names the caller, and is not computed.
//!
//! The simulator reads from a signature who calls, for which region and service, and verifies nothing; the hashes that
//! make up the rest cost more than most of what it does with a call.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::auth::{AuthScheme, AuthSchemeEndpointConfig, AuthSchemeId, Sign};
use aws_smithy_runtime_api::client::identity::{Identity, SharedIdentityResolver};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::{GetIdentityResolver, RuntimeComponents};
use aws_smithy_types::config_bag::ConfigBag;

/// Names a caller in place of signing.
#[derive(Debug)]
pub(crate) struct CallerScheme {
    authorization: String,
}

impl CallerScheme {
    /// For calls of a service in a region, by the caller of this access key.
    pub(crate) fn new(caller: &str, region: &str, service: &str) -> Self {
        Self {
            authorization: authorization(caller, region, service),
        }
    }
}

/// The header `Authorization` of a call, as far as the simulator reads it.
pub(crate) fn authorization(caller: &str, region: &str, service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential={caller}/20261122/{region}/{service}/aws4_request, SignedHeaders=host, Signature=0"
    )
}

impl AuthScheme for CallerScheme {
    fn scheme_id(&self) -> AuthSchemeId {
        AuthSchemeId::new("sigv4")
    }

    fn identity_resolver(&self, resolvers: &dyn GetIdentityResolver) -> Option<SharedIdentityResolver> {
        resolvers.identity_resolver(self.scheme_id())
    }

    fn signer(&self) -> &dyn Sign {
        self
    }
}

impl Sign for CallerScheme {
    fn sign_http_request(
        &self,
        request: &mut HttpRequest,
        _: &Identity,
        _: AuthSchemeEndpointConfig<'_>,
        _: &RuntimeComponents,
        _: &ConfigBag,
    ) -> Result<(), BoxError> {
        request
            .headers_mut()
            .insert("authorization", self.authorization.clone());
        Ok(())
    }
}
