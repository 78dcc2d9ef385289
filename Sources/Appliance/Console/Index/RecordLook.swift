import AppendLog
import Vocabulary

/// What one record has to say to the index.
struct RecordLook {
    /// The charge that it is about; nil where it is about none, or that must be asked of ``link``.
    var charge: String?
    /// A movement or an object of Stripe's whose charge an earlier record told.
    var link: String?
    /// The word under which it stands in a payment's trail: an event's type, a kind, a reason.
    var word = ""
    /// Further names by which the payment is found: its event's id, a payment intent, a refund.
    var names: [String] = []
    var change = Change.none

    enum Change {
        case none
        case webhook(CardWords)
        case validated(PaymentEvent)
        case scored(ScoredPayment)
        case reviewed(ReviewRecord)
        case posted(LedgerPosted)
        case letter
    }
}

/// What a webhook says of the card.
struct CardWords: Hashable {
    var lastFour: String?
    var brand: String?
}

/// Reads records of every topic for the index. What cannot be read says nothing: the stages have
/// refused it, and it is among the dead letters. Keeps a parser; use it on one thread.
final class RecordLooker {
    private let document = JSONDocument()

    func look(at record: Record, of topic: TopicID) -> RecordLook {
        let value = record.value ?? []
        switch topic {
        case .webhookReceived: return webhook(value)
        case .paymentValidated:
            guard let event = try? PaymentEvent(value, using: document) else { break }
            return Self.look(at: event, .validated(event))
        case .paymentScored:
            guard let scored = try? ScoredPayment(value, using: document) else { break }
            var look = Self.look(at: scored.event, .scored(scored))
            look.word = scored.verdict.rawValue
            return look
        case .paymentFeatures:
            guard let features = try? FeaturesRecord(value, using: document) else { break }
            return RecordLook(charge: features.objectID, word: "features")
        case .paymentReview:
            guard let review = try? ReviewRecord(value, using: document) else { break }
            var look = Self.look(at: review.movement.rawValue)
            look.word = review.state.rawValue
            look.change = .reviewed(review)
            return look
        case .ledgerPosted:
            guard let posted = try? LedgerPosted(value, using: document) else { break }
            var look = Self.look(at: Self.told(by: posted))
            look.word = posted.kind
            look.change = .posted(posted)
            return look
        case .deadLetter: return letter(record, value)
        }
        return RecordLook()
    }

    // MARK: What stages wrote

    private static func look(at event: PaymentEvent, _ change: RecordLook.Change) -> RecordLook {
        let isPayment = event.kind == .payment || event.kind == .paymentFailed
        return RecordLook(
            charge: isPayment ? event.objectID : event.related, word: event.kind.rawValue,
            names: isPayment
                ? [event.objectID, event.eventID.rawValue]
                : [event.objectID, event.movement.rawValue, event.eventID.rawValue],
            change: change)
    }

    /// - Parameter movement: `charge:ch_…` names its charge; others were linked to one.
    private static func look(at movement: String) -> RecordLook {
        charge(in: movement).map { RecordLook(charge: $0) } ?? RecordLook(link: movement)
    }

    /// The movement that led to a transaction: what the ledger makes by itself stands under the
    /// kind's name and the movement, or the refund, that it made it of.
    private static func told(by posted: LedgerPosted) -> String {
        origin(of: posted.movement.rawValue)
    }

    /// The movement that Stripe told of, by the key of any that the ledger has.
    static func origin(of key: String) -> String {
        guard let colon = key.firstIndex(of: ":"), ledgerKinds.contains(String(key[..<colon]))
        else { return key }
        let rest = key[key.index(after: colon)...].prefix { $0 != "#" }
        return rest.contains(":") ? String(rest) : "refund:\(rest)"
    }

    /// The charge that a movement's key names; nil for one that was linked to a charge.
    static func charge(in key: String) -> String? {
        ["charge:", "charge_failed:", "charge_reversed:"].first { key.hasPrefix($0) }
            .map { String(key.dropFirst($0.count)) }
    }

    private static let ledgerKinds: Set<String> = [
        "capture_grown", "review_approved", "review_declined", "held", "released",
        "refund_settled", "refund_unsettled", "refund_released", "refund_restored",
    ]

    // MARK: What Stripe sent

    private func webhook(_ value: ArraySlice<UInt8>) -> RecordLook {
        guard let event = try? document.parse(value), let object = event["data"]?["object"] else {
            return RecordLook()
        }
        var look = RecordLook(word: event["type"]?.string ?? "")
        var card: JSONValue? = object
        switch object["object"]?.string {
        case "charge":
            look.charge = object["id"]?.string
            look.names = Self.ids(object["payment_intent"])
        case "payment_intent":
            let latest = object["latest_charge"] ?? Self.last(object["charges"]?["data"])
            look.charge = Self.ids(latest).first
            look.names = Self.ids(object)
            card = latest
        default:
            look.charge = Self.ids(object["charge"]).first
            look.names = Self.ids(object)
            card = nil
        }
        look.change = .webhook(Self.card(of: card))
        return look
    }

    private static func last(_ list: JSONValue?) -> JSONValue? {
        list?.array?.reduce(nil as JSONValue?) { $1 }
    }

    /// An object of Stripe's is told by its id, or as a whole.
    private static func ids(_ value: JSONValue?) -> [String] {
        guard let id = value?.string ?? value?["id"]?.string, (1...255).contains(id.utf8.count)
        else { return [] }
        return [id]
    }

    private static func card(of charge: JSONValue?) -> CardWords {
        let card = charge?["payment_method_details"]?["card"] ?? charge?["source"]
        func word(_ key: StaticString, _ lengths: ClosedRange<Int>) -> String? {
            guard let text = card?[key]?.string, lengths.contains(text.utf8.count) else {
                return nil
            }
            return text
        }
        return CardWords(lastFour: word("last4", 4...4), brand: word("brand", 1...40))
    }

    // MARK: What was refused

    private func letter(_ record: Record, _ value: ArraySlice<UInt8>) -> RecordLook {
        var look: RecordLook
        let json = try? document.parse(value)
        if let movement = json?["movement"]?.string {
            look = Self.look(at: movement)
            look.charge = look.charge ?? json?["related"]?.string
        } else if let object = json?["object_id"]?.string {
            look = RecordLook(charge: object)
        } else {
            look = webhook(value)
            look.names = []
        }
        // A redriven one lies in the same topic, and is no refusal.
        let isOrder = record.header(RedriveHeader.to) != nil
        look.word = isOrder ? "redrive" : record.text("reason") ?? ""
        look.change = isOrder ? .none : .letter
        return look
    }
}
