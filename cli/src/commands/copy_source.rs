//! Which copies the options of `status`, `audit` and `restore-command` mean.

use crate::args::{CopyOptions, Global};
use crate::aws::account::{Account, check_region};
use crate::error::CliError;
use crate::facts::copies::CopySource;

/// Those in the region that the options name, or else the stack's.
pub(crate) async fn find(account: &Account, global: &Global, options: &CopyOptions) -> Result<CopySource, CliError> {
    if let Some(region) = &options.destination {
        check_region(region)?;
        return Ok(CopySource::from_region(region, &options.owner));
    }
    let stack = account.stack(global.stack()).await?;
    Ok(CopySource::from_stack(stack))
}
