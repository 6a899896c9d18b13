//! Names and numbers that look random but are the same in every run.

/// FNV-1a over the parts, 128 bits: stable between runs and versions, which the standard hashers do not promise.
pub(crate) fn of(parts: &[&str]) -> u128 {
    let mut hash: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    for part in parts {
        for byte in part.bytes().chain([0xff]) {
            hash ^= u128::from(byte);
            hash = hash.wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
        }
    }
    hash
}

/// A resource id such as `db-ABCDEFGHIJKLMNOPQRSTUVWXYZ`.
pub(crate) fn resource_id(prefix: &str, parts: &[&str]) -> String {
    let mut hash = of(parts);
    let mut id = String::from(prefix);
    for _ in 0..26 {
        let digit = (hash % 32) as u8;
        hash /= 32;
        id.push(char::from(if digit < 26 { b'A' + digit } else { b'2' + digit - 26 }));
    }
    id
}

/// The number that stands for `number` from 0 to below 1, evenly spread over many of them (the mixer of `SplitMix64`).
pub(crate) fn fraction(number: u64) -> f64 {
    let mut bits = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^= bits >> 31;
    let high = u32::try_from(bits >> 32).unwrap_or_default();
    f64::from(high) / 4_294_967_296.0
}
