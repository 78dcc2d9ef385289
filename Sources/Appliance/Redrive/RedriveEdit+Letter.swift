package import AppendLog
import Bridges
import Vocabulary

extension RedriveEdit {
    private static let byHeader = "edited-by"
    private static let fromHeader = "edited-from"
    private static let hashHeader = "edited-sha256"
    /// An earlier edit of the same record is told by the letter that this one was made from.
    static let headerNames = [byHeader, fromHeader, hashHeader]

    func headers(of letter: StoredLetter) -> [RecordHeader] {
        [
            RecordHeader(Self.byHeader, by),
            RecordHeader(Self.fromHeader, RedriveHeader.origin(letter.place)),
            RecordHeader(Self.hashHeader, String(hex: SHA256.digest(letter.value))),
        ]
    }

    /// Who edited a record before it went back; nil for one that is as it was.
    package static func author(of record: Record) -> String? { record.text(byHeader) }
}

/// Why an edit is not taken. Money is decided over by a model and by people, and an edit stands in
/// for neither.
enum EditRefusal: Error, Hashable, Sendable {
    /// It names another event than the letter does, which may have been taken already.
    case otherEvent(EventID)
    /// A person's decision is nobody else's to write.
    case decision
    /// The model's eight numbers follow from the customer's history.
    case features
    /// It approves what was not approved.
    case approval

    /// A stable word.
    var code: String {
        switch self {
        case .otherEvent: "edit_names_another_event"
        case .decision: "edit_of_a_decision"
        case .features: "edit_of_features"
        case .approval: "edit_approves"
        }
    }

    var detail: String {
        switch self {
        case .otherEvent(let id):
            "the event must stay \(ShownText.escaped(id.rawValue)), whatever else is changed"
        case .decision: "decide the review again instead; this letter goes back as it is or not"
        case .features: "the numbers are made of the customer's history; redrive it as it is"
        case .approval: "the verdict must not become approve; a person approves at the review"
        }
    }
}
