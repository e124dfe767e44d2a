//! Folding who is a member, and which doctor acts for which hospital.

use contracts::membership::event::Event as Membership;
use ledger::LedgerId;
use store::row;
use store::rows::{Insert, Rows};

use crate::service::time_us;

static PUT_MEMBER: Insert = Insert::new(
    "ledger_members",
    &["member", "kind", "status", "sealing_key"],
    0,
    "ON CONFLICT (member) DO NOTHING",
);
static PUT_AFFILIATION: Insert = Insert::new(
    "ledger_affiliations",
    &["doctor", "hospital", "from_time", "until_time"],
    2,
    "ON CONFLICT (doctor, hospital) DO UPDATE SET from_time = excluded.from_time, until_time = excluded.until_time",
);

pub(super) fn fold(rows: &mut Rows, decided: &Membership) {
    let (member, status) = match decided {
        Membership::MemberRegistered {
            member,
            kind,
            sealing_key,
            ..
        } => return put_member(rows, member, kind.name(), "pending", Some(sealing_key)),
        Membership::FounderNamed { member, kind, .. } => {
            return put_member(rows, member, kind.name(), "active", None);
        }
        Membership::KeyRotated {
            member,
            sealing_key,
            ..
        } => {
            let key = data_encoding::HEXLOWER.encode(sealing_key);
            return rows.execute(
                "ledger_members",
                "UPDATE ledger_members SET sealing_key = $1 WHERE member = $2",
                row![key, member.to_string()],
            );
        }
        Membership::DoctorAffiliated {
            doctor,
            hospital,
            from,
            until,
        } => {
            let row = row![
                doctor.to_string(),
                hospital.to_string(),
                time_us(*from),
                time_us(*until)
            ];
            return rows.insert(&PUT_AFFILIATION, row);
        }
        Membership::AffiliationEnded { doctor, hospital } => {
            return rows.execute(
                "ledger_affiliations",
                "DELETE FROM ledger_affiliations WHERE doctor = $1 AND hospital = $2",
                row![doctor.to_string(), hospital.to_string()],
            );
        }
        Membership::MemberEndorsed { .. } => return,
        Membership::MemberActivated { member } | Membership::MemberReinstated { member } => {
            (member, "active")
        }
        Membership::MemberSuspended { member } => (member, "suspended"),
        Membership::MemberRevoked { member } => (member, "revoked"),
    };
    rows.execute(
        "ledger_members",
        "UPDATE ledger_members SET status = $1 WHERE member = $2",
        row![status, member.to_string()],
    );
}

fn put_member(
    rows: &mut Rows,
    member: &LedgerId,
    kind: &str,
    status: &str,
    sealing_key: Option<&[u8; 32]>,
) {
    let sealing_key = sealing_key.map(|key| data_encoding::HEXLOWER.encode(key));
    let row = row![member.to_string(), kind, status, sealing_key];
    rows.insert(&PUT_MEMBER, row);
}
