use super::*;
use proptest::prelude::*;

fn healthy() -> Inputs {
    Inputs {
        respiration_milli: Some(16_000),
        oxygen_saturation_milli: Some(98_000),
        on_oxygen: Some(false),
        systolic_milli: Some(120_000),
        pulse_milli: Some(70_000),
        consciousness: Some(Consciousness::Alert),
        temperature_milli: Some(37_000),
    }
}

/// Both sides of every boundary of a row of the chart.
type Row = &'static [(i64, u8)];

const RESPIRATION: Row = &[
    (0, 3),
    (8, 3),
    (9, 1),
    (11, 1),
    (12, 0),
    (20, 0),
    (21, 2),
    (24, 2),
    (25, 3),
    (90, 3),
];
const SATURATION_1: Row = &[
    (0, 3),
    (91, 3),
    (92, 2),
    (93, 2),
    (94, 1),
    (95, 1),
    (96, 0),
    (100, 0),
];
const SATURATION_2_AIR: Row = &[
    (0, 3),
    (83, 3),
    (84, 2),
    (85, 2),
    (86, 1),
    (87, 1),
    (88, 0),
    (92, 0),
    (93, 0),
    (96, 0),
    (97, 0),
    (100, 0),
];
const SATURATION_2_OXYGEN: Row = &[
    (0, 3),
    (83, 3),
    (84, 2),
    (85, 2),
    (86, 1),
    (87, 1),
    (88, 0),
    (92, 0),
    (93, 1),
    (94, 1),
    (95, 2),
    (96, 2),
    (97, 3),
    (100, 3),
];
const SYSTOLIC: Row = &[
    (0, 3),
    (90, 3),
    (91, 2),
    (100, 2),
    (101, 1),
    (110, 1),
    (111, 0),
    (219, 0),
    (220, 3),
    (300, 3),
];
const PULSE: Row = &[
    (0, 3),
    (40, 3),
    (41, 1),
    (50, 1),
    (51, 0),
    (90, 0),
    (91, 1),
    (110, 1),
    (111, 2),
    (130, 2),
    (131, 3),
    (250, 3),
];
const TEMPERATURE_TENTHS: Row = &[
    (200, 3),
    (350, 3),
    (351, 1),
    (360, 1),
    (361, 0),
    (380, 0),
    (381, 1),
    (390, 1),
    (391, 2),
    (430, 2),
];

fn check(row: Row, step: i64, at: usize, scale: Scale, set: impl Fn(&mut Inputs, i64)) {
    for (value, expected) in row {
        let mut inputs = healthy();
        set(&mut inputs, value * step);
        assert_eq!(
            score(&inputs, scale).points[at],
            Some(*expected),
            "{:?} {value}",
            Parameter::ALL[at]
        );
    }
}

#[test]
fn every_boundary_of_the_chart_holds() {
    check(RESPIRATION, 1000, 0, Scale::One, |inputs, value| {
        inputs.respiration_milli = Some(value)
    });
    check(SATURATION_1, 1000, 1, Scale::One, |inputs, value| {
        inputs.oxygen_saturation_milli = Some(value)
    });
    check(SATURATION_2_AIR, 1000, 1, Scale::Two, |inputs, value| {
        inputs.oxygen_saturation_milli = Some(value)
    });
    check(SATURATION_2_OXYGEN, 1000, 1, Scale::Two, |inputs, value| {
        inputs.oxygen_saturation_milli = Some(value);
        inputs.on_oxygen = Some(true);
    });
    check(SYSTOLIC, 1000, 3, Scale::One, |inputs, value| {
        inputs.systolic_milli = Some(value)
    });
    check(PULSE, 1000, 4, Scale::One, |inputs, value| {
        inputs.pulse_milli = Some(value)
    });
    check(TEMPERATURE_TENTHS, 100, 6, Scale::One, |inputs, value| {
        inputs.temperature_milli = Some(value)
    });
    for level in Consciousness::ALL {
        let inputs = Inputs {
            consciousness: Some(level),
            ..healthy()
        };
        let expected = if level == Consciousness::Alert { 0 } else { 3 };
        assert_eq!(score(&inputs, Scale::One).points[5], Some(expected));
    }
    for (oxygen, expected) in [(true, 2), (false, 0)] {
        let inputs = Inputs {
            on_oxygen: Some(oxygen),
            ..healthy()
        };
        assert_eq!(score(&inputs, Scale::One).points[2], Some(expected));
    }
}

#[test]
fn values_are_rounded_to_the_resolution_of_the_chart_first() {
    for (milli, expected) in [(8_499, 3), (8_500, 1), (24_499, 2), (24_500, 3)] {
        let inputs = Inputs {
            respiration_milli: Some(milli),
            ..healthy()
        };
        assert_eq!(
            score(&inputs, Scale::One).points[0],
            Some(expected),
            "{milli}"
        );
    }
    for (milli, expected) in [(35_049, 3), (35_050, 1), (39_049, 1), (39_050, 2)] {
        let inputs = Inputs {
            temperature_milli: Some(milli),
            ..healthy()
        };
        assert_eq!(
            score(&inputs, Scale::One).points[6],
            Some(expected),
            "{milli}"
        );
    }
}

