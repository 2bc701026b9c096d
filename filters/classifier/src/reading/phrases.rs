//! What mail programs and companies put around new text, in English, German, Spanish and French. All in lower case.

/// Beginnings of subjects that say "answered" or "passed on".
pub const SUBJECT_PREFIXES: &[&str] =
    &["re", "aw", "antw", "antwort", "fw", "fwd", "wg", "tr", "rv", "rép", "réf", "res", "enc"];

/// The first word of a line that says who wrote what is quoted below it, and a word that its end has: `Am 3. Mai schrieb Jane Doe:`.
pub const ATTRIBUTIONS: &[(&str, &str)] =
    &[("on", "wrote"), ("am", "schrieb"), ("le", "a écrit"), ("el", "escribió"), ("el", "escribio")];

/// Lines after which everything is an older mail, when dashes and underscores at both ends are taken away.
pub const OLDER_MAIL: &[&str] = &[
    "original message",
    "forwarded message",
    "ursprüngliche nachricht",
    "originalnachricht",
    "weitergeleitete nachricht",
    "mensaje original",
    "mensaje reenviado",
    "message d'origine",
    "message d’origine",
    "message original",
    "message transféré",
];

/// The first two fields of a header that mail programs put above an older mail: who, and then when or to whom.
pub const OLDER_HEADER: &[(&str, &[&str])] = &[
    ("from:", &["sent:", "date:", "to:"]),
    ("von:", &["gesendet:", "datum:", "an:"]),
    ("de:", &["enviado:", "enviado el:", "fecha:", "para:", "envoyé:", "envoyé :", "date:", "date :", "à:", "à :"]),
    ("de :", &["envoyé:", "envoyé :", "date:", "date :", "à:", "à :"]),
];

/// Beginnings of lines that a telephone or a mail program adds.
pub const PROGRAM_LINES: &[&str] = &[
    "sent from my ",
    "sent from outlook",
    "get outlook for ",
    "von meinem iphone",
    "von meinem ipad",
    "gesendet von meinem ",
    "gesendet mit der ",
    "diese nachricht wurde von meinem ",
    "holen sie sich outlook",
    "enviado desde mi ",
    "enviado desde outlook",
    "obtener outlook para",
    "envoyé de mon ",
    "envoyé depuis mon ",
    "obtenir outlook pour",
];

/// Whole lines after which a name and a signature come; a comma, full stop or exclamation mark at the end is taken away.
pub const CLOSINGS: &[&str] = &[
    "best regards",
    "kind regards",
    "warm regards",
    "regards",
    "yours sincerely",
    "yours faithfully",
    "sincerely",
    "mit freundlichen grüßen",
    "mit freundlichen grüssen",
    "mit freundlichem gruß",
    "freundliche grüße",
    "viele grüße",
    "beste grüße",
    "liebe grüße",
    "mfg",
    "saludos cordiales",
    "un cordial saludo",
    "cordialmente",
    "atentamente",
    "un saludo",
    "saludos",
    "cordialement",
    "bien cordialement",
    "bien à vous",
    "meilleures salutations",
    "sincères salutations",
];

/// What a disclaimer begins with, and one of the words that it has within its first line or the next: a customer may
/// well begin with "This message", too.
pub const DISCLAIMERS: &[(&str, &[&str])] = &[
    ("this e-mail", &["confidential", "privileged", "intended"]),
    ("this email", &["confidential", "privileged", "intended"]),
    ("this message", &["confidential", "privileged", "intended"]),
    ("the information contained in this", &["confidential", "privileged", "intended"]),
    ("confidentiality notice", &[""]),
    ("diese e-mail", &["vertraulich", "adressat", "empfänger"]),
    ("diese email", &["vertraulich", "adressat", "empfänger"]),
    ("diese nachricht", &["vertraulich", "adressat", "empfänger"]),
    ("der inhalt dieser e-mail", &["vertraulich", "adressat", "empfänger"]),
    ("este mensaje", &["confidencial", "destinatario"]),
    ("este correo", &["confidencial", "destinatario"]),
    ("la información contenida en este", &["confidencial", "destinatario"]),
    ("aviso legal", &[""]),
    ("ce message", &["confidentiel", "destinataire"]),
    ("cet e-mail", &["confidentiel", "destinataire"]),
    ("ce courriel", &["confidentiel", "destinataire"]),
    ("les informations contenues dans", &["confidentiel", "destinataire"]),
    ("bitte prüfen sie der umwelt zuliebe", &[""]),
    ("please consider the environment", &[""]),
];
