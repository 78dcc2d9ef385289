import Vocabulary

/// Why a request to set faults is not followed.
enum FaultOrderRefusal: Error, Hashable, Sendable {
    case notAnObject
    case unknown(name: String)
    case share(name: String)
    case next(name: String)
    case delay

    /// What to send instead.
    var sentence: String {
        switch self {
        case .notAnObject: #"Send a JSON object such as {"loss":0.1}."#
        case .unknown(let name):
            "There is no fault \(name); there are "
                + DeliveryFault.allCases.map(\.rawValue).joined(separator: ", ")
                + " and delay_milliseconds."
        case .share(let name):
            #"\#(name) is a share from 0 to 1, or an object such as {"share":0.1,"next":3}."#
        case .next(let name):
            "\(name).next is how many events to strike, from 0 to \(FaultOrder.nextMax)."
        case .delay:
            "delay_milliseconds is a whole number from 1 to \(DeliveryFaults.delayMillisecondsMax)."
        }
    }
}

/// A request to set faults, read from JSON. It is followed as a whole or not at all.
struct FaultOrder: Hashable, Sendable {
    private(set) var doses: [DeliveryFault: DeliveryFaults.Dose] = [:]
    private(set) var delayMilliseconds: Int64?

    static let nextMax: Int64 = 1_000_000

    init(_ body: [UInt8]) throws(FaultOrderRefusal) {
        let document = JSONDocument(bytesMax: body.count + 1)
        // The values live only as long as their document.
        defer { withExtendedLifetime(document) {} }
        guard let members = (try? document.parse(body))?.object else { throw .notAnObject }
        for (key, value) in members {
            let name = key.string ?? ""
            if name == "delay_milliseconds" {
                delayMilliseconds = try Self.delay(value)
            } else if let fault = DeliveryFault(rawValue: name) {
                doses[fault] = try Self.dose(value, name)
            } else {
                throw .unknown(name: name)
            }
        }
    }

    func apply(to sender: WebhookSender) {
        for (fault, dose) in doses { sender.set(fault, dose) }
        if let delayMilliseconds { sender.set(delayMilliseconds: delayMilliseconds) }
    }

    private static func delay(_ value: JSONValue) throws(FaultOrderRefusal) -> Int64 {
        guard let delay = value.int64, (1...DeliveryFaults.delayMillisecondsMax).contains(delay)
        else { throw .delay }
        return delay
    }

    private static func dose(
        _ value: JSONValue, _ name: String
    ) throws(FaultOrderRefusal) -> DeliveryFaults.Dose {
        guard value.object != nil else {
            return DeliveryFaults.Dose(share: try share(value, name))
        }
        var dose = DeliveryFaults.Dose()
        if let given = value["share"] { dose.share = try share(given, name) }
        if let given = value["next"] {
            guard let next = given.int64, (0...nextMax).contains(next) else {
                throw .next(name: name)
            }
            dose.next = Int(next)
        }
        return dose
    }

    private static func share(
        _ value: JSONValue, _ name: String
    ) throws(FaultOrderRefusal) -> Double {
        guard let share = value.double, (0...1).contains(share) else { throw .share(name: name) }
        return share
    }
}
