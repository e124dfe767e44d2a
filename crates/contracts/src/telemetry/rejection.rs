//! Why the telemetry contract says no.

use crate::rejection::rejections;

rejections! {
    /// Why the telemetry contract says no.
    1 NotPatient "the submitter is not a patient"
    2 NotDevice "the device is not an active member of kind Device"
    3 DeviceTaken "the device is registered to a patient already"
    4 DeviceNotRegistered "the device is not registered to a patient"
    5 NotTheDevicesPatient "the device is registered to another patient"
    6 UnknownHospital "the hospital is not an active one"
    7 EndNotAhead "the end of the share is not ahead"
    8 NotShared "the patient's warnings are not shared with the hospital"
    9 NotService "the submitter is not the service for devices"
    10 BatchOutOfOrder "the batch's number is not the last one plus 1"
    11 BatchEmpty "the batch has no readings"
    12 WarningExists "a warning with that id exists"
    13 UnknownWarning "no warning has that id"
    14 MayNotAcknowledge "the warning is neither about the submitter nor shared with it"
    15 AlreadyAcknowledged "the submitter acknowledged this warning before"
}
