//! Lambda entry point. What the function does is in `lib.rs`.

use end_restore::Executions;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    runtime::serve::serve_with(
        |config| Executions::new(aws_sdk_sfn::Client::new(config)),
        end_restore::handle,
    )
    .await
}
