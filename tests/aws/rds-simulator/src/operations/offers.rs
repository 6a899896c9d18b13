//! What a region offers: instance classes, and the storage that they can have.

use crate::details;
use crate::error::ApiError;
use crate::operations::describe::{filters, page, paged, require};
use crate::simulator::{Call, Simulator};
use crate::xml::Xml;

/// The parameters of `DescribeOrderableDBInstanceOptions`; lists end in a dot.
pub(super) const PARAMETERS: &[&str] = &[
    "Engine",
    "EngineVersion",
    "DBInstanceClass",
    "LicenseModel",
    "AvailabilityZoneGroup",
    "Vpc",
    "Filters.",
    "MaxRecords",
    "Marker",
];

/// Most records that this call gives at once; every other one gives 100.
const MAX_RECORDS: usize = 10_000;

/// What every region offers, unless its scenario says otherwise: a few of each size.
const USUAL: [&str; 8] = [
    "db.m6g.large",
    "db.m6i.large",
    "db.r6g.large",
    "db.r6g.xlarge",
    "db.r6i.large",
    "db.r7g.large",
    "db.t4g.medium",
    "db.t4g.micro",
];

/// Generations that RDS has ended: no database can be made in one of their classes any more.
const ENDED: [&str; 5] = ["db.m1.", "db.m2.", "db.m3.", "db.r3.", "db.t1."];

/// A class with one type of storage.
struct Offer<'a> {
    class: &'a str,
    storage: &'a str,
    /// Tells it from others.
    id: String,
}

impl Simulator {
    /// `DescribeOrderableDBInstanceOptions`: the same for every engine and version but for the storage, and none for what
    /// is not offered. Every licence that is asked for exists.
    pub(crate) fn describe_orderable_options(&mut self, call: &Call<'_>) -> Result<Xml, ApiError> {
        // It has no resource: only `Resource: "*"` allows it.
        require(call, "arn:aws:rds:::*")?;
        let request = call.request;
        filters(request, &[])?;
        request.boolean("Vpc")?;
        let engine = request.get("Engine").ok_or_else(|| ApiError::missing("Engine"))?;
        let version = request
            .get("EngineVersion")
            .unwrap_or_else(|| crate::seed::current_version(engine));
        let asked = request.get("DBInstanceClass");
        let license = request.get("LicenseModel").unwrap_or_else(|| details::license(engine));
        let region = &*self.region(&request.region);
        let zones = region.offer_zones();
        let is_offered = !region
            .not_offered
            .iter()
            .any(|offer| offer.covers(engine, version, license));
        let seeded = region.offers.clone();
        let classes: Vec<&str> = match (&seeded, asked) {
            (Some(classes), _) => classes.iter().map(String::as_str).collect(),
            // What is asked for is on offer, be it usual or not.
            (None, Some(class)) => vec![class],
            (None, None) => USUAL.to_vec(),
        };
        let is_aurora = engine.starts_with("aurora");
        let makes_clusters = is_aurora || ["mysql", "postgres", "neptune", "docdb"].contains(&engine);
        let storage: &[&str] = if is_aurora {
            &["aurora", "aurora-iopt1"]
        } else {
            &["gp2", "gp3", "io1", "io2"]
        };
        let offers: Vec<Offer<'_>> = classes
            .into_iter()
            .filter(|_| is_offered)
            .filter(|class| asked.is_none_or(|asked| asked == *class))
            .filter(|class| seeded.is_some() || !ENDED.iter().any(|ended| class.starts_with(ended)))
            .flat_map(|class| storage.iter().map(move |storage| (class, *storage)))
            .map(|(class, storage)| Offer {
                class,
                storage,
                id: format!("{class}/{storage}"),
            })
            .collect();
        let (page, marker) = page(request, MAX_RECORDS, offers.iter(), |offer| &offer.id)?;
        Ok(paged(
            "DescribeOrderableDBInstanceOptionsResult",
            marker,
            "OrderableDBInstanceOptions",
            "OrderableDBInstanceOption",
            page,
            |xml, offer| {
                xml.value("Engine", engine);
                xml.value("EngineVersion", version);
                xml.value("DBInstanceClass", offer.class);
                xml.value("LicenseModel", license);
                xml.list("AvailabilityZones", "AvailabilityZone", &zones, |xml, zone| {
                    xml.value("Name", zone);
                });
                xml.value("Vpc", true);
                xml.value("SupportsStorageEncryption", true);
                xml.value("StorageType", offer.storage);
                // Aurora's storage grows on its own.
                if !is_aurora {
                    xml.value("MinStorageSize", 20);
                    xml.value("MaxStorageSize", 65_536);
                }
                xml.value("SupportsClusters", makes_clusters);
                // The Data API is for Aurora, and not for classes of type T.
                xml.value("SupportsHttpEndpoint", is_aurora && !offer.class.starts_with("db.t"));
            },
        ))
    }
}
