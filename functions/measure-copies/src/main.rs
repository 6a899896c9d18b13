//! Lambda entry point. What the function does is in `lib.rs`.

use kms::Keys;
use measure_copies::Lookups;
use ssm::Proofs;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    runtime::serve::serve_with(
        |config| Lookups {
            keys: Keys::new(aws_sdk_kms::Client::new(config)),
            proofs: Proofs::new(aws_sdk_ssm::Client::new(config)),
        },
        measure_copies::handle,
    )
    .await
}
