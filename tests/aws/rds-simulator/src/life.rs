//! The life of a database: the statuses that it goes through, and what else passes with time.

use std::borrow::Cow;

use crate::model::Database;

/// A status that a database has for a while.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    status: Cow<'static, str>,
    /// Simulated seconds that are left of it.
    seconds: f64,
}

impl Stage {
    pub(crate) fn new(status: impl Into<Cow<'static, str>>, seconds: u32) -> Self {
        Self {
            status: status.into(),
            seconds: f64::from(seconds),
        }
    }
}

/// What a database has beside its stages.
#[derive(Clone, Debug, Default)]
pub(crate) struct Life {
    /// It was restored or created by a call, and has not been ready since: nobody can connect to it.
    pub(crate) is_unreached: bool,
    /// It was created by a call and keeps backups: its first automated snapshot is made once it is available.
    pub(crate) makes_first_backup: bool,
    /// How its stages end, where that is not `available`.
    pub(crate) fate: Option<String>,
    /// The initialisation of its storage, which begins when it was made.
    pub(crate) storage: Option<Timer>,
    /// The secret of a managed master password.
    pub(crate) secret: Option<Timer>,
    /// Set while it is being deleted: whether its automated backups are kept.
    pub(crate) keeps_backups: Option<bool>,
    /// Simulated seconds that its deletion takes, where they are not the usual ones.
    pub(crate) deleting_seconds: Option<u32>,
    /// The snapshot that a restore has made it of.
    pub(crate) snapshot: Option<String>,
}

/// Something that takes a while, beside the status.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timer {
    seconds: f64,
    done: f64,
}

impl Timer {
    pub(crate) fn new(seconds: u32) -> Self {
        Self {
            seconds: f64::from(seconds),
            done: 0.0,
        }
    }

    pub(crate) fn is_over(self) -> bool {
        self.done >= self.seconds
    }

    /// 0 to 99 until it is over.
    pub(crate) fn percent(self) -> u32 {
        if self.seconds <= 0.0 {
            return 100;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to 0..=100"
        )]
        let percent = (self.done / self.seconds * 100.0).floor().clamp(0.0, 100.0) as u32;
        percent
    }

    fn progress(&mut self, seconds: f64) {
        self.done = (self.done + seconds).min(self.seconds);
    }
}

/// What some simulated seconds did to a database.
#[derive(Debug)]
pub(crate) struct Passed {
    /// The statuses that it had, in order, and for how long.
    pub(crate) spent: Vec<(String, f64)>,
    /// Whether anything is left that passes with time.
    pub(crate) is_at_work: bool,
    /// Whether its deletion is over.
    pub(crate) is_gone: bool,
}

impl Database {
    /// Its status follows from the stage that it is in.
    pub(crate) fn follow_stages(&mut self) {
        self.status = match (self.stages.front(), &self.life.fate) {
            (Some(stage), _) => stage.status.clone().into_owned(),
            (None, Some(fate)) => fate.clone(),
            (None, None) => "available".to_owned(),
        };
    }

    /// Simulated seconds that are left of the stage that it is in.
    pub(crate) fn until_next_status(&self) -> Option<f64> {
        self.stages.front().map(|stage| stage.seconds)
    }

    /// Lets simulated seconds pass.
    pub(crate) fn progress(&mut self, seconds: f64) -> Passed {
        let had_stages = !self.stages.is_empty();
        let mut spent = Vec::new();
        let mut left = seconds;
        while let Some(stage) = self.stages.front_mut() {
            let took = stage.seconds.min(left);
            stage.seconds -= took;
            left -= took;
            spent.push((stage.status.clone().into_owned(), took));
            if stage.seconds > 0.0 {
                break;
            }
            self.stages.pop_front();
        }
        if had_stages {
            self.follow_stages();
        }
        let is_gone = self.life.keeps_backups.is_some() && self.stages.is_empty();
        if self.stages.is_empty() && !is_gone {
            spent.push((self.status.clone(), left));
        }
        if ["available", "backing-up"].contains(&self.status.as_str()) {
            self.life.is_unreached = false;
        }
        if let Some(storage) = &mut self.life.storage {
            let made = spent.iter().filter(|(status, _)| status != "creating");
            storage.progress(made.map(|(_, seconds)| seconds).sum());
        }
        if let Some(secret) = &mut self.life.secret {
            secret.progress(seconds);
        }
        let timers = [self.life.storage, self.life.secret];
        Passed {
            spent,
            is_at_work: !self.stages.is_empty() || timers.into_iter().flatten().any(|timer| !timer.is_over()),
            is_gone,
        }
    }
}
