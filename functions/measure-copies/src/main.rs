//! Lambda entry point. What the function does is in `lib.rs`.

use kms::Keys;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    runtime::serve::serve_with(
        |config| Keys::new(aws_sdk_kms::Client::new(config)),
        measure_copies::handle,
    )
    .await
}
