//! The life of one made-up patient, as a transaction Bundle.

use super::catalogue::{
    ALLERGIES, CHRONIC_SINUSITIS, HYPERTENSION, ILLNESSES, Illness, PAYERS, Visit,
};
use super::random::Random;
use super::resources::{self as make, Item, Person, Place, decimal, object};
use super::{ORGANIZATIONS, PRACTITIONERS_PER_ORGANIZATION, marked_diseases, names};
use crate::bundle::content_uuid;
use crate::date::{Day, MICROS_PER_SECOND};
use crate::hospital::hospital_of;
use crate::json::Json;
use crate::terminology::{CVX, RXNORM, SNOMED, display};

const DAY: i64 = 86_400 * MICROS_PER_SECOND;
const MINUTE: i64 = 60 * MICROS_PER_SECOND;

/// Numbers of the sources of randomness.
const PATIENT: u64 = 1;
const ORGANIZATION: u64 = 2;
const PRACTITIONER: u64 = 3;

/// A visit that will happen.
struct Planned {
    day: i64,
    visit: Visit,
    illness: Option<Illness>,
}

pub(super) fn bundle(seed: u64, number: usize, as_of: Day) -> Json {
    Life::new(seed, number, as_of).live()
}

struct Life {
    seed: u64,
    number: usize,
    random: Random,
    person: Person,
    birth: Day,
    last_day: i64,
    died: Option<i64>,
    payer: &'static str,
    entries: Vec<Json>,
    /// Organizations that have their entry.
    known: Vec<usize>,
}

impl Life {
    fn new(seed: u64, number: usize, as_of: Day) -> Self {
        let mut random = Random::new(seed, PATIENT, number as u64);
        let age = random.between(2, 94);
        let today = as_of.days_since_epoch();
        let birth = Day::from_days_since_epoch(today - age * 365 - random.between(30, 300));
        let died = (age > 50 && random.chance(12))
            .then(|| (today - random.between(30, 3_000)) * DAY + 11 * 60 * MINUTE);
        let female = random.chance(50);
        let payer = match age {
            65.. => PAYERS[1],
            _ if random.chance(15) => PAYERS[2],
            _ if random.chance(6) => PAYERS[3],
            _ => PAYERS[0],
        };
        let person = Person {
            url: url(seed, number, "patient", 0),
            number: format!("P{number:06}"),
            family: names::family(&mut random),
            given: names::given(&mut random, female),
            female,
            street: names::street(&mut random),
            town: names::town(&mut random),
            postal_code: random.digits(5),
            telephone: names::telephone(&mut random),
        };
        let last_day = died.map_or(today - 1, |died| died / DAY - 1);
        Self {
            seed,
            number,
            random,
            person,
            birth,
            last_day,
            died,
            payer,
            entries: Vec::new(),
            known: Vec::new(),
        }
    }

    fn live(mut self) -> Json {
        let identity_id = format!("{}-{:08}", self.random.digits(4), self.number);
        let patient = make::patient(&self.person, &identity_id, &self.birth.text(), self.died);
        let url = self.person.url.clone();
        self.put(&url, patient);
        let homes = self.homes();
        let mut starts = Vec::new();
        for planned in self.plan() {
            let organization = if self.random.chance(65) {
                homes[0]
            } else {
                homes[1]
            };
            let practitioner = self.random.below(PRACTITIONERS_PER_ORGANIZATION as u64) as usize;
            self.introduce(organization, practitioner);
            starts.push(self.visit(&planned, organization, practitioner));
        }
        if self.random.chance(30) {
            let (code, words) = *self.random.pick(&ALLERGIES);
            let recorded = *self.random.pick(&starts);
            self.add(make::allergy(&url, code, words, recorded));
        }
        object! { "resourceType": "Bundle", "type": "transaction", "entry": self.entries }
    }

    /// Two organizations, for most patients one at each of two hospitals.
    fn homes(&mut self) -> [usize; 2] {
        let first = self.random.below(ORGANIZATIONS as u64) as usize;
        let second = if self.random.chance(85) {
            first ^ 1
        } else {
            first
        };
        [first, second]
    }

    fn age_on(&self, day: i64) -> u32 {
        self.birth.age_years_at(Day::from_days_since_epoch(day))
    }

    /// A day of the last fifteen years on which the patient was at least `age_min` old.
    fn some_day(&mut self, age_min: u32) -> Option<i64> {
        let of_age = self.birth.days_since_epoch() + i64::from(age_min) * 366 + 1;
        let earliest = of_age.max(self.last_day - 15 * 365);
        (earliest < self.last_day).then(|| self.random.between(earliest, self.last_day))
    }

