//! Localized error messages of Windows about sockets, as .NET and `PowerShell` print them.

use crate::model::observation::{FaultKind, Phase};

/// Parts of the sentence for `WSAECONNREFUSED`, in lower case.
const REFUSED: &[&str] = &[
    "rifiuto persistente del computer di destinazione",
    "zielcomputer die verbindung verweigerte",
    "ordinateur cible l’a expressément refusée",
    "ordinateur cible l'a expressément refusée",
    "equipo de destino denegó expresamente",
    "máquina de destino as recusou ativamente",
    "computador de destino as recusou",
    "doelcomputer de verbinding actief heeft geweigerd",
    "komputer docelowy aktywnie",
    "cílový počítač je aktivně odmítl",
    "måldatorn aktivt nekade",
    "конечный компьютер отверг запрос",
    "目标计算机积极拒绝",
    "目標電腦拒絕連線",
    "拒否されたため、接続できません",
    "대상 컴퓨터에서 연결을 거부",
    "hedef makine etkin olarak reddet",
];

/// Parts of the sentence for `WSAETIMEDOUT`, in lower case.
const UNANSWERED: &[&str] = &[
    "risposta non corretta della parte connessa",
    "gegenstelle nach einer bestimmten zeitspanne nicht",
    "n’a pas répondu convenablement",
    "n'a pas répondu convenablement",
    "parte conectada no respondió adecuadamente",
    "componente conectado não respondeu corretamente",
    "połączona strona nie odpowiedziała",
    "не получен нужный отклик",
    "连接方在一段时间后没有正确答复",
    "連線對象有一段時間並未正確回應",
    "一定の時間を過ぎても正しく応答しなかった",
    "연결된 구성원으로부터 응답이 없",
];

/// Parts of the sentence for `WSAHOST_NOT_FOUND`, in lower case.
const UNKNOWN_HOST: &[&str] = &[
    "dieser host ist nicht bekannt",
    "der angegebene host ist unbekannt",
    "es ist kein solcher host bekannt",
    "hôte inconnu.",
    "host sconosciuto.",
    "host desconocido.",
    "este host não é conhecido",
    "nieznany host.",
    "этот хост неизвестен",
    "不知道这样的主机",
    "無法識別這台主機",
    "そのようなホストは不明",
    "알려진 호스트가 없",
];

/// Parts of the sentence for `WSAECONNRESET`, in lower case.
const RESET: &[&str] = &[
    "verbindung wurde vom remotehost geschlossen",
    "connexion existante a dû être fermée par l",
    "interrotta forzatamente dall'host remoto",
    "interrupción de una conexión existente por el host remoto",
    "cancelamento de uma conexão existente pelo host remoto",
    "gwałtownie zamknięte przez zdalnego hosta",
    "принудительно разорвал существующее",
    "远程主机强迫关闭了一个现有的连接",
    "遠端主機已強制關閉",
    "リモート ホストに強制的に切断",
    "원격 호스트에 의해 강제로",
];

/// The phase and the kind of each fault, with parts of the sentences that state the fault.
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