#[test]
fn the_worst_patient_scores_twenty_and_the_healthy_one_nothing() {
    assert_eq!(score(&healthy(), Scale::One).total, Some(0));
    assert_eq!(score(&healthy(), Scale::One).risk, Some(Risk::Minimal));
    let worst = Inputs {
        respiration_milli: Some(40_000),
        oxygen_saturation_milli: Some(80_000),
        on_oxygen: Some(true),
        systolic_milli: Some(70_000),
        pulse_milli: Some(150_000),
        consciousness: Some(Consciousness::Unresponsive),
        temperature_milli: Some(34_000),
    };
    let found = score(&worst, Scale::One);
    assert_eq!((found.total, found.risk), (Some(20), Some(Risk::High)));
    assert_eq!(found.red().count(), 6);
}

#[test]
fn the_risk_follows_the_total_and_single_threes() {
    for (inputs, total, risk) in [
        (
            Inputs {
                pulse_milli: Some(100_000),
                ..healthy()
            },
            1,
            Risk::Low,
        ),
        (
            Inputs {
                consciousness: Some(Consciousness::Confusion),
                ..healthy()
            },
            3,
            Risk::LowMedium,
        ),
        (
            Inputs {
                on_oxygen: Some(true),
                pulse_milli: Some(120_000),
                ..healthy()
            },
            4,
            Risk::Low,
        ),
        (
            Inputs {
                on_oxygen: Some(true),
                pulse_milli: Some(140_000),
                ..healthy()
            },
            5,
            Risk::Medium,
        ),
        (
            Inputs {
                on_oxygen: Some(true),
                pulse_milli: Some(140_000),
                temperature_milli: Some(38_500),
                ..healthy()
            },
            6,
            Risk::Medium,
        ),
        (
            Inputs {
                on_oxygen: Some(true),
                pulse_milli: Some(140_000),
                temperature_milli: Some(39_500),
                ..healthy()
            },
            7,
            Risk::High,
        ),
    ] {
        let found = score(&inputs, Scale::One);
        assert_eq!((found.total, found.risk), (Some(total), Some(risk)));
    }
}

#[test]
fn a_missing_part_leaves_no_total_but_single_threes_show() {
    let clear: [fn(&mut Inputs); 7] = [
        |inputs| inputs.respiration_milli = None,
        |inputs| inputs.oxygen_saturation_milli = None,
        |inputs| inputs.on_oxygen = None,
        |inputs| inputs.systolic_milli = None,
        |inputs| inputs.pulse_milli = None,
        |inputs| inputs.consciousness = None,
        |inputs| inputs.temperature_milli = None,
    ];
    for (at, clear) in clear.iter().enumerate() {
        let mut inputs = healthy();
        clear(&mut inputs);
        let found = score(&inputs, Scale::One);
        assert_eq!((found.total, found.risk), (None, None));
        assert_eq!(found.missing().collect::<Vec<_>>(), [Parameter::ALL[at]]);
    }
    let red = Inputs {
        pulse_milli: Some(140_000),
        ..Inputs::default()
    };
    assert_eq!(
        score(&red, Scale::One).red().collect::<Vec<_>>(),
        [Parameter::Pulse]
    );
}

#[test]
fn scale_two_without_knowing_air_or_oxygen_scores_only_what_does_not_depend_on_it() {
    let at = |value| Inputs {
        oxygen_saturation_milli: Some(value),
        on_oxygen: None,
        ..healthy()
    };
    assert_eq!(score(&at(92_000), Scale::Two).points[1], Some(0));
    assert_eq!(score(&at(93_000), Scale::Two).points[1], None);
}

proptest! {
    #[test]
    fn a_total_is_the_sum_of_its_parts_and_never_above_twenty(
        respiration in 0i64..100_000, saturation in 0i64..100_000, oxygen: bool, systolic in 0i64..300_000,
        pulse in 0i64..300_000, level in 0usize..5, temperature in 20_000i64..45_000, two: bool,
    ) {
        let inputs = Inputs {
            respiration_milli: Some(respiration), oxygen_saturation_milli: Some(saturation), on_oxygen: Some(oxygen),
            systolic_milli: Some(systolic), pulse_milli: Some(pulse), consciousness: Some(Consciousness::ALL[level]),
            temperature_milli: Some(temperature),
        };
        let found = score(&inputs, if two { Scale::Two } else { Scale::One });
        let sum: u8 = found.points.iter().flatten().sum();
        prop_assert_eq!(found.total, Some(sum));
        prop_assert!(sum <= 20);
        prop_assert_eq!(found.risk == Some(Risk::High), sum >= 7);
    }
}