    fn plan(&mut self) -> Vec<Planned> {
        let (sinusitis, hypertension) = marked_diseases(self.seed, self.number);
        let mut planned = Vec::new();
        for (has, mut illness) in [(sinusitis, CHRONIC_SINUSITIS), (hypertension, HYPERTENSION)] {
            if has {
                // Dealt out by number whatever the age.
                let age = self.age_on(self.last_day);
                illness.age_min = illness.age_min.min(age.saturating_sub(1));
                self.fall_ill(illness, &mut planned);
            }
        }
        let total: u64 = ILLNESSES.iter().map(|illness| illness.weight).sum();
        for _ in 0..self.random.between(2, 7) {
            let mut drawn = self.random.below(total);
            let chosen = ILLNESSES
                .iter()
                .find(|illness| match drawn.checked_sub(illness.weight) {
                    Some(rest) => {
                        drawn = rest;
                        false
                    }
                    None => true,
                });
            if let Some(illness) = chosen {
                self.fall_ill(*illness, &mut planned);
            }
        }
        for _ in 0..self.random.between(3, 8) {
            if let Some(day) = self.some_day(0) {
                planned.push(Planned {
                    day,
                    visit: Visit::CheckUp,
                    illness: None,
                });
            }
        }
        planned.sort_by_key(|planned| planned.day);
        planned
    }

    fn fall_ill(&mut self, illness: Illness, planned: &mut Vec<Planned>) {
        let twice = planned.iter().any(|one| {
            one.illness
                .is_some_and(|other| other.snomed == illness.snomed)
        });
        let Some(day) = self
            .some_day(illness.age_min)
            .filter(|_| !(twice && illness.chronic))
        else {
            return;
        };
        if self.age_on(day) > illness.age_max {
            return;
        }
        planned.push(Planned {
            day,
            visit: illness.visit,
            illness: Some(illness),
        });
        if illness.chronic && self.random.chance(60) && day + 120 < self.last_day {
            planned.push(Planned {
                day: day + self.random.between(30, 120),
                visit: Visit::FollowUp,
                illness: None,
            });
        }
    }

    /// Gives an organization and its practitioner their entries, once.
    fn introduce(&mut self, organization: usize, practitioner: usize) {
        let numbered = organization * PRACTITIONERS_PER_ORGANIZATION + practitioner;
        if !self.known.contains(&(1_000 + organization)) {
            self.known.push(1_000 + organization);
            let (value, _) = organization_of(organization);
            let mut random = Random::new(self.seed, ORGANIZATION, organization as u64);
            let town = names::town(&mut random);
            let made = make::organization(
                &value,
                &format!("{town} Clinic"),
                &town,
                &names::telephone(&mut random),
            );
            self.put(&url(self.seed, organization, "organization", 0), made);
        }
        if !self.known.contains(&numbered) {
            self.known.push(numbered);
            let made = make::practitioner(&practitioner_of(self.seed, numbered));
            self.put(&url(self.seed, numbered, "practitioner", 0), made);
        }
    }

    /// One visit with all that belongs to it; when it started.
    fn visit(&mut self, planned: &Planned, organization: usize, practitioner: usize) -> i64 {
        let (class, code, words, base_cents, minutes) = planned.visit.facts();
        let start = planned.day * DAY + self.random.between(8 * 60, 17 * 60) * MINUTE;
        let patient = self.person.url.clone();
        let encounter = self.next_url();
        let numbered = organization * PRACTITIONERS_PER_ORGANIZATION + practitioner;
        let organization = url(self.seed, organization, "organization", 0);
        let practitioner = url(self.seed, numbered, "practitioner", 0);
        let place = Place {
            patient: &patient,
            encounter: &encounter,
            practitioner: &practitioner,
            organization: &organization,
            start,
            end: start + minutes * MINUTE,
        };
        let illness_words = planned
            .illness
            .and_then(|illness| display(SNOMED, illness.snomed));
        let reason = planned
            .illness
            .map(|illness| illness.snomed)
            .zip(illness_words);
        self.put(
            &encounter,
            make::encounter(&place, class, code, words, reason),
        );
        let mut items: Vec<Item<'_>> = vec![(SNOMED, code, words, base_cents)];
        if let (Some(illness), Some(words)) = (planned.illness, illness_words) {
            self.treat(&place, &illness, words, &mut items);
        }
        if planned.visit == Visit::CheckUp {
            self.check_up(&place, &mut items);
        }
        let total = items.iter().map(|(_, _, _, cents)| cents).sum();
        let claim = self.add(make::claim(
            &place,
            "institutional",
            self.payer,
            &items,
            None,
        ));
        self.add(make::explanation(&place, self.payer, &claim, total));
        start
    }

