//! What an input may ask for: inputs select, they never authorise.

use crate::error::Error;
use crate::kind::{DatabaseName, is_resource_id};
use crate::option_groups::OptionGroups;
use crate::payload::Target;
use crate::rds_rules::takes_key;
use crate::retention_rules::RetentionRules;
use crate::settings::{KmsKey, Settings};
use crate::snapshot::Encryption;

impl Target {
    /// Refuses a target that no RDS call could serve.
    pub fn check(&self) -> Result<(), Error> {
        let is_id = |id: &String| DatabaseName::is_identifier(id);
        if !is_id(&self.id) || !self.former_ids.iter().all(is_id) {
            return Err(Error::bad_input(
                "id",
                &format!("{:?} is not a valid database identifier", self.id),
                "Give the identifier as the RDS console shows it, for example orders.",
            ));
        }
        if !is_resource_id(&self.resource_id) {
            return Err(Error::bad_input(
                "resourceId",
                &format!("{:?} is not a resource id", self.resource_id),
                "Give the database's DbiResourceId or DbClusterResourceId; or start copy-fleet with \
                 {\"only\": [\"<identifier>\"]}, which looks it up.",
            ));
        }
        Ok(())
    }

    /// Refuses what the stack's settings do not allow a copy to be made with, before one is made. Only there: what is in
    /// flight goes on when a parameter changes, and is pruned by what is configured then.
    pub fn check_for_copy(&self, settings: &Settings) -> Result<(), Error> {
        self.check()?;
        self.check_rules(settings)?;
        self.check_policy(settings)
    }

    fn check_rules(&self, settings: &Settings) -> Result<(), Error> {
        let Some(rules) = &self.rules else { return Ok(()) };
        let remedy = "Leave the field out, or change the stack's parameter.";
        let differs = |field: &str, given: &str, own: &str| {
            let problem = format!("{given} is not what the stack is configured with ({own})");
            Err(Error::bad_input(field, &problem, remedy))
        };
        match &rules.destination_region {
            Some(given) if *given != settings.destination_region => {
                differs("rules.destinationRegion", given, &settings.destination_region)?;
            }
            _ => {}
        }
        match (&rules.kms_key_arn, &settings.kms_key) {
            (Some(given), KmsKey::Arn(own)) if given != own => differs("rules.kmsKeyArn", given, own)?,
            // Which key an alias stands for is not known here; RDS is asked for the alias itself.
            (Some(given), KmsKey::Alias(own)) => {
                let of_a_key = own
                    .split(":alias/")
                    .next()
                    .is_some_and(|begin| given.strip_prefix(begin).is_some_and(|rest| rest.starts_with(":key/")));
                if !of_a_key {
                    differs("rules.kmsKeyArn", given, own)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn check_policy(&self, settings: &Settings) -> Result<(), Error> {
        let Some(policy) = &self.policy else { return Ok(()) };
        if let Some(key) = policy.kms_key_arn.as_ref().filter(|key| !settings.allows_key(key)) {
            return Err(Error::bad_input(
                "policy.kmsKeyArn",
                &format!("{key} is not a key that the stack allows"),
                "Leave the field out, or add the key to the parameter AllowedKmsKeyArns.",
            ));
        }
        if policy
            .option_group
            .as_ref()
            .is_some_and(|name| !OptionGroups::is_name(name))
        {
            return Err(Error::bad_input(
                "policy.optionGroup",
                "cannot be the name of an option group",
                "Leave the field out, or give the name of an option group of the destination region.",
            ));
        }
        Ok(())
    }

    /// ARN of the key for this database's copies: what its policy picks, or else the stack's.
    pub fn kms_key_arn<'a>(&'a self, settings: &'a Settings) -> Result<&'a str, Error> {
        let picked = self.policy.as_ref().and_then(|policy| policy.kms_key_arn.as_deref());
        let resolved = self.rules.as_ref().and_then(|rules| rules.kms_key_arn.as_deref());
        match &settings.kms_key {
            _ if picked.is_some() => picked,
            KmsKey::Arn(arn) => Some(arn.as_str()),
            KmsKey::Alias(_) => resolved,
        }
        .ok_or_else(|| {
            Error::bad_input(
                "rules.kmsKeyArn",
                "is missing, and the stack's key is an alias",
                "Start copy-fleet with {\"only\": [\"<identifier>\"]}, which looks up the key of the alias.",
            )
        })
    }

    /// The keys that a copy of this database may have, the one to ask for first; `None` stands for unencrypted.
    ///
    /// Whether RDS wants a key where AWS owns the source's is documented nowhere, so there the copy is asked for with
    /// the key, and without it if RDS refuses that.
    pub fn keys<'a>(&'a self, encryption: Encryption, settings: &'a Settings) -> Result<Vec<Option<&'a str>>, Error> {
        if !takes_key(self.kind, encryption) {
            return Ok(vec![None]);
        }
        let key = Some(self.kms_key_arn(settings)?);
        Ok(match encryption {
            Encryption::AwsOwned => vec![key, None],
            Encryption::Kms | Encryption::None => vec![key],
        })
    }

    /// The option group that the copy of a snapshot with the group `own` gets.
    #[must_use]
    pub fn option_group<'a>(&'a self, engine: &str, own: Option<&str>, settings: &'a Settings) -> Option<&'a str> {
        let picked = self.policy.as_ref().and_then(|policy| policy.option_group.as_deref());
        settings
            .option_groups
            .for_copy(self.kind, engine, &self.id, own, picked)
    }

    /// What is kept of this database: what the `stack` keeps, or what its tags or the input ask for where that is more.
    #[must_use]
    pub fn keep(&self, stack: RetentionRules) -> RetentionRules {
        let by_policy = self.policy.as_ref().map(|policy| policy.keep).unwrap_or_default();
        let by_input = RetentionRules {
            copies: self
                .rules
                .as_ref()
                .and_then(|rules| rules.keep_copies)
                .unwrap_or_default(),
            ..RetentionRules::default()
        };
        stack.widest(by_policy).widest(by_input)
    }
}
