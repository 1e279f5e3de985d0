//! Sentences of Windows about sockets, in the languages that .NET and `PowerShell` print them in.

use crate::model::observation::{FaultKind, Phase};

/// Parts of the sentence for `WSAECONNREFUSED`, in lower case.
const REFUSED: &[&str] = &[
    "rifiuto persistente del computer di destinazione",
    "zielcomputer die verbindung verweigerte",
    "ordinateur cible l\u{2019}a express\u{e9}ment refus\u{e9}e",
    "ordinateur cible l'a express\u{e9}ment refus\u{e9}e",
    "equipo de destino deneg\u{f3} expresamente",
    "m\u{e1}quina de destino as recusou ativamente",
    "computador de destino as recusou",
    "doelcomputer de verbinding actief heeft geweigerd",
    "komputer docelowy aktywnie",
    "c\u{ed}lov\u{fd} po\u{10d}\u{ed}ta\u{10d} je aktivn\u{11b} odm\u{ed}tl",
    "m\u{e5}ldatorn aktivt nekade",
    "\u{43a}\u{43e}\u{43d}\u{435}\u{447}\u{43d}\u{44b}\u{439} \u{43a}\u{43e}\u{43c}\u{43f}\u{44c}\u{44e}\u{442}\u{435}\u{440} \u{43e}\u{442}\u{432}\u{435}\u{440}\u{433} \u{437}\u{430}\u{43f}\u{440}\u{43e}\u{441}",
    "\u{76ee}\u{6807}\u{8ba1}\u{7b97}\u{673a}\u{79ef}\u{6781}\u{62d2}\u{7edd}",
    "\u{76ee}\u{6a19}\u{96fb}\u{8166}\u{62d2}\u{7d55}\u{9023}\u{7dda}",
    "\u{62d2}\u{5426}\u{3055}\u{308c}\u{305f}\u{305f}\u{3081}\u{3001}\u{63a5}\u{7d9a}\u{3067}\u{304d}\u{307e}\u{305b}\u{3093}",
    "\u{b300}\u{c0c1} \u{cef4}\u{d4e8}\u{d130}\u{c5d0}\u{c11c} \u{c5f0}\u{acb0}\u{c744} \u{ac70}\u{bd80}",
    "hedef makine etkin olarak reddet",
];

/// Parts of the sentence for `WSAETIMEDOUT`, in lower case.
const UNANSWERED: &[&str] = &[
    "risposta non corretta della parte connessa",
    "gegenstelle nach einer bestimmten zeitspanne nicht",
    "n\u{2019}a pas r\u{e9}pondu convenablement",
    "n'a pas r\u{e9}pondu convenablement",
    "parte conectada no respondi\u{f3} adecuadamente",
    "componente conectado n\u{e3}o respondeu corretamente",
    "po\u{142}\u{105}czona strona nie odpowiedzia\u{142}a",
    "\u{43d}\u{435} \u{43f}\u{43e}\u{43b}\u{443}\u{447}\u{435}\u{43d} \u{43d}\u{443}\u{436}\u{43d}\u{44b}\u{439} \u{43e}\u{442}\u{43a}\u{43b}\u{438}\u{43a}",
    "\u{8fde}\u{63a5}\u{65b9}\u{5728}\u{4e00}\u{6bb5}\u{65f6}\u{95f4}\u{540e}\u{6ca1}\u{6709}\u{6b63}\u{786e}\u{7b54}\u{590d}",
    "\u{9023}\u{7dda}\u{5c0d}\u{8c61}\u{6709}\u{4e00}\u{6bb5}\u{6642}\u{9593}\u{4e26}\u{672a}\u{6b63}\u{78ba}\u{56de}\u{61c9}",
    "\u{4e00}\u{5b9a}\u{306e}\u{6642}\u{9593}\u{3092}\u{904e}\u{304e}\u{3066}\u{3082}\u{6b63}\u{3057}\u{304f}\u{5fdc}\u{7b54}\u{3057}\u{306a}\u{304b}\u{3063}\u{305f}",
    "\u{c5f0}\u{acb0}\u{b41c} \u{ad6c}\u{c131}\u{c6d0}\u{c73c}\u{b85c}\u{bd80}\u{d130} \u{c751}\u{b2f5}\u{c774} \u{c5c6}",
];