    fn treat<'a>(
        &mut self,
        place: &Place<'_>,
        illness: &Illness,
        words: &'a str,
        items: &mut Vec<Item<'a>>,
    ) {
        let resolved = (!illness.chronic).then(|| place.end + self.random.between(5, 30) * DAY);
        let condition = self.add(make::condition(place, illness.snomed, words, resolved));
        items.push((SNOMED, illness.snomed, words, 0));
        if let Some((code, words, cents)) = illness.procedure {
            self.add(make::procedure(place, code, words, &condition));
            items.push((SNOMED, code, words, cents));
        }
        if let Some((code, words)) = illness.medication {
            let request = self.add(make::medication_request(place, code, words, &condition));
            let cents = self.random.between(450, 26_300);
            let claim = make::claim(
                place,
                "pharmacy",
                self.payer,
                &[(RXNORM, code, words, cents)],
                Some(&request),
            );
            self.add(claim);
        }
        if illness.chronic {
            let goal = self.add(make::goal(place.patient, "Symptoms are under control"));
            self.add(make::care_plan(place, &condition, &goal));
        }
    }

    fn check_up<'a>(&mut self, place: &Place<'_>, items: &mut Vec<Item<'a>>) {
        const VITAL: &str = "vital-signs";
        let age = i64::from(self.age_on(place.start.div_euclid(DAY)));
        let adult = age.min(18);
        let height_mm = 500 + adult * 67 + self.random.between(-40, 90);
        let weight_g = 3_500 + adult * 3_600 + self.random.between(0, 9_000 + adult * 900);
        let bmi_tenths = weight_g * 10_000 / (height_mm * height_mm);
        let pulse = self.random.between(58, 96);
        let (systolic, diastolic) = (self.random.between(102, 144), self.random.between(62, 92));
        let height = ("8302-2", "Body height", "cm");
        let weight = ("29463-7", "Body weight", "kg");
        self.add(make::measured(place, VITAL, height, decimal(height_mm, 1)));
        self.add(make::measured(
            place,
            VITAL,
            weight,
            decimal(weight_g / 100, 1),
        ));
        let bmi = ("39156-5", "Body mass index (BMI) [Ratio]", "kg/m2");
        self.add(make::measured(place, VITAL, bmi, decimal(bmi_tenths, 1)));
        self.add(make::measured(
            place,
            VITAL,
            ("8867-4", "Heart rate", "/min"),
            pulse.into(),
        ));
        self.add(make::blood_pressure(place, systolic, diastolic));
        if age >= 18 && self.random.chance(40) {
            let mut results = Vec::new();
            for (code, words, low, high) in [
                (
                    "2093-3",
                    "Cholesterol [Mass/volume] in Serum or Plasma",
                    1_500,
                    2_600,
                ),
                (
                    "2571-8",
                    "Triglyceride [Mass/volume] in Serum or Plasma",
                    700,
                    2_400,
                ),
                (
                    "2085-9",
                    "Cholesterol in HDL [Mass/volume] in Serum or Plasma",
                    350,
                    850,
                ),
            ] {
                let value = decimal(self.random.between(low, high), 1);
                let url = self.add(make::measured(
                    place,
                    "laboratory",
                    (code, words, "mg/dL"),
                    value,
                ));
                results.push(make::refer(&url));
            }
            self.add(make::report(place, results));
            items.push((crate::terminology::LOINC, "57698-3", "Lipid panel", 6_130));
        }
        if self.random.chance(70) {
            const VACCINE: (&str, &str) =
                ("140", "Influenza, seasonal, injectable, preservative free");
            self.add(make::immunization(place, VACCINE.0, VACCINE.1));
            items.push((CVX, VACCINE.0, VACCINE.1, 14_052));
        }
    }

    fn next_url(&self) -> String {
        url(self.seed, self.number, "resource", self.entries.len())
    }

    /// Adds a resource under a new URL, and returns it.
    fn add(&mut self, resource: Json) -> String {
        let url = self.next_url();
        self.put(&url, resource);
        url
    }

    fn put(&mut self, url: &str, mut resource: Json) {
        let kind = resource.text("resourceType").unwrap_or_default().to_owned();
        if let Some(object) = resource.as_object_mut() {
            object.insert("id".to_owned(), url["urn:uuid:".len()..].into());
        }
        self.entries.push(object! {
            "fullUrl": url,
            "resource": resource,
            "request": object! { "method": "POST", "url": kind },
        });
    }
}

fn url(seed: u64, number: usize, what: &str, part: usize) -> String {
    format!(
        "urn:uuid:{}",
        content_uuid(format!("medshare generator {seed} {what} {number} {part}").as_bytes())
    )
}

/// Identifier value and hospital of an organization: even numbers belong to hospital 0 of two, odd ones
/// to hospital 1. The values are searched for: the n-th that falls to that hospital.
fn organization_of(number: usize) -> (String, usize) {
    let hospital = number % 2;
    let mut values = (1..).map(|value| format!("ORG-{value:04}"));
    let of_hospital = |value: &String| {
        hospital_of(&format!("{}|{value}", make::ORGANIZATION_SYSTEM), 2) == hospital
    };
    let value = values.by_ref().filter(of_hospital).nth(number / 2);
    (value.unwrap_or_default(), hospital)
}

fn practitioner_of(seed: u64, number: usize) -> Person {
    let mut random = Random::new(seed, PRACTITIONER, number as u64);
    let female = random.chance(50);
    Person {
        url: url(seed, number, "practitioner", 0),
        number: format!("D{number:04}"),
        family: names::family(&mut random),
        given: names::given(&mut random, female),
        female,
        street: names::street(&mut random),
        town: names::town(&mut random),
        postal_code: random.digits(5),
        telephone: names::telephone(&mut random),
    }
}
