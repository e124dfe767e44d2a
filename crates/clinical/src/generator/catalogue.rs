//! What can happen to a made-up patient.

/// Kind of a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Visit {
    CheckUp,
    Symptom,
    FollowUp,
    Emergency,
    Stay,
}

impl Visit {
    /// Encounter class, SNOMED CT code and display, base price in cents, and minutes.
    pub(super) fn facts(self) -> (&'static str, &'static str, &'static str, i64, i64) {
        match self {
            Self::CheckUp => (
                "AMB",
                "185349003",
                "Encounter for check up (procedure)",
                12_500,
                30,
            ),
            Self::Symptom => ("AMB", "185345009", "Encounter for symptom", 12_500, 15),
            Self::FollowUp => ("AMB", "390906007", "Follow-up encounter", 9_900, 15),
            Self::Emergency => (
                "EMER",
                "50849002",
                "Emergency room admission (procedure)",
                68_450,
                180,
            ),
            Self::Stay => ("IMP", "183452005", "Encounter Inpatient", 245_075, 4_320),
        }
    }
}

/// A disease and what is done for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Illness {
    pub(super) snomed: &'static str,
    pub(super) visit: Visit,
    pub(super) chronic: bool,
    /// How often, relative to the others.
    pub(super) weight: u64,
    pub(super) age_min: u32,
    pub(super) age_max: u32,
    /// RxNorm code and display.
    pub(super) medication: Option<(&'static str, &'static str)>,
    /// SNOMED CT code, display, price in cents.
    pub(super) procedure: Option<(&'static str, &'static str, i64)>,
}

const ACETAMINOPHEN: Option<(&str, &str)> = Some(("313782", "Acetaminophen 325 MG Oral Tablet"));
const IBUPROFEN: Option<(&str, &str)> = Some(("310965", "Ibuprofen 200 MG Oral Tablet"));
const AMOXICILLIN: Option<(&str, &str)> = Some((
    "562251",
    "Amoxicillin 250 MG / Clavulanate 125 MG Oral Tablet",
));
const PENICILLIN: Option<(&str, &str)> =
    Some(("834102", "Penicillin V Potassium 500 MG Oral Tablet"));

pub(super) const CHRONIC_SINUSITIS: Illness = Illness {
    snomed: "40055000",
    visit: Visit::Symptom,
    chronic: true,
    weight: 0,
    age_min: 5,
    age_max: 120,
    medication: AMOXICILLIN,
    procedure: None,
};
pub(super) const HYPERTENSION: Illness = Illness {
    snomed: "38341003",
    visit: Visit::CheckUp,
    chronic: true,
    weight: 0,
    age_min: 18,
    age_max: 120,
    medication: Some(("316049", "Hydrochlorothiazide 25 MG")),
    procedure: None,
};

const fn short(
    snomed: &'static str,
    weight: u64,
    medication: Option<(&'static str, &'static str)>,
) -> Illness {
    Illness {
        snomed,
        visit: Visit::Symptom,
        chronic: false,
        weight,
        age_min: 1,
        age_max: 120,
        medication,
        procedure: None,
    }
}

const fn lasting(
    snomed: &'static str,
    weight: u64,
    age_min: u32,
    medication: Option<(&'static str, &'static str)>,
) -> Illness {
    Illness {
        snomed,
        visit: Visit::CheckUp,
        chronic: true,
        weight,
        age_min,
        age_max: 120,
        medication,
        procedure: None,
    }
}

const fn urgent(
    snomed: &'static str,
    visit: Visit,
    weight: u64,
    age_min: u32,
    medication: Option<(&'static str, &'static str)>,
    procedure: (&'static str, &'static str, i64),
) -> Illness {
    Illness {
        snomed,
        visit,
        chronic: false,
        weight,
        age_min,
        age_max: 120,
        medication,
        procedure: Some(procedure),
    }
}

/// The diseases drawn at random; the two that are dealt out by number are not among them.
pub(super) const ILLNESSES: [Illness; 24] = [
    short("444814009", 30, None),
    short("195662009", 12, ACETAMINOPHEN),
    short("10509002", 11, ACETAMINOPHEN),
    short("75498004", 4, AMOXICILLIN),
    Illness {
        age_max: 12,
        ..short("65363002", 8, AMOXICILLIN)
    },
    Illness {
        procedure: Some(("117015009", "Throat culture (procedure)", 5_240)),
        ..short("43878008", 5, PENICILLIN)
    },
    short("44465007", 5, IBUPROFEN),
    Illness {
        age_min: 12,
        ..short(
            "38822007",
            4,
            Some(("311989", "Nitrofurantoin 5 MG/ML Oral Suspension")),
        )
    },
    short("24079001", 3, None),
    short(
        "367498001",
        4,
        Some(("997488", "Fexofenadine hydrochloride 30 MG Oral Tablet")),
    ),
    lasting("162864005", 12, 16, None),
    lasting("271737000", 6, 2, None),
    lasting("15777000", 7, 25, None),
    lasting(
        "44054006",
        4,
        30,
        Some((
            "860975",
            "24 HR Metformin hydrochloride 500 MG Extended Release Oral Tablet",
        )),
    ),
    lasting(
        "55822004",
        4,
        30,
        Some(("312961", "Simvastatin 20 MG Oral Tablet")),
    ),
    lasting(
        "233678006",
        3,
        3,
        Some((
            "745679",
            "200 ACTUAT Albuterol 0.09 MG/ACTUAT Metered Dose Inhaler",
        )),
    ),
    lasting(
        "239873007",
        4,
        45,
        Some(("198014", "Naproxen 500 MG Oral Tablet")),
    ),
    lasting(
        "90560007",
        2,
        35,
        Some(("197319", "Allopurinol 100 MG Oral Tablet")),
    ),
    lasting(
        "64859006",
        3,
        55,
        Some(("904419", "Alendronic acid 10 MG Oral Tablet")),
    ),
    urgent(
        "74400008",
        Visit::Stay,
        3,
        8,
        ACETAMINOPHEN,
        ("80146002", "Appendectomy", 812_560),
    ),
    urgent(
        "22298006",
        Visit::Emergency,
        3,
        45,
        Some(("309362", "Clopidogrel 75 MG Oral Tablet")),
        ("415070008", "Percutaneous coronary intervention", 1_520_375),
    ),
    urgent(
        "62106007",
        Visit::Emergency,
        3,
        4,
        ACETAMINOPHEN,
        ("274474001", "Bone immobilization", 31_125),
    ),
    urgent(
        "65966004",
        Visit::Emergency,
        3,
        4,
        IBUPROFEN,
        ("274474001", "Bone immobilization", 31_125),
    ),
    urgent(
        "284549007",
        Visit::Emergency,
        3,
        4,
        ACETAMINOPHEN,
        ("288086009", "Suture open wound", 22_480),
    ),
];

/// Allergies: SNOMED CT code and display.
pub(super) const ALLERGIES: [(&str, &str); 5] = [
    ("91935009", "Allergy to peanuts"),
    ("232347008", "Dander (animal) allergy"),
    ("418689008", "Allergy to grass pollen"),
    ("300913006", "Shellfish allergy"),
    ("419474003", "Allergy to mould"),
];

/// Payers as the claims give them.
pub(super) const PAYERS: [&str; 4] = ["private", "medicare", "medicaid", "no_insurance"];
