import Foundation

@testable import Appliance
@testable import Vocabulary

/// JSON that a test can take apart and put together again; members keep their order.
indirect enum TestJSON: Hashable, Sendable {
    case null
    case bool(Bool)
    case int(Int64)
    case double(Double)
    case string(String)
    case array([TestJSON])
    case object([Member])

    struct Member: Hashable, Sendable {
        var key: String
        var value: TestJSON
    }

    init(_ value: JSONValue) {
        switch value.kind {
        case .null: self = .null
        case .bool: self = .bool(value.bool ?? false)
        case .string: self = .string(value.string ?? "")
        case .number: self = value.int64.map(TestJSON.int) ?? .double(value.double ?? .nan)
        case .array: self = .array(value.array?.map { TestJSON($0) } ?? [])
        case .object:
            self = .object(
                value.object?.map { Member(key: $0.key.string ?? "", value: TestJSON($0.value)) }
                    ?? [])
        }
    }

    /// The member's value. Setting nil removes the member; setting null does not.
    subscript(key: String) -> TestJSON? {
        get {
            guard case .object(let members) = self else { return nil }
            return members.first { $0.key == key }?.value
        }
        set {
            guard case .object(var members) = self else { return }
            let index = members.firstIndex { $0.key == key }
            switch (index, newValue) {
            case (let index?, let value?): members[index].value = value
            case (let index?, nil): members.remove(at: index)
            case (nil, let value?): members.append(Member(key: key, value: value))
            case (nil, nil): break
            }
            self = .object(members)
        }
    }

    /// A copy with some members replaced, added, or (nil) removed. A key with dots is a path.
    func with(_ changes: KeyValuePairs<String, TestJSON?>) -> TestJSON {
        var copy = self
        for (path, value) in changes { copy.set(path.split(separator: ".")[...], to: value) }
        return copy
    }

    private mutating func set(_ path: ArraySlice<Substring>, to value: TestJSON?) {
        guard let first = path.first.map(String.init) else { return }
        if path.count == 1 {
            self[first] = value
        } else {
            var inner = self[first] ?? .object([])
            if case .object = inner {} else { inner = .object([]) }
            inner.set(path.dropFirst(), to: value)
            self[first] = inner
        }
    }

    func write(into writer: inout JSONWriter) {
        switch self {
        case .null: writer.null()
        case .bool(let value): writer.bool(value)
        case .int(let value): writer.int(value)
        case .double(let value): writer.double(value)
        case .string(let value): writer.string(value)
        case .array(let elements):
            writer.beginArray()
            for element in elements { element.write(into: &writer) }
            writer.endArray()
        case .object(let members):
            writer.beginObject()
            for member in members {
                writer.key(named: member.key)
                member.value.write(into: &writer)
            }
            writer.endObject()
        }
    }

    var bytes: [UInt8] {
        var writer = JSONWriter()
        write(into: &writer)
        return writer.bytes
    }
}

extension TestJSON: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral, ExpressibleByStringInterpolation,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    init(nilLiteral: ()) { self = .null }
    init(booleanLiteral value: Bool) { self = .bool(value) }
    init(integerLiteral value: Int64) { self = .int(value) }
    init(floatLiteral value: Double) { self = .double(value) }
    init(stringLiteral value: String) { self = .string(value) }
    init(arrayLiteral elements: TestJSON...) { self = .array(elements) }
    init(dictionaryLiteral elements: (String, TestJSON)...) {
        self = .object(elements.map { Member(key: $0.0, value: $0.1) })
    }
}

/// Stripe's own example objects (stripe/openapi, `fixtures3.json`), and events around them.
enum StripeExample {
    static let charge = object("charge")
    static let paymentIntent = object("payment_intent")
    static let refund = object("refund")
    static let dispute = object("dispute")
    static let payout = object("payout")
    static let balanceTransaction = object("balance_transaction")
    static let card = object("card")

    /// The example charge after its capture, as `charge.succeeded` shows it.
    static let capturedCharge = charge.with([
        "captured": true, "amount_captured": 100, "customer": "cus_1", "payment_intent": "pi_1",
        "outcome.type": "authorized", "billing_details.address.country": "DE",
        "metadata": ["device_id": "device-1"],
    ])

    private static let all: TestJSON = {
        let path = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../Fixtures/stripe_objects.json")
        let document = JSONDocument()
        guard let data = try? Data(contentsOf: path),
            let root = try? document.parse([UInt8](data))
        else { preconditionFailure("the fixture \(path) cannot be read") }
        return withExtendedLifetime(document) { TestJSON(root) }
    }()

    private static func object(_ name: String) -> TestJSON {
        guard let object = all[name] else { preconditionFailure("no fixture \(name)") }
        return object
    }

    /// An event of `type` around `object`, with some of its envelope changed.
    static func event(
        _ type: String, _ object: TestJSON, id: String = "evt_1", created: Int64 = 1_700_000_000,
        with changes: KeyValuePairs<String, TestJSON?> = [:]
    ) -> TestJSON {
        let event: TestJSON = [
            "id": .string(id), "object": "event", "api_version": "2024-06-20",
            "created": .int(created), "data": ["object": object], "livemode": false,
            "pending_webhooks": 1,
            "request": ["id": "req_1", "idempotency_key": "3f1b6a52-1d0c-4a9e-9a77-0f8f2f4f2b11"],
            "type": .string(type),
        ]
        return event.with(changes)
    }
}
