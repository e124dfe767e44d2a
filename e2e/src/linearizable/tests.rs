use super::*;

fn id(number: u8) -> Digest {
    Digest([number; 32])
}

fn at(start: Instant, milliseconds: u64) -> Instant {
    start + Duration::from_millis(milliseconds)
}

fn reference(number: u8) -> PaymentReference {
    PaymentReference([number; 16])
}

fn deposit(number: u8, height: u64, amount: i64) -> OnChain {
    OnChain {
        id: id(number),
        place: (height, 0),
        command: Command::Deposit {
            reference: reference(number),
            account: LedgerId([1; 16]),
            amount,
        },
        accepted: true,
    }
}

fn withdrawal(number: u8, height: u64, amount: i64) -> OnChain {
    OnChain {
        command: Command::Withdraw {
            reference: reference(number),
            amount,
        },
        ..deposit(number, height, amount)
    }
}

/// Three operations one after another, a second each: a deposit of 5, a withdrawal of 3, one of 3 too much; and what was
/// read after the first and at the end.
fn good(start: Instant) -> (Vec<OnChain>, Vec<Told>, Vec<Reading>) {
    let mut refused = withdrawal(3, 8, 3);
    refused.accepted = false;
    let ordered = vec![deposit(1, 4, 5), withdrawal(2, 6, 3), refused];
    let told = ordered.iter().zip(0..).map(|(one, second)| Told {
        id: one.id,
        began: at(start, 1_000 * second),
        ended: at(start, 1_000 * second + 500),
        receipt: Some((one.place, one.accepted)),
    });
    let reading = |from, balance| Reading {
        began: at(start, from),
        ended: at(start, from + 50),
        balance,
    };
    let told = told.collect();
    (ordered, told, vec![reading(600, 5), reading(2_600, 2)])
}

/// What the judge says after a change of the good history.
fn judged(
    change: impl Fn(Instant, &mut Vec<OnChain>, &mut Vec<Told>, &mut Vec<Reading>),
) -> Result<Judged, String> {
    let start = Instant::now();
    let (mut ordered, mut told, mut readings) = good(start);
    change(start, &mut ordered, &mut told, &mut readings);
    judge_ordered(&ordered, &told, &readings)
}

#[test]
fn a_history_as_it_should_be_passes() {
    let expected = Judged {
        balance: 2,
        committed: 3,
        rejected: 1,
        readings: 2,
    };
    assert_eq!(judged(|_, _, _, _| {}), Ok(expected));
}

#[test]
fn a_transaction_on_two_places_is_found() {
    let twice = judged(|_, ordered, _, _| ordered.push(deposit(1, 9, 5)));
    assert!(twice.unwrap_err().contains("again at"));
}

#[test]
fn a_receipt_of_what_is_not_there_or_elsewhere_is_found() {
    let lost = judged(|_, ordered, _, _| drop(ordered.remove(2)));
    assert!(lost.unwrap_err().contains("not on the chain"));
    let elsewhere = judged(|_, _, told, _| told[0].receipt = Some(((5, 0), true)));
    assert!(elsewhere.unwrap_err().contains("says"));
}

#[test]
fn what_was_said_to_be_lost_and_what_nobody_asked_for_is_found() {
    let said_lost = judged(|_, _, told, _| told[1].receipt = None);
    assert!(said_lost.unwrap_err().contains("nothing came of"));
    let foreign = judged(|_, ordered, _, _| ordered.push(deposit(9, 9, 1)));
    assert!(foreign.unwrap_err().contains("nobody asked"));
}

#[test]
fn an_outcome_against_the_accounts_rules_is_found() {
    let overdrawn = judged(|_, ordered, told, _| {
        ordered[2].accepted = true;
        told[2].receipt = Some(((8, 0), true));
    });
    assert!(overdrawn.unwrap_err().contains("was accepted"));
    let used = judged(|_, ordered, _, _| {
        let Command::Withdraw { reference, .. } = &mut ordered[1].command else {
            unreachable!("it is a withdrawal")
        };
        *reference = self::reference(1);
    });
    assert!(used.unwrap_err().contains("was used"));
}

#[test]
fn an_order_against_real_time_is_found() {
    let reversed = judged(|start, _, told, _| {
        // The second was answered before the first began.
        told[1].began = at(start, 0);
        told[1].ended = at(start, 100);
        told[0].began = at(start, 200);
    });
    assert!(reversed.unwrap_err().contains("before it began"));
}

#[test]
fn old_and_made_up_and_early_readings_are_found() {
    let old = judged(|_, _, _, readings| readings[1].balance = 5);
    assert!(old.unwrap_err().contains("was read"));
    let made_up = judged(|_, _, _, readings| readings[0].balance = 4);
    assert!(made_up.unwrap_err().contains("was read"));
    let early = judged(|_, _, _, readings| readings[0].balance = 2);
    assert!(early.unwrap_err().contains("was read"));
    // While the withdrawal is under way both are right, but not the old one after the new one.
    let under_way = |first, second| {
        judged(move |start, _, _, readings| {
            let reading = |from, balance| Reading {
                began: at(start, from),
                ended: at(start, from + 50),
                balance,
            };
            *readings = vec![reading(1_100, first), reading(1_300, second)];
        })
    };
    assert!(under_way(5, 2).is_ok() && under_way(5, 5).is_ok() && under_way(2, 2).is_ok());
    assert!(under_way(2, 5).is_err());
}

#[test]
fn only_a_reading_that_took_as_long_as_a_service_waits_may_be_old() {
    let waited = |milliseconds: u64| {
        judged(move |start, _, _, readings| {
            readings[1] = Reading {
                began: at(start, 2_600),
                ended: at(start, 2_600 + milliseconds),
                balance: 5,
            };
        })
    };
    assert!(waited(4_000).is_err());
    assert!(waited(5_000).is_ok());
}