/// Parts of the sentence for `WSAHOST_NOT_FOUND`, in lower case.
const UNKNOWN_HOST: &[&str] = &[
    "dieser host ist nicht bekannt",
    "der angegebene host ist unbekannt",
    "es ist kein solcher host bekannt",
    "h\u{f4}te inconnu.",
    "host sconosciuto.",
    "host desconocido.",
    "este host n\u{e3}o \u{e9} conhecido",
    "nieznany host.",
    "\u{44d}\u{442}\u{43e}\u{442} \u{445}\u{43e}\u{441}\u{442} \u{43d}\u{435}\u{438}\u{437}\u{432}\u{435}\u{441}\u{442}\u{435}\u{43d}",
    "\u{4e0d}\u{77e5}\u{9053}\u{8fd9}\u{6837}\u{7684}\u{4e3b}\u{673a}",
    "\u{7121}\u{6cd5}\u{8b58}\u{5225}\u{9019}\u{53f0}\u{4e3b}\u{6a5f}",
    "\u{305d}\u{306e}\u{3088}\u{3046}\u{306a}\u{30db}\u{30b9}\u{30c8}\u{306f}\u{4e0d}\u{660e}",
    "\u{c54c}\u{b824}\u{c9c4} \u{d638}\u{c2a4}\u{d2b8}\u{ac00} \u{c5c6}",
];

/// Parts of the sentence for `WSAECONNRESET`, in lower case.
const RESET: &[&str] = &[
    "verbindung wurde vom remotehost geschlossen",
    "connexion existante a d\u{fb} \u{ea}tre ferm\u{e9}e par l",
    "interrotta forzatamente dall'host remoto",
    "interrupci\u{f3}n de una conexi\u{f3}n existente por el host remoto",
    "cancelamento de uma conex\u{e3}o existente pelo host remoto",
    "gwa\u{142}townie zamkni\u{119}te przez zdalnego hosta",
    "\u{43f}\u{440}\u{438}\u{43d}\u{443}\u{434}\u{438}\u{442}\u{435}\u{43b}\u{44c}\u{43d}\u{43e} \u{440}\u{430}\u{437}\u{43e}\u{440}\u{432}\u{430}\u{43b} \u{441}\u{443}\u{449}\u{435}\u{441}\u{442}\u{432}\u{443}\u{44e}\u{449}\u{435}\u{435}",
    "\u{8fdc}\u{7a0b}\u{4e3b}\u{673a}\u{5f3a}\u{8feb}\u{5173}\u{95ed}\u{4e86}\u{4e00}\u{4e2a}\u{73b0}\u{6709}\u{7684}\u{8fde}\u{63a5}",
    "\u{9060}\u{7aef}\u{4e3b}\u{6a5f}\u{5df2}\u{5f37}\u{5236}\u{95dc}\u{9589}",
    "\u{30ea}\u{30e2}\u{30fc}\u{30c8} \u{30db}\u{30b9}\u{30c8}\u{306b}\u{5f37}\u{5236}\u{7684}\u{306b}\u{5207}\u{65ad}",
    "\u{c6d0}\u{aca9} \u{d638}\u{c2a4}\u{d2b8}\u{c5d0} \u{c758}\u{d574} \u{ac15}\u{c81c}\u{b85c}",
];

/// The sentences, by the fault that they state.
const SENTENCES: [(Phase, FaultKind, &[&str]); 4] = [
    (Phase::Connect, FaultKind::ConnectionRefused, REFUSED),
    (Phase::Connect, FaultKind::Timeout, UNANSWERED),
    (Phase::Resolve, FaultKind::NameNotFound, UNKNOWN_HOST),
    (Phase::Processing, FaultKind::ConnectionReset, RESET),
];

/// Returns the fault that a sentence in a message in lower case states; `None` if there is none.
pub(super) fn of(lower: &str) -> Option<(Phase, FaultKind)> {
    let states = |(_, _, parts): &&(Phase, FaultKind, &[&str])| {
        parts.iter().any(|part| lower.contains(part))
    };
    let (phase, kind, _) = SENTENCES.iter().find(states)?;
    Some((*phase, *kind))
}
