//! One call, as it comes over the wire, without its transport.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::error::ApiError;
use crate::identifier;

/// The services of which the simulator plays a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Amazon RDS: forms go in, XML comes out.
    Rds,
    /// AWS KMS: JSON both ways, the operation in the header `X-Amz-Target`.
    Kms,
}

impl Service {
    /// What an operation of KMS begins with in `X-Amz-Target`.
    const KMS_TARGET: &str = "TrentService.";

    /// The service that a call is for: those of RDS name no target.
    pub(crate) fn from_target(target: Option<&str>) -> Self {
        match target {
            None => Self::Rds,
            Some(_) => Self::Kms,
        }
    }

    /// Its name in the scope of a signature and before an action.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rds => "rds",
            Self::Kms => "kms",
        }
    }
}

/// A call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The service that is called.
    pub service: Service,
    /// The region that the caller signed the call for: it decides which region answers.
    pub region: String,
    /// The access key that the caller signed with: it decides what the caller may do.
    pub access_key: String,
    /// The decoded form, `Action` included; of a call to KMS the members of the JSON object.
    pub parameters: BTreeMap<String, String>,
}

impl Request {
    /// A call to KMS without parameters.
    #[must_use]
    pub fn kms(region: &str, access_key: &str, action: &str) -> Self {
        Self {
            service: Service::Kms,
            parameters: BTreeMap::from([("Action".to_owned(), action.to_owned())]),
            ..Self::new(region, access_key, action)
        }
    }

    /// A call to RDS without parameters.
    #[must_use]
    pub fn new(region: &str, access_key: &str, action: &str) -> Self {
        Self {
            service: Service::Rds,
            region: region.to_owned(),
            access_key: access_key.to_owned(),
            parameters: BTreeMap::from([
                ("Action".to_owned(), action.to_owned()),
                ("Version".to_owned(), "2014-10-31".to_owned()),
            ]),
        }
    }

    /// Adds one parameter, spelled as on the wire (`Tags.Tag.1.Key`).
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.parameters.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Reads a call from its headers `Authorization` and `X-Amz-Target` and its body.
    ///
    /// The signature itself is not verified: the simulator knows no secret keys.
    pub(crate) fn from_http(authorization: Option<&str>, target: Option<&str>, body: &[u8]) -> Result<Self, ApiError> {
        let service = Service::from_target(target);
        let credential = authorization
            .and_then(|header| header.split_once("Credential="))
            .map(|(_, rest)| rest.split([',', ' ']).next().unwrap_or_default())
            .ok_or_else(|| {
                ApiError::new(
                    403,
                    "MissingAuthenticationToken",
                    "Request is missing Authentication Token",
                )
            })?;
        // From the right: an access key may hold slashes here, and in AWS it cannot.
        let mut scope = credential.rsplitn(5, '/');
        let (Some("aws4_request"), Some(signed_for), Some(region), Some(_date), Some(access_key)) =
            (scope.next(), scope.next(), scope.next(), scope.next(), scope.next())
        else {
            return Err(wrong_scope(service));
        };
        if signed_for != service.name() {
            return Err(wrong_scope(service));
        }
        let mut parameters: BTreeMap<String, String> = match service {
            Service::Rds => form_urlencoded::parse(body).into_owned().collect(),
            Service::Kms => members(body)?,
        };
        if let Some(target) = target {
            let action = target.strip_prefix(Service::KMS_TARGET).unwrap_or(target);
            parameters.insert("Action".to_owned(), action.to_owned());
        }
        Ok(Self {
            service,
            region: region.to_owned(),
            access_key: access_key.to_owned(),
            parameters,
        })
    }

    /// The operation's name.
    #[must_use]
    pub fn action(&self) -> &str {
        self.get("Action").unwrap_or_default()
    }

    /// A parameter, if given.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }

    pub(crate) fn required(&self, name: &str) -> Result<&str, ApiError> {
        match self.get(name) {
            None => Err(ApiError::missing(name)),
            Some(value) if value.trim().is_empty() => Err(ApiError::invalid_value(format!(
                "The parameter {name} must be provided and must not be blank."
            ))),
            Some(value) => Ok(value),
        }
    }

    /// The identifier of something new, in small letters.
    pub(crate) fn new_identifier(&self, name: &str, longest: usize) -> Result<String, ApiError> {
        let id = self.required(name)?;
        identifier::check(id, longest).map_err(|reason| {
            ApiError::invalid_value(format!("The parameter {name} is not a valid identifier: {reason}."))
        })?;
        Ok(id.to_ascii_lowercase())
    }

    pub(crate) fn boolean(&self, name: &str) -> Result<bool, ApiError> {
        match self.get(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(ApiError::invalid_value(format!(
                "Invalid value {other} for {name}: true or false."
            ))),
        }
    }

