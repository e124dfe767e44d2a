//! Who sent it: devices as the ledger and their last numbers have them.

use std::collections::{BTreeMap, BTreeSet};

use ledger::{LedgerId, PublicKey};
use sqlx::{AnyPool, Row};

/// Devices asked for by one statement; there are only two statements, so that the database keeps them prepared.
const DEVICES_AT_ONCE: usize = 32;

/// A device that is active and bound to a patient.
pub(super) struct Device {
    /// Its key on the ledger.
    pub(super) key: PublicKey,
    /// The patient it is bound to.
    pub(super) patient: LedgerId,
    /// Which numbers of packs were had.
    pub(super) numbers: Numbers,
    /// Whether a new pack of it came among these messages.
    pub(super) is_heard: bool,
}

/// The numbers of packs that were had: the highest, and of the 63 below it which.
///
/// A device may have several packs on their way. When one of them is lost and sent again after the others, its number is
/// lower than the highest, and it must be taken all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Numbers {
    /// The highest.
    pub(super) last: u64,
    /// Bit n stands for `last - n`.
    pub(super) had: u64,
}

/// What a pack's number says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    /// The pack was not had.
    New,
    /// It was.
    Had,
    /// So far below the highest that it can't be said.
    TooOld,
}

impl Numbers {
    /// Notes a pack's number.
    pub(super) fn note(&mut self, sequence: u64) -> Number {
        if let Some(ahead) = sequence.checked_sub(self.last).filter(|ahead| *ahead > 0) {
            let shifted = u32::try_from(ahead)
                .ok()
                .and_then(|ahead| self.had.checked_shl(ahead));
            self.had = shifted.unwrap_or(0) | 1;
            self.last = sequence;
            return Number::New;
        }
        let behind = self.last - sequence;
        if behind >= u64::from(u64::BITS) {
            return Number::TooOld;
        }
        let bit = 1 << behind;
        if self.had & bit != 0 {
            return Number::Had;
        }
        self.had |= bit;
        Number::New
    }
}

/// Devices by their ids.
pub(super) type Devices = BTreeMap<LedgerId, Device>;

/// Those of the devices that are active and bound to somebody.
pub(super) async fn find(pool: &AnyPool, ids: &BTreeSet<LedgerId>) -> anyhow::Result<Devices> {
    let ids: Vec<LedgerId> = ids.iter().copied().collect();
    let mut devices = Devices::new();
    for part in ids.chunks(DEVICES_AT_ONCE) {
        let places = if part.len() == 1 { 1 } else { DEVICES_AT_ONCE };
        let list: Vec<String> = (1..=places).map(|place| format!("${place}")).collect();
        let sql = format!(
            "SELECT device_members.device, device_members.public_key, bindings.patient,
                 COALESCE(device_counters.last_sequence, 0), COALESCE(device_counters.had, -1)
             FROM device_members JOIN bindings ON bindings.device = device_members.device
             LEFT JOIN device_counters ON device_counters.device = device_members.device
             WHERE device_members.status = 'active' AND device_members.device IN ({})",
            list.join(", ")
        );
        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
        for place in 0..places {
            // A device that is asked for twice is answered once.
            query = query.bind(part[place.min(part.len() - 1)].to_string());
        }
        for row in query.fetch_all(pool).await? {
            let (id, key, patient): (String, String, String) =
                (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            let device = Device {
                key: key.parse()?,
                patient: patient.parse()?,
                numbers: Numbers {
                    last: row.try_get::<i64, _>(3)? as u64,
                    had: row.try_get::<i64, _>(4)? as u64,
                },
                is_heard: false,
            };
            devices.insert(id.parse()?, device);
        }
    }
    Ok(devices)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a device that was never heard.
    const UNHEARD: Numbers = Numbers { last: 0, had: !0 };

    #[test]
    fn a_lost_pack_that_comes_after_later_ones_is_new_and_none_is_new_twice() {
        let mut numbers = UNHEARD;
        let noted = [1, 2, 4, 5, 3, 3, 4, 70, 7, 6, 6, 5].map(|number| numbers.note(number));
        use Number::{Had, New, TooOld};
        assert_eq!(
            noted,
            [
                New, New, New, New, New, Had, Had, New, New, TooOld, TooOld, TooOld
            ]
        );
    }

    #[test]
    fn every_order_of_a_windows_packs_takes_each_once() {
        for first in [1_u64, 1_000_000] {
            let mut numbers = UNHEARD;
            let mut order: Vec<u64> = (first..first + 60).collect();
            order.sort_by_key(|number| number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            for number in &order {
                assert_eq!(numbers.note(*number), Number::New, "{number}");
            }
            for number in &order {
                assert_eq!(numbers.note(*number), Number::Had, "{number}");
            }
        }
    }

    #[test]
    fn what_was_counted_before_windows_were_kept_counts_as_had() {
        let mut numbers = Numbers { last: 9, had: !0 };
        assert_eq!(numbers.note(9), Number::Had);
        assert_eq!(numbers.note(1), Number::Had);
        assert_eq!(numbers.note(10), Number::New);
    }
}
