//! Bundles to import.

/// A small transaction Bundle of one patient with two encounters; `value` is the text of a measured value.
pub fn bundle_text(patient: &str, value: &str) -> String {
    format!(
        r#"{{"resourceType":"Bundle","type":"transaction","entry":[
{{"fullUrl":"urn:uuid:{patient}","resource":{{"resourceType":"Patient","id":"{patient}","gender":"female","birthDate":"1970-02-03",
 "identifier":[{{"type":{{"coding":[{{"code":"MR"}}]}},"system":"urn:hospital","value":"MR-{patient}"}},
  {{"type":{{"coding":[{{"code":"SS"}}]}},"system":"http://hl7.org/fhir/sid/us-ssn","value":"999-00-{patient}"}}],
 "name":[{{"family":"Canary-Sørensen","given":["Ada","B."]}}],"address":[{{"city":"Nowhere","line":["1 \"High\" Street"]}}]}}}},
{{"fullUrl":"urn:uuid:doctor","resource":{{"resourceType":"Practitioner","id":"doctor","identifier":[{{"system":"urn:npi","value":"D-7"}}]}}}},
{{"fullUrl":"urn:uuid:visit-1","resource":{{"resourceType":"Encounter","id":"visit-1","status":"finished","class":{{"code":"AMB"}},
 "type":[{{"text":"Check-up"}}],"subject":{{"reference":"urn:uuid:{patient}"}},
 "participant":[{{"individual":{{"reference":"urn:uuid:doctor"}}}}],
 "period":{{"start":"2015-03-07T10:35:11+00:00","end":"2015-03-07T11:00:00+00:00"}}}}}},
{{"fullUrl":"urn:uuid:visit-2","resource":{{"resourceType":"Encounter","id":"visit-2","status":"finished","class":{{"code":"EMER"}},
 "type":[{{"text":"Emergency"}}],"subject":{{"reference":"urn:uuid:{patient}"}},
 "period":{{"start":"2016-03-07T10:35:11+00:00"}}}}}},
{{"fullUrl":"urn:uuid:condition-1","resource":{{"resourceType":"Condition","id":"condition-1","subject":{{"reference":"urn:uuid:{patient}"}},
 "encounter":{{"reference":"urn:uuid:visit-1"}},
 "code":{{"coding":[{{"system":"http://snomed.info/sct","code":"40055000"}}],"text":"Chronic sinusitis"}}}}}},
{{"fullUrl":"urn:uuid:observation-1","resource":{{"resourceType":"Observation","id":"observation-1","status":"final",
 "code":{{"text":"Weight"}},"subject":{{"reference":"urn:uuid:{patient}"}},"encounter":{{"reference":"urn:uuid:visit-1"}},
 "valueQuantity":{{"value":{value},"unit":"kg"}}}}}},
{{"fullUrl":"urn:uuid:claim-1","resource":{{"resourceType":"Claim","id":"claim-1","status":"active","use":"claim",
 "type":{{"coding":[{{"code":"institutional"}}]}},"patient":{{"reference":"urn:uuid:{patient}"}},"created":"2015-03-07",
 "provider":{{"display":"x"}},"priority":{{"text":"normal"}},
 "insurance":[{{"sequence":1,"focal":true,"coverage":{{"display":"medicare"}}}}],
 "item":[{{"sequence":1,"productOrService":{{"text":"x"}},"encounter":[{{"reference":"urn:uuid:visit-1"}}]}}],
 "total":{{"value":129.16,"currency":"USD"}}}}}}]}}"#
    )
}
