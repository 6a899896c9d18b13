//! Lambda entry point. What the function does is in `lib.rs`.

use ssm::Proofs;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    runtime::serve::serve_with(
        |config| Proofs::new(aws_sdk_ssm::Client::new(config)),
        plan_drills::handle,
    )
    .await
}
