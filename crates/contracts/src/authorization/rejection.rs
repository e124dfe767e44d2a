//! Why the authorization contract says no.

use crate::rejection::rejections;

rejections! {
    /// Why the authorization contract says no.
    1 MayNotApply "only third parties and insurers may apply"
    2 ApplicationExists "an application with that id exists"
    3 ItemsNotFit "an application has 1 to 64 items, no record twice"
    4 PurposeNotAllowed "one can't apply for records for that purpose"
    5 EndNotAhead "the end of the grants is not ahead"
    6 PriceTooLow "an item's price is below the least price"
    7 UnknownItem "no such item"
    8 NotTheHospital "the submitter is not the item's hospital"
    9 NotThePatient "the submitter is not the patient"
    10 NotTheApplicant "the submitter is not the applicant"
    11 NotAwaitingHospital "the item does not wait for its hospital"
    12 NotAwaitingPatient "the item does not wait for its patient"
    13 NotAwaitingRelease "the item is not approved by both"
    14 ItemEnded "the item ended before"
    15 DeadlinePassed "the item's deadline has passed"
    16 CiphertextEmpty "the ciphertext is empty"
    17 StaleVersion "the version is not the record's current one"
    18 SealedNotFit "a sealed value is empty or longer than 512 bytes"
    19 UnknownGrant "no grant has that id"
    20 GrantEnded "the grant was withdrawn or reversed before"
    21 GrantOver "the grant's end date has passed"
    22 NotReleased "the item was not released"
    23 AlreadyDisputed "the item's release was disputed before"
    24 NotRegulator "the submitter is not a regulator"
    25 NotDisputed "the item's release is not in dispute"
}
