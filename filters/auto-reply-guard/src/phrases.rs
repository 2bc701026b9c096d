//! How the subjects of automatic replies and of bounces begin, in several languages; in lower case.

/// Automatic replies and out-of-office notices, as Outlook, Exchange, Gmail, Lotus Notes and webmailers write them.
pub const AUTOMATIC_REPLIES: [&str; 50] = [
    // English
    "automatic reply",
    "auto reply",
    "auto-reply",
    "autoreply",
    "auto response",
    "autoresponse",
    "out of office",
    "out of the office",
    "out-of-office",
    "vacation response",
    // German
    "automatische antwort",
    "automatische rückmeldung",
    "abwesenheitsnotiz",
    "abwesenheitsbenachrichtigung",
    "abwesenheitsassistent",
    "abwesend:",
    "nicht im büro",
    // French
    "réponse automatique",
    "réponse d'absence",
    "absence du bureau",
    "message d'absence",
    // Spanish
    "respuesta automática",
    "fuera de la oficina",
    "fuera de oficina",
    // Portuguese
    "resposta automática",
    "fora do escritório",
    "ausência temporária",
    // Italian
    "risposta automatica",
    "fuori sede",
    "fuori ufficio",
    // Dutch
    "automatisch antwoord",
    "afwezigheidsbericht",
    "niet aanwezig",
    // Danish, Norwegian, Swedish, Finnish
    "automatisk svar",
    "autosvar",
    "automatiskt svar",
    "frånvaro:",
    "automaattinen vastaus",
    // Polish, Czech, Hungarian, Romanian
    "odpowiedź automatyczna",
    "automatyczna odpowiedź",
    "automatická odpověď",
    "automatikus válasz",
    "răspuns automat",
    // Greek, Turkish, Russian
    "αυτόματη απάντηση",
    "otomatik yanıt",
    "автоматический ответ",
    "автоответ",
    // Japanese, Chinese, Korean
    "自動応答",
    "自动答复",
    "자동 회신",
];

/// Bounces; they count only when they come from a mail server.
pub const BOUNCES: [&str; 20] = [
    "undelivered mail",
    "undeliverable",
    "undeliverable mail",
    "delivery status notification (failure)",
    "delivery failure",
    "delivery has failed",
    "mail delivery failed",
    "mail delivery failure",
    "message delivery failure",
    "mail system error",
    "returned mail",
    "failure notice",
    "unzustellbar",
    "nicht zustellbar",
    "non remis",
    "échec de la remise",
    "no se puede entregar",
    "não entregue",
    "non recapitabile",
    "onbestelbaar",
];
