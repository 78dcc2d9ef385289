import Foundation
import Synchronization
package import Twin
import Vocabulary

/// Calls a twin as an HTTP client would, without HTTP, at a time that the test sets.
package final class TwinCaller: Sendable {
    private final class Time: Sendable {
        let now: Atomic<Int64>
        init(_ now: Int64) { self.now = Atomic(now) }
    }

    /// What has been told, in order.
    package final class Told: Sendable {
        private let list = Mutex<[TwinEvent]>([])
        package func append(_ event: TwinEvent) { list.withLock { $0.append(event) } }
        package var events: [TwinEvent] { list.withLock { $0 } }
        package var types: [String] { events.map(\.type) }
        package func removeAll() { list.withLock { $0 = [] } }
    }

    package struct Answer: Sendable {
        package var status: Int
        package var json: TestJSON
        package var raw: APIAnswer
    }

    /// 2026-01-05T10:00:00Z.
    package static let start: Int64 = 1_767_607_200

    package let twin: Twin
    package let told = Told()
    private let time = Time(start)

    package init(_ change: (inout TwinSettings) -> Void = { _ in }, folder: String? = nil) throws {
        var settings = TwinSettings()
        change(&settings)
        let (time, told) = (time, told)
        let clock: @Sendable () -> Int64 = { time.now.load(ordering: .relaxed) }
        if let folder {
            twin = try Twin(
                settings: settings, folder: folder, clock: clock, onEvent: told.append)
        } else {
            twin = Twin(settings: settings, clock: clock, onEvent: told.append)
        }
    }

    /// Lets the clock that was handed in go on.
    package func wait(_ seconds: Int64) {
        time.now.add(seconds, ordering: .relaxed)
        twin.tick()
    }

    package var now: Int64 { time.now.load(ordering: .relaxed) }

    package func get(
        _ path: String, _ query: String = "", key: String? = "sk_test_tillbox",
        account: String? = nil, version: String? = nil
    ) -> Answer {
        call(.get, path, query, key: key, account: account, version: version)
    }

    /// The first page of a list.
    package func list(_ path: String, _ query: String = "", account: String? = nil) -> [TestJSON] {
        get(path, query, account: account).json["data"].list
    }

    package func post(
        _ path: String, _ form: String = "", idempotency: String? = nil, account: String? = nil,
        version: String? = nil
    ) -> Answer {
        call(.post, path, form, idempotency: idempotency, account: account, version: version)
    }

    package func call(
        _ method: APIRequest.Method, _ path: String, _ form: String,
        key: String? = "sk_test_tillbox", idempotency: String? = nil, account: String? = nil,
        version: String? = nil
    ) -> Answer {
        let answer = twin.handle(
            APIRequest(
                method: method, path: path, fields: FormCoding.decode(form), apiKey: key,
                idempotencyKey: idempotency, account: account, version: version))
        return Answer(status: answer.status, json: Self.parse(answer.body), raw: answer)
    }

    package static func parse(_ text: [UInt8]) -> TestJSON {
        let document = JSONDocument()
        return withExtendedLifetime(document) {
            (try? document.parse(text)).map { TestJSON($0) } ?? .null
        }
    }

    /// A payment of a test card that is made at once.
    package func pay(
        _ amount: Int64, _ currency: String = "usd", card: String = "pm_card_visa",
        _ more: String = ""
    ) -> Answer {
        confirm(amount, currency, card: card, "capture_method=automatic&\(more)")
    }

    /// A payment that is to be captured.
    package func authorise(_ amount: Int64, _ currency: String) -> Answer {
        confirm(amount, currency, card: "pm_card_visa", "capture_method=manual")
    }

    private func confirm(
        _ amount: Int64, _ currency: String, card: String, _ more: String
    ) -> Answer {
        post(
            "/v1/payment_intents",
            "amount=\(amount)&currency=\(currency)&payment_method=\(card)&confirm=true&\(more)")
    }

    /// The pages of a list, followed to its end.
    package func pages(
        _ path: String, _ query: String, limit: Int, account: String? = nil
    ) -> [[TestJSON]] {
        var pages: [[TestJSON]] = []
        var after = ""
        while true {
            let answer = get(path, "\(query)&limit=\(limit)\(after)", account: account)
            let page = answer.json["data"].list
            pages.append(page)
            guard answer.json["has_more"] == true, let last = page.last?.id else { return pages }
            after = "&starting_after=\(last)"
        }
    }
}

extension TestJSON {
    package var text: String? {
        guard case .string(let text) = self else { return nil }
        return text
    }

    package var integer: Int64? {
        guard case .int(let value) = self else { return nil }
        return value
    }

    package var id: String { self["id"]?.text ?? "" }

    package var keys: Set<String> {
        guard case .object(let members) = self else { return [] }
        return Set(members.map(\.key))
    }
}

extension TestJSON? {
    package var list: [TestJSON] {
        guard case .array(let elements)? = self else { return [] }
        return elements
    }
}

/// Every balance transaction that a twin lists, summed by currency.
extension TwinCaller {
    package func sumOfTransactions(_ account: String? = nil) -> [String: Int64] {
        var sums: [String: Int64] = [:]
        let pages = pages("/v1/balance_transactions", "", limit: 100, account: account)
        for row in pages.joined() {
            sums[row["currency"]?.text ?? "", default: 0] += row["net"]?.integer ?? 0
        }
        return sums.filter { $0.value != 0 }
    }

    /// Available and pending together, by currency.
    package func balance(_ account: String? = nil) -> [String: Int64] {
        let balance = get("/v1/balance", account: account).json
        var sums: [String: Int64] = [:]
        for line in balance["available"].list + balance["pending"].list {
            sums[line["currency"]?.text ?? "", default: 0] += line["amount"]?.integer ?? 0
        }
        return sums.filter { $0.value != 0 }
    }
}
