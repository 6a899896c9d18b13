//! Which class a drill database gets: the smallest on offer that can hold the copy.

use domain::restorability::Offers;

/// What the storage of an instance needs of its class; clusters need nothing.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Needs<'a> {
    /// Type of storage.
    pub(crate) storage: Option<&'a str>,
    /// Licence model.
    pub(crate) license: Option<&'a str>,
    /// Whether the storage is encrypted.
    pub(crate) encrypted: bool,
}

/// The smallest class on offer that fits. Burstable ones come first: they are the cheapest of their size.
pub(crate) fn smallest<'a>(offers: &'a Offers, needs: Needs<'_>) -> Option<&'a str> {
    let fits = offers.iter().filter(|(_, offer)| {
        (offer.encrypts || !needs.encrypted)
            && needs.storage.is_none_or(|storage| offer.storage.contains(storage))
            && needs
                .license
                .is_none_or(|license| offer.licenses.is_empty() || offer.licenses.contains(license))
    });
    let classes = fits.map(|(class, _)| class);
    classes.min_by_key(|class| (size(class), !class.starts_with("db.t"), *class))
}

/// The rank of a class's size, the smallest first: `db.t4g.micro`, `db.r6g.2xlarge`. What is no size, as `db.serverless`,
/// comes last.
fn size(class: &str) -> u32 {
    let size = class.split('.').nth(2).unwrap_or_default();
    match size {
        "nano" => 0,
        "micro" => 1,
        "small" => 2,
        "medium" => 3,
        "large" => 4,
        "xlarge" => 5,
        other => other
            .strip_suffix("xlarge")
            .and_then(|number| number.parse::<u32>().ok())
            .map_or(u32::MAX, |number| number.saturating_add(4)),
    }
}

#[cfg(test)]
mod tests {
    use domain::restorability::ClassOffer;

    use super::*;

    fn offers(classes: &[&str]) -> Offers {
        let mut offers = Offers::default();
        for class in classes {
            offers.add(
                class,
                ClassOffer {
                    storage: ["gp3".to_owned()].into(),
                    licenses: ["postgresql-license".to_owned()].into(),
                    encrypts: !class.ends_with("micro"),
                    ..ClassOffer::default()
                },
            );
        }
        offers
    }

    #[test]
    fn the_smallest_comes_first_and_burstable_before_others() {
        let all = [
            "db.r6g.large",
            "db.t4g.medium",
            "db.m6g.16xlarge",
            "db.m6g.2xlarge",
            "db.serverless",
            "db.t3.micro",
        ];
        let of = |from: usize, needs| smallest(&offers(&all[from..]), needs).map(str::to_owned);
        assert_eq!(of(0, Needs::default()).as_deref(), Some("db.t3.micro"));
        let encrypted = Needs {
            encrypted: true,
            ..Needs::default()
        };
        assert_eq!(of(0, encrypted).as_deref(), Some("db.t4g.medium"));
        assert_eq!(smallest(&offers(&all[2..5]), encrypted), Some("db.m6g.2xlarge"));
        assert_eq!(
            smallest(&offers(&["db.m6g.large", "db.t3.large"]), encrypted),
            Some("db.t3.large")
        );
        assert_eq!(smallest(&offers(&["db.serverless"]), encrypted), Some("db.serverless"));
    }

    #[test]
    fn what_cannot_hold_the_copy_does_not_fit() {
        let offers = offers(&["db.t4g.medium"]);
        let with = |storage, license| {
            smallest(
                &offers,
                Needs {
                    storage,
                    license,
                    encrypted: true,
                },
            )
        };
        assert_eq!(with(Some("gp3"), Some("postgresql-license")), Some("db.t4g.medium"));
        assert_eq!(with(Some("io2"), None), None);
        assert_eq!(with(None, Some("bring-your-own-license")), None);
    }
}
