//! Devices and warnings.

use contracts::Event;
use contracts::telemetry::event::Event as Telemetry;
use e2e::chain::Decided;
use e2e::story::story;

use crate::decided;

/// A24, A72, A73, A74. Fault: readings are anchored, but nobody assesses them.
#[test]
fn a_registered_devices_readings_are_anchored_and_raise_a_warning_that_the_patient_acknowledges() {
    let story = story();
    story.tells("0 refused");
    let (mut bound, mut anchored, mut warned, mut acknowledged) = (0, 0, 0, 0);
    for Decided { event, .. } in decided() {
        match event {
            Event::Telemetry(Telemetry::DeviceRegistered { .. }) => bound += 1,
            Event::Telemetry(Telemetry::ReadingsAnchored { readings, .. }) => anchored += readings,
            Event::Telemetry(Telemetry::WarningRaised { .. }) => warned += 1,
            Event::Telemetry(Telemetry::WarningAcknowledged { .. }) => acknowledged += 1,
            _ => {}
        }
    }
    assert_eq!((bound, acknowledged), (1, 1));
    assert!(
        anchored > 0 && warned > 0,
        "{anchored} readings anchored, {warned} warnings"
    );
    assert_eq!(warned, story.figure("warnings"));
}