    /// Reads `Name.Member.1…`, `Name.Member.2…` in the order of the numbers: what follows each number, and its value.
    pub(crate) fn list(&self, name: &str, member: &str) -> Vec<BTreeMap<&str, &str>> {
        let mut items: BTreeMap<u32, BTreeMap<&str, &str>> = BTreeMap::new();
        for (key, value) in &self.parameters {
            // AWS takes the general name `member` everywhere as well.
            let numbered = key
                .strip_prefix(name)
                .and_then(|rest| rest.strip_prefix('.'))
                .and_then(|rest| rest.strip_prefix(member).or_else(|| rest.strip_prefix("member")))
                .and_then(|rest| rest.strip_prefix('.'));
            if let Some(numbered) = numbered {
                let (number, rest) = numbered.split_once('.').unwrap_or((numbered, ""));
                if let Ok(number) = number.parse() {
                    items.entry(number).or_default().insert(rest, value);
                }
            }
        }
        items.into_values().collect()
    }

    /// Reads the tags of the request, unchecked.
    pub(crate) fn tags(&self) -> Vec<(String, String)> {
        self.list("Tags", "Tag")
            .into_iter()
            .map(|tag| {
                let part = |name| tag.get(name).copied().unwrap_or_default().to_owned();
                (part("Key"), part("Value"))
            })
            .collect()
    }

    /// Whether any parameter begins with `name`: how one knows that a list was sent at all.
    pub(crate) fn has_list(&self, name: &str) -> bool {
        self.parameters
            .keys()
            .any(|key| key.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
    }

    /// Reads the filters: name and values.
    pub(crate) fn filters(&self) -> Vec<(String, Vec<String>)> {
        self.list("Filters", "Filter")
            .into_iter()
            .map(|filter| {
                let name = filter.get("Name").copied().unwrap_or_default().to_owned();
                let mut values: Vec<(u32, String)> = filter
                    .iter()
                    .filter_map(|(key, value)| {
                        let number = key.strip_prefix("Values.")?.rsplit('.').next()?;
                        Some((number.parse().ok()?, (*value).to_owned()))
                    })
                    .collect();
                values.sort();
                (name, values.into_iter().map(|(_, value)| value).collect())
            })
            .collect()
    }
}

fn wrong_scope(service: Service) -> ApiError {
    ApiError::new(
        403,
        "SignatureDoesNotMatch",
        format!(
            "Credential should be scoped to a valid region and to the service {}.",
            service.name()
        ),
    )
}

/// The members of a JSON object: text as it is, anything else as JSON.
fn members(body: &[u8]) -> Result<BTreeMap<String, String>, ApiError> {
    let object: Map<String, Value> = serde_json::from_slice(body)
        .map_err(|error| ApiError::new(400, "SerializationException", error.to_string()))?;
    Ok(object
        .into_iter()
        .map(|(name, value)| match value {
            Value::String(text) => (name, text),
            other => (name, other.to_string()),
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "AWS4-HMAC-SHA256 Credential=AKID/20261122/eu-west-1/rds/aws4_request, \
                          SignedHeaders=host, Signature=00";

    #[test]
    fn the_region_and_the_caller_come_from_the_credential_scope() {
        let request = Request::from_http(Some(HEADER), None, b"Action=DescribeDBInstances&Marker=a%20b").unwrap();
        assert_eq!(request.region, "eu-west-1");
        assert_eq!(request.access_key, "AKID");
        assert_eq!(request.action(), "DescribeDBInstances");
        assert_eq!(request.get("Marker"), Some("a b"));
    }

    #[test]
    fn a_call_that_is_not_signed_or_signed_for_another_service_is_refused() {
        assert_eq!(
            Request::from_http(None, None, b"").unwrap_err().code,
            "MissingAuthenticationToken"
        );
        let other = HEADER.replace("/rds/", "/s3/");
        for (header, target) in [(other.as_str(), None), (HEADER, Some("TrentService.DescribeKey"))] {
            assert_eq!(
                Request::from_http(Some(header), target, b"{}").unwrap_err().code,
                "SignatureDoesNotMatch"
            );
        }
    }

    #[test]
    fn a_call_to_kms_is_read_from_json_and_its_target() {
        let header = HEADER.replace("/rds/", "/kms/");
        let read = |body: &[u8]| Request::from_http(Some(&header), Some("TrentService.DescribeKey"), body);
        let request = read(br#"{"KeyId": "alias/copies", "GrantTokens": ["a"]}"#).unwrap();
        assert_eq!((request.service, request.action()), (Service::Kms, "DescribeKey"));
        assert_eq!(request.get("KeyId"), Some("alias/copies"));
        assert_eq!(request.get("GrantTokens"), Some("[\"a\"]"));
        assert_eq!(read(b"KeyId=x").unwrap_err().code, "SerializationException");
    }

    #[test]
    fn lists_keep_the_order_of_their_numbers() {
        let request = Request::new("r", "k", "X")
            .with("Filters.Filter.10.Name", "b")
            .with("Filters.Filter.10.Values.Value.1", "3")
            .with("Filters.Filter.2.Name", "a")
            .with("Filters.Filter.2.Values.Value.10", "2")
            .with("Filters.Filter.2.Values.Value.9", "1");
        assert_eq!(
            request.filters(),
            [
                ("a".to_owned(), vec!["1".to_owned(), "2".to_owned()]),
                ("b".to_owned(), vec!["3".to_owned()])
            ]
        );
    }
}
